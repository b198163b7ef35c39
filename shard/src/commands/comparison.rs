//! Conditions on the present value of a key, and the commands that are about nothing else.
//!
//! A digest stands for a value that would be long to send: XXH3 with 64 bits, as 16 hexadecimal
//! digits. A digest in a request is looked at only once there is a string to compare it with, as
//! Redis does: without one the outcome does not depend on it.

use xxhash_rust::xxh3::xxh3_64;

use super::string::text_of;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::Object;
use crate::table::ValueRef;

const BAD_DIGEST: CommandError =
    CommandError::Fixed("ERR must be exactly 16 hexadecimal characters");
const NOT_A_STRING: CommandError =
    CommandError::Fixed("ERR Key should be of string type if conditions are specified");
const BAD_CONDITION: CommandError =
    CommandError::Fixed("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");

/// What has to hold of a key for a command to change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// Nothing.
    #[default]
    Always,
    /// `NX`: it is missing.
    Absent,
    /// `XX`: it is there.
    Present,
    /// `IFEQ`: it is there and holds this.
    Equal(&'a [u8]),
    /// `IFNE`: it is missing or holds something else.
    NotEqual(&'a [u8]),
    /// `IFDEQ`: it is there and its value has this digest.
    DigestEqual(&'a [u8]),
    /// `IFDNE`: it is missing or its value has another digest.
    DigestNotEqual(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// Reads the option at `index`, if it is one of these. Returns how many arguments it takes: 0
    /// when it is another option, lacks its value, or goes against a condition given before.
    pub(super) fn read_option(&mut self, arguments: Arguments<'a>, index: usize) -> usize {
        let (said, taken) = match () {
            () if arguments.is(index, "nx") => (Self::Absent, 1),
            () if arguments.is(index, "xx") => (Self::Present, 1),
            () => match Self::on_value(arguments, index) {
                Some(condition) => (condition, 2),
                None => return 0,
            },
        };
        let is_same_kind = std::mem::discriminant(self) == std::mem::discriminant(&said);
        if *self != Self::Always && !is_same_kind {
            return 0;
        }
        *self = said;
        taken
    }

    fn on_value(arguments: Arguments<'a>, index: usize) -> Option<Self> {
        let operand = arguments.get(index + 1)?;
        Some(match () {
            () if arguments.is(index, "ifeq") => Self::Equal(operand),
            () if arguments.is(index, "ifne") => Self::NotEqual(operand),
            () if arguments.is(index, "ifdeq") => Self::DigestEqual(operand),
            () if arguments.is(index, "ifdne") => Self::DigestNotEqual(operand),
            () => return None,
        })
    }

    /// Whether it holds, `value` being what the key has.
    pub(super) fn is_met(self, value: Option<ValueRef<'_, Object>>) -> Result<bool, CommandError> {
        let mut digits = itoa::Buffer::new();
        let Some(value) = value else {
            return Ok(match self {
                Self::Always | Self::Absent | Self::NotEqual(_) | Self::DigestNotEqual(_) => true,
                Self::Present | Self::Equal(_) | Self::DigestEqual(_) => false,
            });
        };
        Ok(match self {
            Self::Always | Self::Present => true,
            Self::Absent => false,
            Self::Equal(operand) => text_of(value, &mut digits)? == operand,
            Self::NotEqual(operand) => text_of(value, &mut digits)? != operand,
            Self::DigestEqual(operand) => has_digest(text_of(value, &mut digits)?, operand)?,
            Self::DigestNotEqual(operand) => !has_digest(text_of(value, &mut digits)?, operand)?,
        })
    }
}

/// The digest of a value, in lower case.
fn digest_of(text: &[u8]) -> [u8; 16] {
    let hash = xxh3_64(text);
    std::array::from_fn(|place| {
        let nibble = (hash >> (60 - 4 * place)) & 0xf;
        b"0123456789abcdef"[nibble as usize]
    })
}

fn has_digest(text: &[u8], digest: &[u8]) -> Result<bool, CommandError> {
    if digest.len() != 16 || !digest.iter().all(u8::is_ascii_hexdigit) {
        return Err(BAD_DIGEST);
    }
    Ok(digest_of(text).eq_ignore_ascii_case(digest))
}

/// DIGEST.
pub fn digest(call: &mut Call<'_>) -> Outcome {
    let access = call.read_access();
    match call.store.find(call.key(1), access) {
        Some(entry) => {
            let digest = digest_of(text_of(entry.value(), &mut itoa::Buffer::new())?);
            call.reply.bulk(&digest);
        }
        None => call.reply.null(),
    }
    Ok(())
}

/// DELEX.
pub fn delex(call: &mut Call<'_>) -> Outcome {
    let arguments = call.arguments;
    match arguments.len() {
        2 => {
            delete_if(call, Condition::Present)?;
            return Ok(());
        }
        4 => {}
        _ => return Err(error::wrong_arity(call.row.name)),
    }
    let access = call.read_access();
    match call.store.find(call.key(1), access).map(|entry| entry.value()) {
        None => {
            call.reply.integer(0);
            return Ok(());
        }
        Some(ValueRef::Object(_)) => return Err(NOT_A_STRING),
        Some(_) => {}
    }
    let condition = Condition::on_value(arguments, 2).ok_or(BAD_CONDITION)?;
    delete_if(call, condition)
}

/// DELIFEQ.
pub fn delifeq(call: &mut Call<'_>) -> Outcome {
    delete_if(call, Condition::Equal(call.arguments.at(2)))
}

/// Removes the key at argument 1 if it is there and meets the condition; answers 1 or 0.
fn delete_if(call: &mut Call<'_>, condition: Condition<'_>) -> Outcome {
    let key = call.key(1);
    let value = call.store.find(key, crate::store::Access::Peek).map(|entry| entry.value());
    let goes = value.is_some() && condition.is_met(value)?;
    if goes {
        let lazily = call.store.settings().lazyfree_lazy_user_del;
        call.store.remove(key, lazily);
        call.store.changed(key, Event::Del);
        call.did(key, &[b"DEL", key.name]);
    }
    call.reply.integer(i64::from(goes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_keep_their_leading_zeros() {
        let text = b"v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfz\
                     kjytls2kwlj7626sd";
        assert_eq!(&digest_of(text), b"00006c38adf31777");
        assert_eq!(&digest_of(b"hello"), b"9555e8555c62dcfd");
        assert_eq!(&digest_of(b"test"), b"9ec9f7918d7dfc40");
    }

    #[test]
    fn digests_are_compared_in_any_case_and_only_when_well_formed() {
        assert_eq!(has_digest(b"hello", b"9555E8555C62DCFD"), Ok(true));
        assert_eq!(has_digest(b"hello", b"9555e8555c62dcfe"), Ok(false));
        for malformed in ["", "9555e8555c62dcf", "09555e8555c62dcfd", "9555e8555c62dcfg"] {
            assert_eq!(has_digest(b"hello", malformed.as_bytes()), Err(BAD_DIGEST));
        }
    }
}
