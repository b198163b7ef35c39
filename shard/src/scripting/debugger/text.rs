//! A line that is written up to a length: what it is about may be without end.

use crate::core::monitoring::push_quoted;

/// Bytes of the longest line, where the client sets no limit.
pub(super) const TEXT_BYTES_MAX: usize = 16 << 20;

/// A line, as far as it will be shown.
pub(super) struct Text {
    bytes: Vec<u8>,
    limit: usize,
}

impl Text {
    /// Begins a line of up to `limit` bytes with `prefix`.
    pub(super) fn new(prefix: impl Into<Vec<u8>>, limit: usize) -> Self {
        Self { bytes: prefix.into(), limit }
    }

    /// Whether what is added from now on will not be seen.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > self.limit
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(self.seen_of(bytes));
    }

    /// Adds a text in quotes.
    pub(super) fn push_quoted(&mut self, bytes: &[u8]) {
        if !self.is_full() {
            let seen = bytes.len().min(self.limit);
            push_quoted(&mut self.bytes, &bytes[..seen]);
        }
    }

    /// As much as can be seen, and a byte that says that there is more.
    fn seen_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let room = (self.limit + 1).saturating_sub(self.bytes.len());
        &bytes[..bytes.len().min(room)]
    }

    /// The line, and whether it was longer.
    pub(super) fn finish(mut self) -> (Vec<u8>, bool) {
        let is_cut = self.is_full();
        if is_cut {
            self.bytes.truncate(self.limit);
            self.bytes.extend_from_slice(b" ...");
        }
        (self.bytes, is_cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_its_limit() {
        let mut text = Text::new("<value> ", 10);
        text.push(b"12");
        assert!(!text.is_full());
        text.push(b"345");
        assert!(text.is_full());
        text.push_quoted(b"more");
        assert_eq!(text.finish(), (b"<value> 12 ...".to_vec(), true));
    }

    #[test]
    fn a_quoted_text_that_just_fits_is_whole() {
        let mut text = Text::new("", 4);
        text.push_quoted(b"ab");
        assert_eq!(text.finish(), (b"\"ab\"".to_vec(), false));
        let mut text = Text::new("", 4);
        text.push_quoted(b"abc");
        assert_eq!(text.finish(), (b"\"abc ...".to_vec(), true));
    }
}
