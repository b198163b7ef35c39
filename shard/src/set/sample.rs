//! Random members: drawn with or without being taken out.

use std::collections::HashSet;

use super::ints::Ints;
use super::table::Spot;
use super::{Form, Member, Set};
use crate::packed::Packed;
use crate::random::Random;

/// Up to this many members for each one wanted, passing over all of them beats drawing.
const MEMBERS_PER_DRAW: usize = 8;

/// Where a drawn member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Drawn {
    Index(usize),
    Spot(Spot),
}

impl Set {
    /// A random member, each as likely as any other. Expected O(1), O(members) when packed.
    ///
    /// # Panics
    /// When the set is empty.
    pub fn random(&self, random: &mut Random) -> Member<'_> {
        self.at(self.draw(random))
    }

    fn draw(&self, random: &mut Random) -> Drawn {
        match &self.0 {
            Form::Table(table) => Drawn::Spot(table.random(random)),
            _ => Drawn::Index(random.below(self.len())),
        }
    }

    fn at(&self, drawn: Drawn) -> Member<'_> {
        match (&self.0, drawn) {
            (Form::Ints(ints), Drawn::Index(index)) => Member::Int(ints.get(index)),
            (Form::Packed(packed), Drawn::Index(index)) => packed.get(packed.seek(index)).into(),
            (Form::Table(table), Drawn::Spot(spot)) => Member::Text(table.get(spot)),
            _ => unreachable!("a draw belongs to its set"),
        }
    }

    /// Visits `count` different random members, or all if there are no more; every choice is as
    /// likely as any other. O(`count`) expected, or O(members) where that is about as much.
    pub fn sample(&self, count: usize, random: &mut Random, mut visit: impl FnMut(Member<'_>)) {
        let is_packed = matches!(self.0, Form::Packed(_));
        if is_packed || count.saturating_mul(MEMBERS_PER_DRAW) >= self.len() {
            let mut choice = Choice { left: self.len(), wanted: count.min(self.len()) };
            return self.for_each(|member| {
                if choice.takes_next(random) {
                    visit(member);
                }
            });
        }
        let mut drawn = HashSet::with_capacity(count);
        while drawn.len() < count {
            let draw = self.draw(random);
            if drawn.insert(draw) {
                visit(self.at(draw));
            }
        }
    }

    /// Takes `count` random members out, or all if there are no more, and shows each. Costs as
    /// [`Set::sample`].
    pub fn take_random(
        &mut self,
        count: usize,
        random: &mut Random,
        mut visit: impl FnMut(Member<'_>),
    ) {
        if count >= self.len() {
            self.for_each(visit);
            *self = Self::default();
            return;
        }
        let mut choice = Choice { left: self.len(), wanted: count };
        match &mut self.0 {
            Form::Table(table) => {
                for _ in 0..count {
                    let spot = table.random(random);
                    visit(Member::Text(table.get(spot)));
                    table.remove_at(spot);
                }
            }
            Form::Ints(ints) if count == 1 => {
                let index = random.below(ints.len());
                visit(Member::Int(ints.get(index)));
                ints.remove_at(index);
            }
            Form::Ints(ints) => {
                let mut stays = |number: &i64| {
                    let goes = choice.takes_next(random);
                    if goes {
                        visit(Member::Int(*number));
                    }
                    !goes
                };
                *ints = ints.iter().filter(|number| stays(number)).collect::<Ints>();
            }
            Form::Packed(packed) => {
                let mut kept = Packed::new();
                for element in packed.iter() {
                    if choice.takes_next(random) {
                        visit(element.into());
                    } else {
                        kept.push_back(element);
                    }
                }
                *packed = kept;
            }
        }
    }
}

/// Chooses some of a sequence while passing over it (selection sampling, Knuth 3.4.2, S).
struct Choice {
    left: usize,
    wanted: usize,
}

impl Choice {
    fn takes_next(&mut self, random: &mut Random) -> bool {
        let takes = self.wanted > 0 && random.below(self.left) < self.wanted;
        self.left -= 1;
        self.wanted -= usize::from(takes);
        takes
    }
}
