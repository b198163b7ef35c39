//! Where a value ends, without reading it: how a file is divided among those who read its values.
//!
//! Looks at lengths alone, so it costs little more than finding them; what the bytes between them
//! say is checked by whoever reads the value. What is looked at may be the front of something
//! longer: then the answer is how much is needed at least, which may be more than there ever will
//! be, and the caller decides before it waits for it.

use super::error::FormatError;
use super::reader::{
    LENGTH_6, LENGTH_14, LENGTH_32, LENGTH_64, STRING_INT_8, STRING_INT_16, STRING_INT_32,
    STRING_LZF,
};
use super::value_type::ValueType;

/// Why there is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unended {
    /// It lies behind the bytes at hand; at least so many are needed, counted from their start.
    Needs(u64),
    /// There is none: the bytes are no value.
    Refused(FormatError),
}

/// Finds ends in the front of something.
#[derive(Clone, Copy, Debug)]
pub struct Skimmer<'a> {
    bytes: &'a [u8],
    at: u64,
}

type Step = Result<(), Unended>;

impl<'a> Skimmer<'a> {
    /// At the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How far it is; within the bytes at hand, unless the last step failed.
    pub fn position(&self) -> usize {
        usize::try_from(self.at).expect("it has stepped over bytes in memory")
    }

    /// Steps over `count` bytes.
    ///
    /// # Errors
    /// [`Unended::Needs`] if there are fewer.
    pub fn skip(&mut self, count: u64) -> Step {
        let end = self.at.saturating_add(count);
        if end > self.bytes.len() as u64 {
            return Err(Unended::Needs(end));
        }
        self.at = end;
        Ok(())
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`Unended::Needs`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Unended> {
        let start = self.position();
        self.skip(N as u64)?;
        Ok(*self.bytes[start..].first_chunk().expect("as many bytes were stepped over"))
    }

    /// A length, which may stand for any whole number.
    ///
    /// # Errors
    /// When the bytes end, or are no length.
    pub fn length(&mut self) -> Result<u64, Unended> {
        let first = self.array::<1>()?[0];
        Ok(match first {
            LENGTH_6..LENGTH_14 => u64::from(first),
            LENGTH_14..LENGTH_32 => u64::from(first & 0x3f) << 8 | u64::from(self.array::<1>()?[0]),
            LENGTH_32 => u64::from(u32::from_be_bytes(self.array()?)),
            LENGTH_64 => u64::from_be_bytes(self.array()?),
            _ => return Err(Unended::Refused(FormatError::Form(first))),
        })
    }

    /// Steps over a string.
    ///
    /// # Errors
    /// When the bytes end, or are no string.
    pub fn string(&mut self) -> Step {
        let mut ahead = *self;
        match ahead.array::<1>()?[0] {
            STRING_INT_8 => self.skip(2),
            STRING_INT_16 => self.skip(3),
            STRING_INT_32 => self.skip(5),
            STRING_LZF => {
                let compressed = ahead.length()?;
                ahead.length()?;
                ahead.skip(compressed)?;
                *self = ahead;
                Ok(())
            }
            _ => {
                let length = self.length()?;
                self.skip(length)
            }
        }
    }

    fn repeat(&mut self, mut step: impl FnMut(&mut Self) -> Step) -> Step {
        let count = self.length()?;
        // Whatever is counted takes a byte at least.
        let least = self.at.saturating_add(count);
        for _ in 0..count {
            match step(self) {
                Err(Unended::Needs(end)) => return Err(Unended::Needs(end.max(least))),
                result => result?,
            }
        }
        Ok(())
    }

    fn lengths(&mut self, count: usize) -> Step {
        (0..count).try_for_each(|_| self.length().map(drop))
    }

    fn text_double(&mut self) -> Step {
        match self.array::<1>()?[0] {
            253..=255 => Ok(()),
            length => self.skip(u64::from(length)),
        }
    }

    /// Steps over a value of a type. O(strings in it).
    ///
    /// # Errors
    /// When the bytes end, or are no such value.
    pub fn value(&mut self, value_type: ValueType) -> Step {
        use ValueType as T;
        match value_type {
            T::String
            | T::HashZipmap
            | T::ListZiplist
            | T::SetIntset
            | T::SortedSetZiplist
            | T::HashZiplist
            | T::HashListpack
            | T::SortedSetListpack
            | T::SetListpack => self.string(),
            T::List | T::Set | T::ListQuicklist => self.repeat(Self::string),
            T::SortedSetText => self.repeat(|it| it.string().and_then(|()| it.text_double())),
            T::SortedSet => self.repeat(|it| it.string().and_then(|()| it.skip(8))),
            T::Hash => self.repeat(|it| it.string().and_then(|()| it.string())),
            T::ListQuicklist2 => self.repeat(|it| it.lengths(1).and_then(|()| it.string())),
            T::HashWithExpiry => self.repeat(|it| {
                it.string()?;
                it.string()?;
                it.skip(8)
            }),
            T::HashMetadata => {
                self.skip(8)?;
                self.repeat(|it| {
                    it.lengths(1)?;
                    it.string()?;
                    it.string()
                })
            }
            T::HashListpackEx => self.skip(8).and_then(|()| self.string()),
            T::Stream | T::Stream2 | T::Stream3 | T::Stream4 | T::Stream5 => {
                self.stream(value_type)
            }
        }
    }

    fn stream(&mut self, value_type: ValueType) -> Step {
        let has_counts = value_type != ValueType::Stream;
        let has_activity = value_type.code() >= ValueType::Stream3.code();
        self.repeat(|it| it.string().and_then(|()| it.string()))?;
        // Length and last id; then the first id, the last that was deleted, and how many there
        // were.
        self.lengths(if has_counts { 8 } else { 3 })?;
        self.repeat(|it| {
            it.string()?;
            it.lengths(if has_counts { 3 } else { 2 })?;
            it.repeat(|pending| pending.skip(16 + 8).and_then(|()| pending.lengths(1)))?;
            it.repeat(|consumer| {
                consumer.string()?;
                consumer.skip(if has_activity { 16 } else { 8 })?;
                consumer.repeat(|pending| pending.skip(16))
            })?;
            match value_type {
                ValueType::Stream5 => it.repeat(|given_back| given_back.skip(16)),
                _ => Ok(()),
            }
        })?;
        if value_type.code() < ValueType::Stream4.code() {
            return Ok(());
        }
        // How long and how many ids are remembered; then those of each producer.
        self.lengths(2)?;
        self.repeat(|producer| {
            producer.string()?;
            producer.repeat(|id| id.string().and_then(|()| id.lengths(2)))
        })?;
        // How many ids there were, and how many came twice.
        self.lengths(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_before_it_is_waited_for() {
        let huge = [LENGTH_64, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3];
        let mut skimmer = Skimmer::new(&huge);
        assert_eq!(skimmer.string(), Err(Unended::Needs(9 + 0x7f00_0000_0000_0000)));
        let mut skimmer = Skimmer::new(&huge);
        let needs = Err(Unended::Needs(9 + 0x7f00_0000_0000_0000));
        assert_eq!(skimmer.value(ValueType::Set), needs);
        let mut skimmer = Skimmer::new(&[3, b'a']);
        assert_eq!(skimmer.string(), Err(Unended::Needs(4)));
        assert_eq!(Skimmer::new(&[]).string(), Err(Unended::Needs(1)));
    }

    #[test]
    fn forms_that_do_not_exist_are_refused() {
        let form = Err(Unended::Refused(FormatError::Form(0xc7)));
        assert_eq!(Skimmer::new(&[0xc7]).string(), form);
        assert_eq!(Skimmer::new(&[STRING_INT_8, 1, 9]).string(), Ok(()));
    }
}
