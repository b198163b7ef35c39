//! The options that say how long a value lives: `EX PX EXAT PXAT KEEPTTL PERSIST`.
//!
//! A time is read in two steps, as Redis does: the words of a command line are checked first and
//! the number only when they all fit together, so `SET k v EX x y` is a syntax error.

use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError};
use crate::number::parse_integer;

/// How a time of expiry is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMilliseconds,
}

impl TimeForm {
    /// Turns an amount in this form into milliseconds since 1970; `None` when that overflows.
    pub(super) fn to_unix_ms(self, amount: i64, now_ms: i64) -> Option<i64> {
        match self {
            Self::Seconds => amount.checked_mul(1000)?.checked_add(now_ms),
            Self::Milliseconds => amount.checked_add(now_ms),
            Self::UnixSeconds => amount.checked_mul(1000),
            Self::UnixMilliseconds => Some(amount),
        }
    }

    /// Reads the time that a command which sets a value is given. It must lie after 1970.
    pub(super) fn read_deadline(self, text: &[u8], call: &Call<'_>) -> Result<i64, CommandError> {
        let amount = parse_integer(text).ok_or(error::NOT_AN_INTEGER)?;
        let deadline_ms = match amount {
            1.. => self.to_unix_ms(amount, call.store.now().unix_ms()),
            _ => None,
        };
        deadline_ms.ok_or_else(|| error::invalid_expire_time(call.row.name))
    }
}

/// What a command line says about the lifetime of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lifetime<'a> {
    /// Nothing.
    #[default]
    Unsaid,
    /// `KEEPTTL`
    Keep,
    /// `PERSIST`
    Persist,
    /// `EX`, `PX`, `EXAT` or `PXAT`, and the time as the client wrote it.
    Until(TimeForm, &'a [u8]),
}

impl<'a> Lifetime<'a> {
    /// Reads the option at `index`, if it is one of these. Returns how many arguments it takes: 0
    /// when it is another option, lacks its time, or goes against what was said before. The same
    /// word may come twice; the last one counts.
    pub(super) fn read_option(&mut self, arguments: Arguments<'a>, index: usize) -> usize {
        let Some(said) = Self::at(arguments, index) else { return 0 };
        let fits = match (*self, said) {
            (Self::Unsaid, _) => true,
            (Self::Until(before, _), Self::Until(now, _)) => before == now,
            (before, now) => before == now,
        };
        if !fits {
            return 0;
        }
        *self = said;
        if matches!(said, Self::Until(..)) { 2 } else { 1 }
    }

    fn at(arguments: Arguments<'a>, index: usize) -> Option<Self> {
        let form = match () {
            () if arguments.is(index, "ex") => TimeForm::Seconds,
            () if arguments.is(index, "px") => TimeForm::Milliseconds,
            () if arguments.is(index, "exat") => TimeForm::UnixSeconds,
            () if arguments.is(index, "pxat") => TimeForm::UnixMilliseconds,
            () if arguments.is(index, "keepttl") => return Some(Self::Keep),
            () if arguments.is(index, "persist") => return Some(Self::Persist),
            () => return None,
        };
        Some(Self::Until(form, arguments.get(index + 1)?))
    }

    /// The time of expiry that was given, in milliseconds since 1970.
    pub(super) fn deadline_ms(self, call: &Call<'_>) -> Result<Option<i64>, CommandError> {
        match self {
            Self::Until(form, text) => form.read_deadline(text, call).map(Some),
            Self::Unsaid | Self::Keep | Self::Persist => Ok(None),
        }
    }
}
