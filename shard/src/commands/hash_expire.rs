//! When fields of a hash go away: the HEXPIRE family, HPERSIST, and the questions about it.
//!
//! All of them answer with one number for each field. A deadline that is past already removes the
//! field at once.

use super::hash::report_removal;
use super::hash_fields::{BAD_COUNT, check_type, read_deadline, read_fields};
use super::lifetime::TimeForm;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::event::Event;
use crate::hashes::Hash;
use crate::object::Missing;
use crate::store::Key;

/// What is answered for a field that is not there.
const NO_FIELD: i64 = -2;
/// What is answered for a field that has no deadline.
const NO_DEADLINE: i64 = -1;

/// HEXPIRE.
pub fn hexpire(call: &mut Call<'_>) -> Outcome {
    set_deadlines(call, TimeForm::Seconds)
}

/// HPEXPIRE.
pub fn hpexpire(call: &mut Call<'_>) -> Outcome {
    set_deadlines(call, TimeForm::Milliseconds)
}

/// HEXPIREAT.
pub fn hexpireat(call: &mut Call<'_>) -> Outcome {
    set_deadlines(call, TimeForm::UnixSeconds)
}

/// HPEXPIREAT.
pub fn hpexpireat(call: &mut Call<'_>) -> Outcome {
    set_deadlines(call, TimeForm::UnixMilliseconds)
}

/// Which fields a deadline is given to, by the one they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// All.
    Always,
    /// `NX`: those that have none.
    None,
    /// `XX`: those that have one.
    Some,
    /// `GT`: those that would live longer.
    Later,
    /// `LT`: those that would live shorter.
    Earlier,
}

impl Condition {
    fn at(arguments: Arguments<'_>, index: usize) -> Self {
        match () {
            () if arguments.is(index, "nx") => Self::None,
            () if arguments.is(index, "xx") => Self::Some,
            () if arguments.is(index, "gt") => Self::Later,
            () if arguments.is(index, "lt") => Self::Earlier,
            () => Self::Always,
        }
    }

    /// Whether a field with the deadline `present_ms` may get `wanted_ms`. No deadline counts as
    /// the latest of all.
    fn allows(self, present_ms: Option<i64>, wanted_ms: i64) -> bool {
        match self {
            Self::Always => true,
            Self::None => present_ms.is_none(),
            Self::Some => present_ms.is_some(),
            Self::Later => present_ms.is_some_and(|present_ms| wanted_ms > present_ms),
            Self::Earlier => present_ms.is_none_or(|present_ms| wanted_ms < present_ms),
        }
    }
}

/// What became of one field; the numbers are the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
enum Effect {
    Missing = NO_FIELD,
    Refused = 0,
    Set = 1,
    Removed = 2,
}

fn set_deadline(
    hash: &mut Hash,
    name: &[u8],
    condition: Condition,
    wanted_ms: i64,
    now_ms: i64,
) -> Effect {
    match hash.deadline_ms(name, now_ms) {
        None => Effect::Missing,
        Some(present_ms) if !condition.allows(present_ms, wanted_ms) => Effect::Refused,
        Some(_) if wanted_ms <= now_ms => {
            hash.remove(name, now_ms);
            Effect::Removed
        }
        Some(_) => {
            hash.set_deadline(name, Some(wanted_ms));
            Effect::Set
        }
    }
}

fn set_deadlines(call: &mut Call<'_>, form: TimeForm) -> Outcome {
    const BAD_COUNT: CommandError =
        CommandError::Fixed("ERR Parameter `numFields` should be greater than 0");
    check_type(call)?;
    let arguments = call.arguments;
    let wanted_ms = read_deadline(form, arguments.at(2), call)?;
    let condition = Condition::at(arguments, 3);
    let fields_at = if condition == Condition::Always { 3 } else { 4 };
    let first = read_fields(arguments, fields_at, BAD_COUNT)?;
    let (key, now_ms) = (call.key(1), call.store.now_ms());
    let effects = call.store.change_hash(key, Missing::Skip, |hash| {
        let names = arguments.from(first);
        let set = names.map(|name| set_deadline(hash, name, condition, wanted_ms, now_ms));
        set.collect::<Vec<Effect>>()
    })?;
    let effects = effects.unwrap_or_else(|| vec![Effect::Missing; arguments.len() - first]);
    let with = |effect| {
        let all = arguments.from(first).zip(&effects);
        all.filter(move |(_, own)| **own == effect).map(|(name, _)| name)
    };
    if effects.contains(&Effect::Removed) {
        report_removal(call.store, key, Event::HDel, with(Effect::Removed));
    } else if effects.contains(&Effect::Set) {
        call.store.changed_fields(key, Event::HExpire, with(Effect::Set));
    }
    if call.store.journal.is_on() {
        journal_removed(call, key, with(Effect::Removed).collect());
        journal_deadline(call, key, with(Effect::Set).collect(), wanted_ms);
    }
    call.reply.array_len(effects.len());
    effects.iter().for_each(|effect| call.reply.integer(*effect as i64));
    Ok(())
}

/// Tells the journal which fields were removed.
pub(super) fn journal_removed(call: &mut Call<'_>, key: Key<'_>, names: Vec<&[u8]>) {
    if !names.is_empty() {
        call.did(key, &[&[b"HDEL", key.name], names.as_slice()].concat());
    }
}

/// Tells the journal which fields got a deadline.
pub(super) fn journal_deadline(
    call: &mut Call<'_>,
    key: Key<'_>,
    names: Vec<&[u8]>,
    deadline_ms: i64,
) {
    if !names.is_empty() {
        let (at_ms, count) = (deadline_ms.to_string(), names.len().to_string());
        let head: [&[u8]; 5] =
            [b"HPEXPIREAT", key.name, at_ms.as_bytes(), b"FIELDS", count.as_bytes()];
        call.did(key, &[head.as_slice(), names.as_slice()].concat());
    }
}

/// HPERSIST.
pub fn hpersist(call: &mut Call<'_>) -> Outcome {
    check_type(call)?;
    let arguments = call.arguments;
    let first = read_fields(arguments, 2, BAD_COUNT)?;
    let (key, now_ms) = (call.key(1), call.store.now_ms());
    let persist = |hash: &mut Hash, name: &[u8]| match hash.deadline_ms(name, now_ms) {
        None => NO_FIELD,
        Some(None) => NO_DEADLINE,
        Some(Some(_)) => {
            hash.set_deadline(name, None);
            1
        }
    };
    let answers = call.store.change_hash(key, Missing::Skip, |hash| {
        arguments.from(first).map(|name| persist(hash, name)).collect::<Vec<i64>>()
    })?;
    let answers = answers.unwrap_or_else(|| vec![NO_FIELD; arguments.len() - first]);
    if answers.contains(&1) {
        let all = arguments.from(first).zip(&answers);
        let persisted = all.filter(|(_, answer)| **answer == 1).map(|(name, _)| name);
        call.store.changed_fields(key, Event::HPersist, persisted);
    }
    call.reply.array_len(answers.len());
    answers.iter().for_each(|answer| call.reply.integer(*answer));
    Ok(())
}

/// HTTL.
pub fn httl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now().unix_ms();
    reply_times(call, |at_ms| in_seconds(at_ms - now_ms))
}

/// HPTTL.
pub fn hpttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now().unix_ms();
    reply_times(call, |at_ms| at_ms - now_ms)
}

/// HEXPIRETIME.
pub fn hexpiretime(call: &mut Call<'_>) -> Outcome {
    reply_times(call, in_seconds)
}

/// HPEXPIRETIME.
pub fn hpexpiretime(call: &mut Call<'_>) -> Outcome {
    reply_times(call, |at_ms| at_ms)
}

/// To the next second: unlike keys, fields never seem to have no time left.
fn in_seconds(ms: i64) -> i64 {
    (ms + 999) / 1000
}

fn reply_times(call: &mut Call<'_>, of_deadline: impl Fn(i64) -> i64) -> Outcome {
    check_type(call)?;
    let arguments = call.arguments;
    let first = read_fields(arguments, 2, BAD_COUNT)?;
    let (key, access, now_ms) = (call.key(1), call.read_access(), call.store.now_ms());
    let hash = call.store.collection::<Hash>(key, access)?;
    call.reply.array_len(arguments.len() - first);
    for name in arguments.from(first) {
        let deadline_ms = hash.and_then(|hash| hash.deadline_ms(name, now_ms));
        call.reply.integer(match deadline_ms {
            None => NO_FIELD,
            Some(None) => NO_DEADLINE,
            Some(Some(at_ms)) => of_deadline(at_ms),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deadline_counts_as_the_latest() {
        assert!(!Condition::Later.allows(None, i64::MAX));
        assert!(Condition::Earlier.allows(None, i64::MAX));
        assert!(Condition::Later.allows(Some(5), 6) && !Condition::Later.allows(Some(5), 5));
        assert!(Condition::Earlier.allows(Some(5), 4) && !Condition::Earlier.allows(Some(5), 5));
    }

    #[test]
    fn a_started_second_counts() {
        assert_eq!(
            [in_seconds(0), in_seconds(1), in_seconds(1000), in_seconds(1001)],
            [0, 1, 1, 2]
        );
    }
}
