//! MSET, MSETNX and MSETEX: several strings in one atomic step.

use super::comparison::Condition;
use super::lifetime::Lifetime;
use super::string_set::{Expiry, journal_set, store_string};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::number::parse_integer;

/// MSET.
pub fn mset(call: &mut Call<'_>) -> Outcome {
    let count = pair_count(call)?;
    store_pairs(call, 1, count, Expiry::Never);
    call.reply.ok();
    Ok(())
}

/// MSETNX.
pub fn msetnx(call: &mut Call<'_>) -> Outcome {
    let count = pair_count(call)?;
    let all_absent = is_met_by_all(call, 1, count, Condition::Absent);
    if all_absent {
        store_pairs(call, 1, count, Expiry::Never);
    }
    call.reply.integer(i64::from(all_absent));
    Ok(())
}

/// Pairs of a command line that has nothing but pairs.
fn pair_count(call: &Call<'_>) -> Result<usize, CommandError> {
    match call.arguments.len() {
        length if length % 2 == 1 => Ok(length / 2),
        _ => Err(error::wrong_arity(call.row.name)),
    }
}

/// MSETEX.
pub fn msetex(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    let count = parse_integer(arguments.at(1))
        .filter(|count| (1..=i64::from(i32::MAX)).contains(count))
        .ok_or(CommandError::Fixed("ERR invalid numkeys value"))? as usize;
    let options_at = 2 + 2 * count;
    if options_at > arguments.len() {
        return Err(CommandError::Fixed("ERR wrong number of key-value pairs"));
    }
    let (condition, lifetime) = parse_options(arguments, options_at)?;
    let expiry = Expiry::of(lifetime, call)?;
    let goes_ahead = is_met_by_all(call, 2, count, condition);
    if goes_ahead {
        store_pairs(call, 2, count, expiry);
        for index in (2..2 + 2 * count).step_by(2).filter(|_| expiry == Expiry::Never) {
            let (key, text) = (call.key(index), call.arguments.at(index + 1));
            journal_set(call.store, key, text, None);
        }
    }
    call.reply.integer(i64::from(goes_ahead));
    Ok(())
}

fn parse_options(
    arguments: Arguments<'_>,
    first: usize,
) -> Result<(Condition<'_>, Lifetime<'_>), CommandError> {
    let mut condition = Condition::Always;
    let mut lifetime = Lifetime::Unsaid;
    let mut index = first;
    while index < arguments.len() {
        let taken = match condition.read_option(arguments, index) {
            0 => lifetime.read_option(arguments, index),
            taken => taken,
        };
        if taken == 0 {
            return Err(error::SYNTAX);
        }
        index += taken;
    }
    let knows_condition =
        matches!(condition, Condition::Always | Condition::Absent | Condition::Present);
    if !knows_condition || lifetime == Lifetime::Persist {
        return Err(error::SYNTAX);
    }
    Ok((condition, lifetime))
}

/// Whether the keys of `count` pairs from argument `first` on all meet a condition on presence.
fn is_met_by_all(
    call: &mut Call<'_>,
    first: usize,
    count: usize,
    condition: Condition<'_>,
) -> bool {
    let wanted = match condition {
        Condition::Absent => false,
        Condition::Present => true,
        _ => return true,
    };
    (0..count).all(|pair| call.store.exists(call.key(first + 2 * pair)) == wanted)
}

fn store_pairs(call: &mut Call<'_>, first: usize, count: usize, expiry: Expiry) {
    for index in (first..first + 2 * count).step_by(2) {
        let key = call.key(index);
        store_string(call.store, key, call.arguments.at(index + 1), expiry);
    }
}
