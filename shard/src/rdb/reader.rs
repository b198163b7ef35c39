//! Reading the parts values are made of, from bytes nobody vouches for.
//!
//! ```text
//! length   00nnnnnn                      up to 63
//!          01nnnnnn nnnnnnnn             up to 16,383, high bits first
//!          10000000 then 4 bytes         high byte first
//!          10000001 then 8 bytes         high byte first
//! string   length, then the bytes
//!          11000000 then 1 byte          the decimal text of a number, low byte first
//!          11000001 then 2 bytes
//!          11000010 then 4 bytes
//!          11000011 then length, length, bytes     compressed; the second is that of the text
//! ```
//!
//! A reader never reads past its end and never panics. It allocates for compressed strings alone,
//! and no more than the bytes at hand can fill; whoever reads a count of elements uses
//! [`Reader::count`], which refuses counts that the bytes left cannot hold.

use std::borrow::Cow;

use super::error::FormatError;
use super::lzf;
use super::value_type::Project;
use crate::number::parse_double;

/// The two high bits of a length say its form.
pub(super) const LENGTH_6: u8 = 0x00;
pub(super) const LENGTH_14: u8 = 0x40;
pub(super) const LENGTH_32: u8 = 0x80;
pub(super) const LENGTH_64: u8 = 0x81;
pub(super) const STRING_INT_8: u8 = 0xc0;
pub(super) const STRING_INT_16: u8 = 0xc1;
pub(super) const STRING_INT_32: u8 = 0xc2;
pub(super) const STRING_LZF: u8 = 0xc3;

/// A length, or the first byte of a string in another form.
enum Start {
    Length(u64),
    Other(u8),
}

/// A string as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// The decimal text of this number.
    Int(i32),
    /// These bytes.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Text<'a> {
    /// The bytes; those of a number are made in `digits`.
    pub fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Self::Int(number) => digits.format(*number).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The bytes, to keep.
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// A place in bytes that are being read.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    project: Project,
    was_reduced: bool,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`, which `project` has written.
    pub fn new(bytes: &'a [u8], project: Project) -> Self {
        Self { rest: bytes, project, was_reduced: false }
    }

    /// Something was read that nothing here can hold.
    pub(super) fn note_reduced(&mut self) {
        self.was_reduced = true;
    }

    /// Whether something was left out since nothing here can hold it.
    pub fn was_reduced(&self) -> bool {
        self.was_reduced
    }

    /// Whose numbering of types holds.
    pub fn project(&self) -> Project {
        self.project
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes. O(1).
    ///
    /// # Errors
    /// [`FormatError::Truncated`] if there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], FormatError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(FormatError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes. O(1).
    ///
    /// # Errors
    /// [`FormatError::Truncated`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        Ok(*self.take(N)?.first_chunk().expect("as many bytes were taken"))
    }

    /// The next byte. O(1).
    ///
    /// # Errors
    /// [`FormatError::Truncated`] at the end.
    pub fn byte(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    fn start(&mut self) -> Result<Start, FormatError> {
        let first = self.byte()?;
        Ok(Start::Length(match first {
            LENGTH_6..LENGTH_14 => u64::from(first),
            LENGTH_14..LENGTH_32 => u64::from(first & 0x3f) << 8 | u64::from(self.byte()?),
            LENGTH_32 => u64::from(u32::from_be_bytes(self.array()?)),
            LENGTH_64 => u64::from_be_bytes(self.array()?),
            _ => return Ok(Start::Other(first)),
        }))
    }

    /// A length, which may stand for any whole number. O(1).
    ///
    /// # Errors
    /// When the bytes end, or are no length.
    pub fn length(&mut self) -> Result<u64, FormatError> {
        match self.start()? {
            Start::Length(length) => Ok(length),
            Start::Other(byte) => Err(FormatError::Form(byte)),
        }
    }

    /// The number of elements that follow, each of which takes a byte at least. O(1).
    ///
    /// # Errors
    /// As [`Reader::length`], and when there are fewer bytes than that.
    pub fn count(&mut self) -> Result<usize, FormatError> {
        let count = usize::try_from(self.length()?).map_err(|_| FormatError::Truncated)?;
        if count > self.rest.len() { Err(FormatError::Truncated) } else { Ok(count) }
    }

    /// A string. O(length) if it is compressed, else O(1).
    ///
    /// # Errors
    /// When the bytes end, are no string, or do not expand to what they say.
    pub fn string(&mut self) -> Result<Text<'a>, FormatError> {
        let number = match self.start()? {
            Start::Length(length) => {
                let length = usize::try_from(length).map_err(|_| FormatError::Truncated)?;
                return Ok(Text::Bytes(Cow::Borrowed(self.take(length)?)));
            }
            Start::Other(STRING_LZF) => return self.compressed().map(Text::Bytes),
            Start::Other(STRING_INT_8) => i32::from(i8::from_le_bytes(self.array()?)),
            Start::Other(STRING_INT_16) => i32::from(i16::from_le_bytes(self.array()?)),
            Start::Other(STRING_INT_32) => i32::from_le_bytes(self.array()?),
            Start::Other(byte) => return Err(FormatError::Form(byte)),
        };
        Ok(Text::Int(number))
    }

    fn compressed(&mut self) -> Result<Cow<'a, [u8]>, FormatError> {
        let compressed_length = self.count()?;
        let length = usize::try_from(self.length()?).map_err(|_| FormatError::Truncated)?;
        let compressed = self.take(compressed_length)?;
        let text = lzf::decompress(compressed, length);
        text.map(Cow::Owned).ok_or(FormatError::Corrupt("compressed string"))
    }

    /// A string that holds a compact encoding. O(length) if it is compressed, else O(1).
    ///
    /// # Errors
    /// As [`Reader::string`].
    pub fn blob(&mut self) -> Result<Cow<'a, [u8]>, FormatError> {
        self.string().map(Text::into_bytes)
    }

    /// A time or another number of eight bytes, low byte first. O(1).
    ///
    /// # Errors
    /// [`FormatError::Truncated`] at the end.
    pub fn int_64(&mut self) -> Result<i64, FormatError> {
        self.array().map(i64::from_le_bytes)
    }

    /// A floating point number in its eight bytes. O(1).
    ///
    /// # Errors
    /// [`FormatError::Truncated`] at the end.
    pub fn double(&mut self) -> Result<f64, FormatError> {
        self.array().map(f64::from_le_bytes)
    }

    /// A floating point number as text behind a length byte; 253 to 255 are not a number and the
    /// infinities. O(1).
    ///
    /// # Errors
    /// When the bytes end or hold no number.
    pub fn text_double(&mut self) -> Result<f64, FormatError> {
        Ok(match self.byte()? {
            253 => f64::NAN,
            254 => f64::INFINITY,
            255 => f64::NEG_INFINITY,
            length => parse_double(self.take(usize::from(length))?)
                .ok_or(FormatError::Corrupt("number"))?,
        })
    }
}
