//! What simulations have reached: how much was done, and which states were seen.
//!
//! Sums of many simulations are the same in whatever order they are added, so simulations may run
//! side by side and tell the same in the end.

use std::collections::BTreeMap;
use std::fmt;

use crate::mesh::Traffic;

/// Declares the figures once: their names, what they mean, and the heading they are shown under.
macro_rules! figures {
    ($($heading:literal { $($name:ident: $meaning:literal,)* })*) => {
        /// Counts of what happened in simulations.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(
                #[doc = $meaning]
                pub $name: u64,
            )*)*
            /// Messages between cores.
            pub traffic: Traffic,
            /// How often each state was seen.
            pub reached: BTreeMap<State, u64>,
            /// A digest of all replies and when they came: two runs that are the same have the
            /// same.
            pub digest: u64,
        }

        impl Tally {
            fn add_figures(&mut self, other: &Self) {
                $($(self.$name += other.$name;)*)*
            }

            /// All figures with their headings.
            fn figures(&self) -> Vec<(&'static str, Vec<(u64, &'static str)>)> {
                vec![$(($heading, vec![$((self.$name, $meaning),)*]),)*]
            }
        }
    };
}

figures! {
    "work" {
        lives: "lives of servers",
        free_lives: "of these, lives in which clients run any command",
        limited_lives: "of these, lives in which memory is short",
        commands: "commands that cores took",
        steps: "steps of cores and writers",
        virtual_ms: "virtual milliseconds that passed",
    }
    "clients" {
        events: "events that were put in order",
        replayed: "commands that were compared with a single core",
        disconnects: "clients that went away",
        waits_abandoned: "of these, clients that waited for keys",
        watches_broken: "transactions that a WATCH ended",
        taken: "tokens that were taken from queues",
        received: "messages that were received",
    }
    "disk and memory" {
        cuts: "power cuts that were recovered from",
        tokens_lost: "tokens they took away",
        snapshots: "snapshots that were compared",
        rewrites: "rewrites of the append-only file",
        refused: "operations that were refused while the disk failed",
        evicted: "keys that were evicted",
        weighed: "tables whose memory was counted, allocation by allocation",
    }
}

/// A state: of what, and which.
pub type State = (&'static str, &'static str);

/// States worth reaching: those that were not are listed at the end of a report.
const STATES: &[(&str, &[&str])] = &[
    ("commands", &["taken", "put off"]),
    ("cores", &["one", "two", "three", "four", "five"]),
    ("disturbed by", &["disks that fail", "cores that stand still"]),
    (
        "encodings",
        &[
            "int",
            "embstr",
            "raw",
            "listpack",
            "quicklist",
            "intset",
            "hashtable",
            "skiplist",
            "stream",
        ],
    ),
    ("files", &["none", "fsync always", "fsync every second"]),
    ("held", &["for replies", "for scripts", "for other cores"]),
    ("time", &["passed", "leapt"]),
];

impl Tally {
    /// Adds what other simulations have reached.
    pub fn add(&mut self, other: &Self) {
        self.add_figures(other);
        self.traffic.add(other.traffic);
        other.reached.iter().for_each(|(state, count)| self.reach_often(*state, *count));
        self.digest = self.digest.wrapping_add(other.digest);
    }

    /// A state was seen.
    pub fn reach(&mut self, state: State) {
        self.reach_often(state, 1);
    }

    /// A state was seen so often, which may be never.
    pub fn reach_often(&mut self, state: State, count: u64) {
        if count > 0 {
            *self.reached.entry(state).or_default() += count;
        }
    }

    /// The states that were not seen.
    pub fn missed(&self) -> Vec<State> {
        let all = STATES.iter().flat_map(|(of, names)| names.iter().map(|name| (*of, *name)));
        all.filter(|state| !self.reached.contains_key(state)).collect()
    }
}

impl fmt::Display for Tally {
    /// Headings, and below each a line a figure; then the states, a line for all of a kind.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let traffic = ("messages between cores", self.traffic.figures().to_vec());
        for (heading, figures) in self.figures().into_iter().chain([traffic]) {
            writeln!(out, "{heading}")?;
            for (count, meaning) in figures {
                writeln!(out, "{count:>14}  {meaning}")?;
            }
        }
        writeln!(out, "states")?;
        let mut before = "";
        for ((of, name), count) in &self.reached {
            if before != *of {
                let end = if before.is_empty() { "" } else { "\n" };
                write!(out, "{end}{:>14}  {name} {count}", *of)?;
            } else {
                write!(out, ", {name} {count}")?;
            }
            before = of;
        }
        writeln!(out)?;
        let missed = self.missed();
        let missed: Vec<String> = missed.iter().map(|(of, name)| format!("{of} {name}")).collect();
        if !missed.is_empty() {
            writeln!(out, "never seen: {}", missed.join(", "))?;
        }
        Ok(())
    }
}
