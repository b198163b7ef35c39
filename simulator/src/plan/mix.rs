//! Which kinds of work a life has, and how much of each.
//!
//! A bug mostly needs two or three kinds of work that meet: a WATCH and a slot that moves, messages
//! and pipelines, settings and a core that stands still. In a mix of everything these are few and
//! far between, and much of the rest keeps them apart: whatever stops all cores hides what only
//! shows while they run. So a life leaves kinds out, most lives most of them, at random, and does
//! the more of what it has (Groce, Zhang, Eide, Chen, Regehr: Swarm Testing, ISSTA 2012). Over many
//! lives every two kinds meet somewhere with hardly anything else.
//!
//! ```text
//! share of kinds      1/8      1/4      1/2      all
//! of so many lives    1/4      1/4      1/4      1/4
//! ```
//!
//! Kinds that are of no use without each other (to grant rights, and to look at them) come and stay
//! away together. Half of the clients do one of the kinds most of the time: while all cores stand
//! still for something, only those see it who have nothing else under way.

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Several,
    Transaction,
    Watched,
    Script,
    BlindScript,
    Queue,
    Publish,
    Save,
    Move,
    Aside,
    Grant,
    Rights,
    Reform,
    Settings,
    Quit,
    Pause,
}

/// Kinds that come together, each with how often it is drawn where it is rarest.
const GROUPS: [&[(Kind, u32)]; 14] = [
    &[(Kind::Several, 8)],
    &[(Kind::Transaction, 8)],
    &[(Kind::Watched, 8)],
    &[(Kind::Script, 8)],
    &[(Kind::BlindScript, 2)],
    &[(Kind::Queue, 16)],
    &[(Kind::Publish, 8)],
    &[(Kind::Save, 1)],
    &[(Kind::Move, 4)],
    &[(Kind::Aside, 4)],
    &[(Kind::Grant, 2), (Kind::Rights, 4)],
    &[(Kind::Reform, 4), (Kind::Settings, 4)],
    &[(Kind::Quit, 1)],
    &[(Kind::Pause, 2)],
];

/// How often simple commands are drawn where they are rarest. There are always some: they tell most
/// about the rest.
const PLAIN: u32 = 16;

/// Shares of the groups a life may have, in eighths.
const SHARES: [u32; 4] = [1, 2, 4, 8];

/// A group is drawn so many times more often, to the power of two, at most.
const BOOST_MAX: u32 = 4;

/// How much more often a client does what it mostly does.
const MAIN_FACTORS: [u32; 2] = [16, 256];

/// What a life has.
#[derive(Debug)]
pub(super) struct Mix {
    /// Kinds, and how often each is drawn.
    weights: Vec<(Kind, u32)>,
}

impl Mix {
    /// Draws one.
    pub(super) fn drawn(random: &mut fastrand::Rng) -> Self {
        let share = SHARES[random.usize(..SHARES.len())];
        let mut weights = vec![(Kind::Plain, PLAIN << random.u32(..=2))];
        for group in GROUPS {
            if random.u32(..8) < share {
                let boost = random.u32(..=BOOST_MAX);
                weights.extend(group.iter().map(|(kind, rarest)| (*kind, rarest << boost)));
            }
        }
        Self { weights }
    }

    /// What one client of the life has: all of it, or mostly one kind.
    pub(super) fn of_client(&self, random: &mut fastrand::Rng) -> Self {
        let mut weights = self.weights.clone();
        if random.bool() {
            let main = weights[random.usize(..weights.len())].0;
            let factor = MAIN_FACTORS[random.usize(..MAIN_FACTORS.len())];
            let of_main = weights.iter_mut().filter(|(kind, _)| *kind == main);
            of_main.for_each(|(_, weight)| *weight *= factor);
        }
        Self { weights }
    }

    /// Whether there is any of a kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.weights.iter().any(|(other, _)| *other == kind)
    }

    /// Draws a kind among those that `may` be.
    pub(super) fn kind(&self, random: &mut fastrand::Rng, may: impl Fn(Kind) -> bool) -> Kind {
        let allowed = || self.weights.iter().filter(|(kind, _)| may(*kind));
        let mut die = random.u32(..allowed().map(|(_, weight)| weight).sum::<u32>());
        for (kind, weight) in allowed() {
            if die < *weight {
                return *kind;
            }
            die -= weight;
        }
        unreachable!("the die is below the sum of the weights")
    }
}
