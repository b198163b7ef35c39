//! Adding to sorted sets: ZADD and ZINCRBY.

use super::sorted_set::limits_of;
use super::sorted_set_bounds::parse_score;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::sorted_set::{Entry, Limits, SortedSet};
use smallvec::SmallVec;

const NX_AND_XX: CommandError =
    CommandError::Fixed("ERR XX and NX options at the same time are not compatible");
const GT_LT_NX: CommandError =
    CommandError::Fixed("ERR GT, LT, and/or NX options at the same time are not compatible");
const ONE_INCREMENT: CommandError =
    CommandError::Fixed("ERR INCR option supports a single increment-element pair");
const NOT_A_NUMBER: CommandError = CommandError::Fixed("ERR resulting score is not a number (NaN)");

/// What stands between the key and the scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AddOptions {
    /// `NX`: only add.
    pub(super) only_add: bool,
    /// `XX`: only change.
    pub(super) only_change: bool,
    /// `GT`: change only to a higher score.
    pub(super) only_raise: bool,
    /// `LT`: change only to a lower score.
    pub(super) only_lower: bool,
    /// `CH`: count the changed too.
    pub(super) counts_changed: bool,
    /// `INCR`: the score is added to the present one.
    pub(super) increments: bool,
}

impl AddOptions {
    /// Reads the options from argument `index` on; returns where they end.
    fn parse(arguments: Arguments<'_>, mut index: usize) -> (Self, usize) {
        let mut options = Self::default();
        while index < arguments.len() {
            let option = match () {
                () if arguments.is(index, "nx") => &mut options.only_add,
                () if arguments.is(index, "xx") => &mut options.only_change,
                () if arguments.is(index, "gt") => &mut options.only_raise,
                () if arguments.is(index, "lt") => &mut options.only_lower,
                () if arguments.is(index, "ch") => &mut options.counts_changed,
                () if arguments.is(index, "incr") => &mut options.increments,
                () => break,
            };
            *option = true;
            index += 1;
        }
        (options, index)
    }

    fn check(self, pairs: usize) -> Outcome {
        if self.only_add && self.only_change {
            return Err(NX_AND_XX);
        }
        let bounds = [self.only_raise, self.only_lower, self.only_add];
        if bounds.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err(GT_LT_NX);
        }
        if self.increments && pairs > 1 {
            return Err(ONE_INCREMENT);
        }
        Ok(())
    }

    /// Whether the score of a member may go from `old` to `new`.
    fn allow(self, old: f64, new: f64) -> bool {
        !(self.only_add || self.only_lower && new >= old || self.only_raise && new <= old)
    }
}

/// What came of adding.
#[derive(Clone, Copy, Debug, Default)]
struct Added {
    added: usize,
    changed: usize,
    /// The score of the last entry, unless a condition kept it from being set.
    score: Option<f64>,
}

/// ZADD.
pub fn zadd(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let (options, first) = AddOptions::parse(arguments, 2);
    let count = arguments.len() - first;
    if count == 0 || !count.is_multiple_of(2) {
        return Err(error::SYNTAX);
    }
    options.check(count / 2)?;
    let entries = parse_entries(arguments, first)?;
    add(call, options, &entries)
}

/// ZINCRBY.
pub fn zincrby(call: &mut Call<'_>) -> Outcome {
    let entries = parse_entries(call.arguments, 2)?;
    add(call, AddOptions { increments: true, ..AddOptions::default() }, &entries)
}

/// Scores and members, as most commands give them: a few.
pub(super) type Entries<'a> = SmallVec<[Entry<'a>; 4]>;

fn parse_entries(arguments: Arguments<'_>, first: usize) -> Result<Entries<'_>, CommandError> {
    (first..arguments.len())
        .step_by(2)
        .map(|index| {
            let score = parse_score(arguments.at(index)).ok_or(error::NOT_A_FLOAT)?;
            Ok(Entry { score, member: arguments.at(index + 1) })
        })
        .collect()
}

/// Adds entries to the set at argument 1 and answers as ZADD does.
pub(super) fn add(call: &mut Call<'_>, options: AddOptions, entries: &[Entry<'_>]) -> Outcome {
    let key = call.key(1);
    let limits = limits_of(call.store);
    let missing = if options.only_change { Missing::Skip } else { Missing::Create };
    let outcome = call.store.change_collection(key, missing, |set: &mut SortedSet| {
        add_all(set, options, entries, &limits)
    })?;
    let added = outcome.unwrap_or(Ok(Added::default()))?;
    if added.added + added.changed > 0 {
        let event = if options.increments { Event::ZIncr } else { Event::ZAdd };
        call.store.changed(key, event);
    }
    if !options.increments {
        let counted = added.added + if options.counts_changed { added.changed } else { 0 };
        call.reply.integer(counted as i64);
    } else if let Some(score) = added.score {
        call.reply.double(score);
    } else {
        call.reply.null();
    }
    Ok(())
}

fn add_all(
    set: &mut SortedSet,
    options: AddOptions,
    entries: &[Entry<'_>],
    limits: &Limits,
) -> Result<Added, CommandError> {
    let longest = entries.iter().map(|entry| entry.member.len()).max().unwrap_or(0);
    if !limits.allow(entries.len(), longest) {
        set.make_indexed(limits);
    }
    let mut sum = Added::default();
    for entry in entries {
        sum.score = None;
        let old = set.score(entry.member);
        let mut score = entry.score;
        match old {
            None if options.only_change => continue,
            None => sum.added += 1,
            Some(_) if options.only_add => continue,
            Some(old) => {
                if options.increments {
                    score += old;
                }
                if score.is_nan() {
                    return Err(NOT_A_NUMBER);
                }
                if !options.allow(old, score) {
                    continue;
                }
                sum.changed += usize::from(score != old);
            }
        }
        set.insert(Entry { score, member: entry.member }, limits);
        sum.score = Some(score);
    }
    Ok(sum)
}
