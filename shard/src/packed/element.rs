//! What a packed sequence holds: a string, or the number whose decimal text a string is.

use crate::number::parse_integer;

/// One element. A text that is exactly what an `i64` prints as is always `Int`, so that two
/// elements are equal exactly if their texts are. Their order means nothing but that there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element<'a> {
    /// The decimal text of this number.
    Int(i64),
    /// Any other text; make it by [`Element::new`].
    Text(&'a [u8]),
}

impl<'a> Element<'a> {
    /// Longest text of a number.
    const INT_TEXT_MAX: usize = 20;

    /// The element with this text.
    #[inline]
    pub fn new(text: &'a [u8]) -> Self {
        if text.len() > Self::INT_TEXT_MAX {
            return Self::Text(text);
        }
        parse_integer(text).map_or(Self::Text(text), Self::Int)
    }

    /// The text; that of a number is made in `digits`.
    #[inline]
    pub fn text<'b>(self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Int(number) => digits.format(number).as_bytes(),
            Self::Text(text) => text,
        }
    }

    /// Length of the text in bytes. O(1).
    pub fn text_len(self) -> usize {
        match self {
            Self::Int(number) => itoa::Buffer::new().format(number).len(),
            Self::Text(text) => text.len(),
        }
    }

    /// A copy of the text.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut itoa::Buffer::new()).to_vec()
    }
}
