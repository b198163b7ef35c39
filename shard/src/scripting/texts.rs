//! Libraries of functions as mere text: what a file tells of them, before any core runs their code.
//!
//! What a journal tells has succeeded before, so nothing has to be run to know what follows: each
//! command adds texts or takes some away, and what is left in the end is what all cores load.

use std::collections::BTreeMap;

use super::functions::{folded, read_first_line};
use crate::arguments::Arguments;
use crate::error::CommandError;
use crate::rdb::payload;

const BAD_FOOTER: CommandError =
    CommandError::Fixed("ERR DUMP payload version or checksum are wrong");
const NO_TYPE: CommandError = CommandError::Fixed("ERR can not read data type");
const OLD_FORMAT: CommandError = CommandError::Fixed("ERR Pre-GA function format not supported");
const NO_FUNCTION: CommandError = CommandError::Fixed("ERR given type is not a function");
const BROKEN: CommandError = CommandError::Fixed("ERR failed loading the given functions payload");
const NO_CHANGE: CommandError = CommandError::Fixed("ERR that changes no library");

/// Opcode of a library in files and payloads: its text follows.
pub(crate) const OPCODE: u8 = 245;
/// The same before Redis 7.0 was released.
const OPCODE_BEFORE: u8 = 246;

/// The texts of all libraries, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibraryTexts(BTreeMap<String, Vec<u8>>);

impl LibraryTexts {
    /// Adds a text, in place of one of the same name.
    ///
    /// # Errors
    /// When its first line is not that of a library.
    pub fn load(&mut self, text: &[u8]) -> Result<(), CommandError> {
        let (name, _) = read_first_line(text)?;
        self.0.insert(folded(name.as_bytes()), text.to_vec());
        Ok(())
    }

    /// Does what a subcommand of FUNCTION did.
    ///
    /// # Errors
    /// When it cannot have done anything.
    pub fn apply(
        &mut self,
        subcommand: &str,
        arguments: Arguments<'_>,
    ) -> Result<(), CommandError> {
        let text = arguments.at(arguments.len() - 1);
        match subcommand {
            "load" => self.load(text),
            "delete" => self.0.remove(&folded(text)).map(drop).ok_or(NO_CHANGE),
            "flush" => {
                self.0.clear();
                Ok(())
            }
            "restore" => {
                if arguments.len() > 3 && arguments.is(3, "flush") {
                    self.0.clear();
                }
                let texts = texts_of_payload(arguments.get(2).ok_or(NO_CHANGE)?)?;
                texts.iter().try_for_each(|text| self.load(text))
            }
            _ => Err(NO_CHANGE),
        }
    }

    /// The texts, by name.
    pub fn into_texts(self) -> Vec<Vec<u8>> {
        self.0.into_values().collect()
    }
}

/// The texts in what FUNCTION DUMP has answered.
///
/// # Errors
/// In the words of FUNCTION RESTORE.
pub(crate) fn texts_of_payload(payload: &[u8]) -> Result<Vec<Vec<u8>>, CommandError> {
    let mut reader = payload::open(payload).map_err(|_| BAD_FOOTER)?;
    let mut texts = Vec::new();
    while !reader.rest().is_empty() {
        match reader.byte().map_err(|_| NO_TYPE)? {
            OPCODE => {}
            OPCODE_BEFORE => return Err(OLD_FORMAT),
            _ => return Err(NO_FUNCTION),
        }
        texts.push(reader.string().map_err(|_| BROKEN)?.into_bytes().into_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::ArgRange;

    fn apply(texts: &mut LibraryTexts, words: &[&str]) -> Result<(), CommandError> {
        let (mut bytes, mut ranges) = (Vec::new(), Vec::new());
        for word in words {
            ranges.push(ArgRange { start: bytes.len() as u32, len: word.len() as u32 });
            bytes.extend_from_slice(word.as_bytes());
        }
        texts.apply(words[1], Arguments::new(&bytes, &ranges))
    }

    #[test]
    fn names_are_compared_without_regard_to_case() {
        let mut texts = LibraryTexts::default();
        let (one, other) = ("#!lua name=One\nfirst", "#!lua name=ONE\nsecond");
        assert_eq!(apply(&mut texts, &["FUNCTION", "load", one]), Ok(()));
        assert_eq!(apply(&mut texts, &["FUNCTION", "load", "REPLACE", other]), Ok(()));
        assert_eq!(texts.clone().into_texts(), [other.as_bytes()]);
        assert_eq!(apply(&mut texts, &["FUNCTION", "delete", "oNe"]), Ok(()));
        assert!(apply(&mut texts, &["FUNCTION", "delete", "oNe"]).is_err());
        assert_eq!(texts, LibraryTexts::default());
    }
}
