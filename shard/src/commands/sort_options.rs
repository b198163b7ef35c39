//! What SORT is asked for, and the patterns by which it reaches other keys.

use super::operand::integer;
use crate::arguments::Arguments;
use crate::error::{self, CommandError};
use crate::sorted_set::Order;

/// How SORT names a key, or a field of a hash, by an element: `weight_*`, `object_*->name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// No star: nothing, whatever the element.
    Constant,
    /// A key, or a field of it.
    Key {
        /// In front of the element.
        prefix: &'a [u8],
        /// Behind it.
        suffix: &'a [u8],
        /// The field of the hash at that key.
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    /// Reads a pattern.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        const ARROW: &[u8] = b"->";
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = memchr::memchr(b'*', text) else { return Self::Constant };
        let (prefix, behind) = (&text[..star], &text[star + 1..]);
        let arrow = behind.windows(ARROW.len()).position(|pair| pair == ARROW);
        match arrow.map(|at| (&behind[..at], &behind[at + ARROW.len()..])) {
            Some((suffix, field)) if !field.is_empty() => {
                Self::Key { prefix, suffix, field: Some(field) }
            }
            _ => Self::Key { prefix, suffix: behind, field: None },
        }
    }

    /// The name of the key for an element, and the field if one is meant.
    pub(super) fn key_for(self, element: &[u8]) -> Option<(Vec<u8>, Option<&'a [u8]>)> {
        match self {
            Self::Key { prefix, suffix, field } => {
                Some(([prefix, element, suffix].concat(), field))
            }
            Self::Element | Self::Constant => None,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct SortOptions<'a> {
    /// `BY`: what elements are compared by instead of themselves.
    pub(super) by: Option<Pattern<'a>>,
    /// `GET`: what is answered instead of elements.
    pub(super) gets: Vec<Pattern<'a>>,
    /// `ASC` or `DESC`
    pub(super) order: Order,
    /// `ALPHA`: texts are compared, not numbers.
    pub(super) alpha: bool,
    /// `LIMIT`: the first place.
    pub(super) offset: i64,
    /// `LIMIT`: how many; negative for all.
    pub(super) count: i64,
    /// `STORE`: the argument that is the key.
    pub(super) destination: Option<usize>,
}

impl<'a> SortOptions<'a> {
    /// Reads the options, of which `STORE` may be unknown.
    pub(super) fn parse(arguments: Arguments<'a>, may_store: bool) -> Result<Self, CommandError> {
        let mut options = Self {
            by: None,
            gets: Vec::new(),
            order: Order::Rising,
            alpha: false,
            offset: 0,
            count: -1,
            destination: None,
        };
        let mut index = 2;
        while index < arguments.len() {
            let left = arguments.len() - index - 1;
            index += match () {
                () if arguments.is(index, "asc") => {
                    options.order = Order::Rising;
                    1
                }
                () if arguments.is(index, "desc") => {
                    options.order = Order::Falling;
                    1
                }
                () if arguments.is(index, "alpha") => {
                    options.alpha = true;
                    1
                }
                () if left >= 2 && arguments.is(index, "limit") => {
                    options.offset = integer(arguments, index + 1)?;
                    options.count = integer(arguments, index + 2)?;
                    3
                }
                () if left >= 1 && may_store && arguments.is(index, "store") => {
                    options.destination = Some(index + 1);
                    2
                }
                () if left >= 1 && arguments.is(index, "by") => {
                    options.by = Some(Pattern::parse(arguments.at(index + 1)));
                    2
                }
                () if left >= 1 && arguments.is(index, "get") => {
                    options.gets.push(Pattern::parse(arguments.at(index + 1)));
                    2
                }
                () => return Err(error::SYNTAX),
            };
        }
        Ok(options)
    }

    /// Whether elements stay in the order they come in.
    pub(super) fn keeps_order(&self) -> bool {
        matches!(self.by, Some(Pattern::Constant | Pattern::Element))
    }

    /// The places among `length` that `LIMIT` leaves.
    pub(super) fn limit(&self, length: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(length);
        let count = usize::try_from(self.count).unwrap_or(length).min(length - start);
        start..start + count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_pattern(text: &str, expected: Option<(&str, Option<&str>)>) {
        let found = Pattern::parse(text.as_bytes()).key_for(b"7");
        let expected =
            expected.map(|(key, field)| (key.as_bytes().to_vec(), field.map(str::as_bytes)));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_first_star_is_the_element() {
        check_pattern("weight_*", Some(("weight_7", None)));
        check_pattern("a*b*", Some(("a7b*", None)));
        check_pattern("*->f", Some(("7", Some("f"))));
        check_pattern("a*b->f->g", Some(("a7b", Some("f->g"))));
        check_pattern("a*->", Some(("a7->", None)));
        check_pattern("a->b*c", Some(("a->b7c", None)));
        check_pattern("nosort", None);
        check_pattern("#", None);
    }
}
