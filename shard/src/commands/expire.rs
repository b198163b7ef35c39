//! When keys go away: the EXPIRE family, and the questions about it.
//!
//! A key has at most one time of expiry, absolute, in milliseconds since 1970. A time that is past
//! already removes the key at once.

use super::lifetime::TimeForm;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::number::parse_integer;
use crate::store::Access;

/// EXPIRE.
pub fn expire(call: &mut Call<'_>) -> Outcome {
    set_deadline(call, TimeForm::Seconds)
}

/// PEXPIRE.
pub fn pexpire(call: &mut Call<'_>) -> Outcome {
    set_deadline(call, TimeForm::Milliseconds)
}

/// EXPIREAT.
pub fn expireat(call: &mut Call<'_>) -> Outcome {
    set_deadline(call, TimeForm::UnixSeconds)
}

/// PEXPIREAT.
pub fn pexpireat(call: &mut Call<'_>) -> Outcome {
    set_deadline(call, TimeForm::UnixMilliseconds)
}

/// Which keys an EXPIRE applies to, by the expiry they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Restrictions {
    /// `NX`: those that have none.
    none: bool,
    /// `XX`: those that have one.
    some: bool,
    /// `GT`: those that would live longer.
    later: bool,
    /// `LT`: those that would live shorter.
    earlier: bool,
}

impl Restrictions {
    fn parse(arguments: Arguments<'_>) -> Result<Self, CommandError> {
        let mut wanted = Self::default();
        for index in 3..arguments.len() {
            let flag = match () {
                () if arguments.is(index, "nx") => &mut wanted.none,
                () if arguments.is(index, "xx") => &mut wanted.some,
                () if arguments.is(index, "gt") => &mut wanted.later,
                () if arguments.is(index, "lt") => &mut wanted.earlier,
                () => {
                    let option = error::printable(arguments.at(index), 1024);
                    return Err(CommandError::worded(format!("ERR Unsupported option {option}")));
                }
            };
            *flag = true;
        }
        if wanted.none && (wanted.some || wanted.later || wanted.earlier) {
            return Err(CommandError::Fixed(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if wanted.later && wanted.earlier {
            return Err(CommandError::Fixed(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(wanted)
    }

    /// Whether a key that expires at `present_ms` may get `wanted_ms`. No expiry counts as the
    /// latest of all.
    fn allow(self, present_ms: Option<i64>, wanted_ms: i64) -> bool {
        let is_later = present_ms.is_some_and(|present_ms| wanted_ms > present_ms);
        let is_earlier = present_ms.is_none_or(|present_ms| wanted_ms < present_ms);
        !(self.none && present_ms.is_some()
            || self.some && present_ms.is_none()
            || self.later && !is_later
            || self.earlier && !is_earlier)
    }
}

fn set_deadline(call: &mut Call<'_>, form: TimeForm) -> Outcome {
    let restrictions = Restrictions::parse(call.arguments)?;
    let amount = parse_integer(call.arguments.at(2)).ok_or(error::NOT_AN_INTEGER)?;
    let wanted_ms = form
        .to_unix_ms(amount, call.store.now().unix_ms())
        .ok_or_else(|| error::invalid_expire_time(call.row.name))?;
    let key = call.key(1);
    let present_ms = call.store.find_mut(key).map(|entry| entry.as_entry().expiry_ms());
    let applies = present_ms.is_some_and(|present_ms| restrictions.allow(present_ms, wanted_ms));
    if applies && wanted_ms <= call.store.now_ms() {
        let lazily = call.store.settings().lazyfree_lazy_expire;
        call.store.remove(key, lazily);
        call.store.changed(key, Event::Del);
        call.did(key, &[b"DEL", key.name]);
    } else if applies {
        call.store.set_expiry(key, Some(wanted_ms));
        call.store.changed(key, Event::Expire);
        call.did(key, &[b"PEXPIREAT", key.name, wanted_ms.to_string().as_bytes()]);
    }
    call.reply.integer(i64::from(applies));
    Ok(())
}

/// PERSIST.
pub fn persist(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let expires =
        call.store.find_mut(key).is_some_and(|entry| entry.as_entry().expiry_ms().is_some());
    if expires {
        call.store.set_expiry(key, None);
        call.store.changed(key, Event::Persist);
    }
    call.reply.integer(i64::from(expires));
    Ok(())
}

/// TTL.
pub fn ttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now().unix_ms();
    reply_time(call, |at_ms| in_seconds((at_ms - now_ms).max(0)))
}

/// PTTL.
pub fn pttl(call: &mut Call<'_>) -> Outcome {
    let now_ms = call.store.now().unix_ms();
    reply_time(call, |at_ms| (at_ms - now_ms).max(0))
}

/// EXPIRETIME.
pub fn expiretime(call: &mut Call<'_>) -> Outcome {
    reply_time(call, in_seconds)
}

/// PEXPIRETIME.
pub fn pexpiretime(call: &mut Call<'_>) -> Outcome {
    reply_time(call, |at_ms| at_ms)
}

/// To the nearest second, as Redis tells times.
fn in_seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

/// Answers what `of_deadline` makes of the key's expiry, -1 without one, -2 without the key.
fn reply_time(call: &mut Call<'_>, of_deadline: impl FnOnce(i64) -> i64) -> Outcome {
    let answer = match call.store.find(call.key(1), Access::ReadQuietly) {
        Some(entry) => entry.expiry_ms().map_or(-1, of_deadline),
        None => -2,
    };
    call.reply.integer(answer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_expiry_counts_as_the_latest() {
        let later = Restrictions { later: true, ..Restrictions::default() };
        let earlier = Restrictions { earlier: true, ..Restrictions::default() };
        assert!(!later.allow(None, i64::MAX));
        assert!(earlier.allow(None, i64::MAX));
        assert!(later.allow(Some(5), 6) && !later.allow(Some(5), 5));
        assert!(earlier.allow(Some(5), 4) && !earlier.allow(Some(5), 5));
    }

    #[test]
    fn seconds_are_rounded_to_the_nearest() {
        assert_eq!([in_seconds(499), in_seconds(500), in_seconds(1499)], [0, 1, 1]);
        assert_eq!(in_seconds(i64::MAX), i64::MAX / 1000);
    }
}
