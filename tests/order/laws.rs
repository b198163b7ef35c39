//! The laws a reader can check while a writer is at work.
//!
//! A law owns a few keys in different slots. Its one writer repeats a pipeline whose round number
//! `n` counts 1, 2, 3...; its readers look at the same keys and judge what they saw. A law states
//! something that must hold at every instant, so the judge needs no knowledge of timing.
//!
//! | law | pipeline `n` | look | must hold |
//! |---|---|---|---|
//! | [`Pair`] | SET first n, SET second n | GET second, GET first | first >= second |
//! | [`Count`] | SET data n, INCR counter | GET counter, GET data | data >= counter |
//! | [`Relay`] | SET one n, DEL other (in turn) | MGET both | never neither; neighbours if both |
//! | [`Whole`] | MSET all n | MGET all | all equal |
//! | [`Journey`] | RENAME here there (in turn) | MGET both | exactly one |
//!
//! The first two look *in the reverse order of writing*: whoever sees the later effect must find
//! the earlier one, even though two cores own the keys.

use crate::support::{Reply, slot_of};

/// One command as its words.
pub(crate) type Words = Vec<String>;

/// See the head of this file.
pub(crate) trait Law: Sync {
    fn name(&self) -> &'static str;

    /// Keys, for those who move their slots.
    fn keys(&self) -> &[String];

    /// What must have happened before round 1.
    fn prologue(&self) -> Vec<Words> {
        Vec::new()
    }

    /// The writer's commands of round `round`, counted from 1.
    fn pipeline(&self, round: u64) -> Vec<Words>;

    /// The reader's commands.
    fn look(&self) -> Vec<Words>;

    /// Judges the replies to [`Law::look`]: what was seen (for counting progress), or the breach.
    fn judge(&self, replies: &[Reply]) -> Result<u64, String>;
}

/// One of each law, with keys named after `instance` and never two in one slot.
pub(crate) fn all_laws(instance: u32) -> Vec<Box<dyn Law>> {
    vec![
        Box::new(Pair { keys: keys_apart(&format!("pair:{instance}"), 2) }),
        Box::new(Count { keys: keys_apart(&format!("count:{instance}"), 2) }),
        Box::new(Relay { keys: keys_apart(&format!("relay:{instance}"), 2) }),
        Box::new(Whole { keys: keys_apart(&format!("whole:{instance}"), 12) }),
        Box::new(Journey { keys: keys_apart(&format!("journey:{instance}"), 2) }),
    ]
}

/// `count` keys in different slots.
fn keys_apart(name: &str, count: usize) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for number in 0.. {
        let key = format!("{name}:{number}");
        let slot = slot_of(key.as_bytes());
        if keys.iter().all(|other| slot_of(other.as_bytes()) != slot) {
            keys.push(key);
        }
        if keys.len() == count {
            break;
        }
    }
    keys
}

fn words<const COUNT: usize>(parts: [&str; COUNT]) -> Words {
    parts.map(str::to_owned).to_vec()
}

/// The number a key holds; a missing key counts as zero.
fn number(reply: &Reply) -> u64 {
    match reply {
        Reply::Null => 0,
        other => other.text().parse().expect("the laws store numbers"),
    }
}

fn read_keys(keys: &[String]) -> Vec<Words> {
    vec![["MGET"].into_iter().map(str::to_owned).chain(keys.iter().cloned()).collect()]
}

/// Two SETs on two cores.
struct Pair {
    keys: Vec<String>,
}

impl Law for Pair {
    fn name(&self) -> &'static str {
        "SET then SET"
    }

    fn keys(&self) -> &[String] {
        &self.keys
    }

    fn pipeline(&self, round: u64) -> Vec<Words> {
        self.keys.iter().map(|key| words(["SET", key, &round.to_string()])).collect()
    }

    fn look(&self) -> Vec<Words> {
        self.keys.iter().rev().map(|key| words(["GET", key])).collect()
    }

    fn judge(&self, replies: &[Reply]) -> Result<u64, String> {
        later_implies_earlier(number(&replies[0]), number(&replies[1]))
    }
}

/// Data first, then the counter that announces it.
struct Count {
    keys: Vec<String>,
}

impl Law for Count {
    fn name(&self) -> &'static str {
        "SET then INCR"
    }

    fn keys(&self) -> &[String] {
        &self.keys
    }

    fn pipeline(&self, round: u64) -> Vec<Words> {
        vec![words(["SET", &self.keys[0], &round.to_string()]), words(["INCR", &self.keys[1]])]
    }

    fn look(&self) -> Vec<Words> {
        vec![words(["GET", &self.keys[1]]), words(["GET", &self.keys[0]])]
    }

    fn judge(&self, replies: &[Reply]) -> Result<u64, String> {
        later_implies_earlier(number(&replies[0]), number(&replies[1]))
    }
}

fn later_implies_earlier(later: u64, earlier: u64) -> Result<u64, String> {
    if earlier >= later {
        return Ok(later);
    }
    Err(format!("the later effect of round {later} is visible, the earlier one of {earlier} only"))
}

/// A baton that is always in at least one hand.
struct Relay {
    keys: Vec<String>,
}

impl Law for Relay {
    fn name(&self) -> &'static str {
        "SET then DEL"
    }

    fn keys(&self) -> &[String] {
        &self.keys
    }

    fn prologue(&self) -> Vec<Words> {
        vec![words(["SET", &self.keys[0], "0"])]
    }

    fn pipeline(&self, round: u64) -> Vec<Words> {
        let receiver = (round % 2) as usize;
        vec![
            words(["SET", &self.keys[receiver], &round.to_string()]),
            words(["DEL", &self.keys[1 - receiver]]),
        ]
    }

    fn look(&self) -> Vec<Words> {
        read_keys(&self.keys)
    }

    fn judge(&self, replies: &[Reply]) -> Result<u64, String> {
        match replies[0].elements() {
            [Reply::Null, Reply::Null] => Err("DEL is visible before the SET ahead of it".into()),
            [Reply::Null, one] | [one, Reply::Null] => Ok(number(one)),
            [left, right] if number(left).abs_diff(number(right)) == 1 => {
                Ok(number(left).max(number(right)))
            }
            both => Err(format!("values of distant rounds side by side: {both:?}")),
        }
    }
}

/// Many keys written by one command.
struct Whole {
    keys: Vec<String>,
}

impl Law for Whole {
    fn name(&self) -> &'static str {
        "MSET"
    }

    fn keys(&self) -> &[String] {
        &self.keys
    }

    fn pipeline(&self, round: u64) -> Vec<Words> {
        let mut command = words(["MSET"]);
        for key in &self.keys {
            command.extend([key.clone(), round.to_string()]);
        }
        vec![command]
    }

    fn look(&self) -> Vec<Words> {
        read_keys(&self.keys)
    }

    fn judge(&self, replies: &[Reply]) -> Result<u64, String> {
        let rounds: Vec<u64> = replies[0].elements().iter().map(number).collect();
        if rounds.iter().all(|&round| round == rounds[0]) {
            return Ok(rounds[0]);
        }
        Err(format!("half an MSET is visible: {rounds:?}"))
    }
}

/// One value that travels between two keys.
struct Journey {
    keys: Vec<String>,
}

impl Law for Journey {
    fn name(&self) -> &'static str {
        "RENAME"
    }

    fn keys(&self) -> &[String] {
        &self.keys
    }

    fn prologue(&self) -> Vec<Words> {
        vec![words(["SET", &self.keys[0], "0"])]
    }

    fn pipeline(&self, round: u64) -> Vec<Words> {
        let target = (round % 2) as usize;
        vec![words(["RENAME", &self.keys[1 - target], &self.keys[target]])]
    }

    fn look(&self) -> Vec<Words> {
        read_keys(&self.keys)
    }

    fn judge(&self, replies: &[Reply]) -> Result<u64, String> {
        match replies[0].elements() {
            [Reply::Bulk(_), Reply::Null] => Ok(0),
            [Reply::Null, Reply::Bulk(_)] => Ok(1),
            both => Err(format!("a renamed key must be in exactly one place: {both:?}")),
        }
    }
}
