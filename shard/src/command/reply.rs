//! The few ways of replying that the description of commands needs.
//!
//! A trait, so that this room depends neither on a protocol version nor on a buffer: RESP2 writes
//! sets as arrays and maps as arrays of twice the length.

/// Something that takes a reply piece by piece.
///
/// A length is followed by as many pieces: pairs for a map.
pub trait ReplyWriter {
    /// Begins an array of `count` pieces.
    fn array_len(&mut self, count: usize);
    /// Begins a map of `count` pairs.
    fn map_len(&mut self, count: usize);
    /// Begins a set of `count` pieces.
    fn set_len(&mut self, count: usize);
    /// A bulk string.
    fn bulk(&mut self, bytes: &[u8]);
    /// A simple string: one line.
    fn simple(&mut self, text: &str);
    /// An integer.
    fn integer(&mut self, value: i64);
    /// A null, the bulk kind in RESP2.
    fn null(&mut self);
    /// A null, the array kind in RESP2.
    fn null_array(&mut self);
}
