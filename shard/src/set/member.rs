//! A member of a set, as it is asked for and as it is found.

use crate::number::parse_integer;
use crate::packed::Element;

/// A member. Unlike an [`Element`], the text of a number need not be given as a number: a hash
/// table keeps texts as they are and does not look.
#[derive(Clone, Copy, Debug)]
pub enum Member<'a> {
    /// The decimal text of this number.
    Int(i64),
    /// Any text.
    Text(&'a [u8]),
}

impl<'a> Member<'a> {
    /// The number whose decimal text this is.
    #[inline]
    pub fn as_int(self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(number),
            Self::Text(text) => parse_integer(text),
        }
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

    /// The member as an element of a packed sequence.
    #[inline]
    pub fn element(self) -> Element<'a> {
        match self {
            Self::Int(number) => Element::Int(number),
            Self::Text(text) => Element::new(text),
        }
    }

    /// A copy of the text.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut itoa::Buffer::new()).to_vec()
    }
}

impl<'a> From<Element<'a>> for Member<'a> {
    #[inline]
    fn from(element: Element<'a>) -> Self {
        match element {
            Element::Int(number) => Self::Int(number),
            Element::Text(text) => Self::Text(text),
        }
    }
}

impl<'a> From<&'a [u8]> for Member<'a> {
    #[inline]
    fn from(text: &'a [u8]) -> Self {
        Self::Text(text)
    }
}
