//! Zipmaps, the compact hashes of Redis up to 2.4: read only.
//!
//! ```text
//! | count | length | name | length | free | value | free bytes | length | ... | 0xff |
//!     1      1 or 5          1 or 5     1
//! ```
//!
//! A length of 254 or more stands behind a byte of 254, in four bytes, low byte first. A count of
//! 254 says nothing.

const END: u8 = 0xff;

/// The mark in front of a length in four bytes, and the count that says nothing.
const LONG: u8 = 254;

/// A zipmap that was found to be sound.
#[derive(Clone, Copy, Debug)]
pub struct Zipmap<'a> {
    fields: &'a [u8],
    len: usize,
}

impl<'a> Zipmap<'a> {
    /// Checks a whole zipmap; `None` if it is none. O(bytes).
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&count, rest) = bytes.split_first()?;
        let (&END, fields) = rest.split_last()? else { return None };
        let (mut len, mut rest) = (0, fields);
        while !rest.is_empty() {
            (_, _, rest) = read(rest)?;
            len += 1;
        }
        let is_counted = count == LONG || usize::from(count) == len;
        is_counted.then_some(Self { fields, len })
    }

    /// Number of fields. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone + use<'a> {
        let mut rest = self.fields;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (name, value, after) = read(rest).expect("all fields were checked");
            rest = after;
            Some((name, value))
        })
    }
}

/// Reads the field at the start of `bytes`: its name, its value, and what follows.
fn read(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = read_length(bytes)?;
    let (name, rest) = rest.split_at_checked(length)?;
    let (length, rest) = read_length(rest)?;
    let (&free, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((name, value, rest.get(usize::from(free)..)?))
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.split_first()? {
        (&LONG, rest) => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u32::from_le_bytes(*length);
            (length >= u32::from(LONG)).then_some((length as usize, rest))
        }
        (&END, _) => None,
        (length, rest) => Some((usize::from(*length), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read_and_free_bytes_passed() {
        let bytes = [2, 1, b'a', 2, 1, b'x', b'y', 0, 0, 1, 0, b'z', END];
        let zipmap = Zipmap::parse(&bytes).expect("it is sound");
        let fields: Vec<_> = zipmap.iter().collect();
        assert_eq!(fields, [(&b"a"[..], &b"xy"[..]), (b"", b"z")]);
    }

    #[test]
    fn what_reaches_beyond_the_end_is_refused() {
        for bytes in [
            &[][..],
            &[END],
            &[1, 1, b'a', 1, 0, b'x'],
            &[2, 1, b'a', 1, 0, b'x', END],
            &[1, 1, b'a', 1, 1, b'x', END],
            &[1, 1, b'a', 2, 0, b'x', END],
            &[1, LONG, 1, 0, 0, 1, b'a', 1, 0, b'x', END],
        ] {
            assert!(Zipmap::parse(bytes).is_none(), "{bytes:?}");
        }
        let long = [&[LONG, LONG, 254, 0, 0, 0][..], &[b'a'; 254], &[1, 0, b'x', END]].concat();
        assert!(Zipmap::parse(&long).is_some());
        let short = [LONG, LONG, 1, 0, 0, 0, b'a', 1, 0, b'x', END];
        assert!(Zipmap::parse(&short).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes: Vec<u8>) {
            bytes.push(END);
            if let Some(zipmap) = Zipmap::parse(&bytes) {
                prop_assert_eq!(zipmap.iter().count(), zipmap.len());
            }
        }
    }
}
