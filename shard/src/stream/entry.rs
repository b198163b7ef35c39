//! An entry as it is read: its id and its fields.

use super::id::StreamId;
use crate::packed::{Element, read_body};

/// An entry of a stream.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its id.
    pub id: StreamId,
    /// Its fields.
    pub fields: Fields<'a>,
}

/// The fields of an entry in order, each a name and a value.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    left: usize,
    source: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    /// The names of the block, and the values of the entry.
    Shared { names: &'a [u8], values: &'a [u8] },
    /// Name, value, name, value...
    Own { pairs: &'a [u8] },
}

impl<'a> Fields<'a> {
    pub(super) fn shared(count: usize, names: &'a [u8], values: &'a [u8]) -> Self {
        Self { left: count, source: Source::Shared { names, values } }
    }

    pub(super) fn own(count: usize, pairs: &'a [u8]) -> Self {
        Self { left: count, source: Source::Own { pairs } }
    }
}

impl Fields<'_> {
    /// Whether the names are not those of the block.
    pub(crate) fn has_own_names(&self) -> bool {
        matches!(self.source, Source::Own { .. })
    }
}

/// The element at the start of `bytes`, which go on behind it.
fn take<'a>(bytes: &mut &'a [u8]) -> Element<'a> {
    let (element, len) = read_body(bytes);
    *bytes = &bytes[len..];
    element
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(match &mut self.source {
            Source::Shared { names, values } => (take(names), take(values)),
            Source::Own { pairs } => (take(pairs), take(pairs)),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
