//! Writing the parts values are made of; the forms are drawn in `reader`.
//!
//! Every part takes the shortest form that old readers know, as Redis writes it: strings that are
//! small numbers become numbers, longer ones are compressed where that gains something.

use super::lzf::Compressor;
use super::reader::{
    LENGTH_14, LENGTH_32, LENGTH_64, STRING_INT_8, STRING_INT_16, STRING_INT_32, STRING_LZF,
};
use super::value_type::ValueType;
use crate::number::parse_integer;
use crate::packed::Packed;
use crate::snapshot::{Part, SnapshotSink};

/// Strings up to this length may be numbers: the longest of 32 bits has eleven characters.
const INT_TEXT_MAX: usize = 11;

/// Shorter strings are not worth compressing ...
const COMPRESSED_LENGTH_MIN: usize = 21;

/// ... and longer ones only if they lose at least so many bytes, which the extra lengths take.
const COMPRESSION_GAIN_MIN: usize = 4;

/// Whether strings are compressed: the directive `rdbcompression`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// They stay as they are.
    Off,
    /// They are, where that gains something.
    On,
}

/// Where the bytes of a writer leave while a value is still being written, so that one of any size
/// needs little memory.
struct Outlet {
    sink: Box<dyn SnapshotSink>,
    /// From how many bytes on they leave.
    part_bytes: usize,
    /// Bytes that have left.
    sent_bytes: u64,
    /// Whether those that left last end within a record.
    is_open: bool,
}

/// Bytes of values that are being written.
pub struct Writer {
    bytes: Vec<u8>,
    outlet: Option<Outlet>,
    compression: Compression,
    /// Bytes that compression has saved.
    saved_bytes: u64,
    /// Made for the first string that is long enough.
    compressor: Option<Compressor>,
    /// Where compressed strings come into being.
    scratch: Vec<u8>,
    /// Where compact encodings do.
    blob_scratch: Vec<u8>,
}

impl Writer {
    /// A writer without bytes.
    pub fn new(compression: Compression) -> Self {
        Self {
            bytes: Vec::new(),
            outlet: None,
            compression,
            saved_bytes: 0,
            compressor: None,
            scratch: Vec::new(),
            blob_scratch: Vec::new(),
        }
    }

    /// A writer whose bytes leave through `sink` whenever there are `part_bytes` of them, between
    /// two strings. A single string is never divided.
    pub fn with_sink(
        compression: Compression,
        sink: Box<dyn SnapshotSink>,
        part_bytes: usize,
    ) -> Self {
        let outlet = Outlet { sink, part_bytes, sent_bytes: 0, is_open: false };
        Self { outlet: Some(outlet), ..Self::new(compression) }
    }

    /// The sink of a writer that was made with one.
    ///
    /// # Panics
    /// If it was not.
    pub fn sink(&mut self) -> &mut dyn SnapshotSink {
        &mut *self.outlet.as_mut().expect("the writer was made with a sink").sink
    }

    /// Bytes written so far, those that have left included, as if nothing were compressed: a
    /// measure of the time that took.
    pub fn worked_bytes(&self) -> u64 {
        let sent_bytes = self.outlet.as_ref().map_or(0, |outlet| outlet.sent_bytes);
        self.bytes.len() as u64 + sent_bytes + self.saved_bytes
    }

    /// Ends a record: sends what is written if that is enough for a part, or if a piece of the
    /// record was sent already. `keys` have ended since this last sent something; returns whether
    /// it did. O(1).
    pub fn end_record(&mut self, keys: u64) -> bool {
        let Some(outlet) = &mut self.outlet else { return false };
        let is_due = outlet.is_open || self.bytes.len() >= outlet.part_bytes;
        if is_due {
            self.send(Part { keys, ..Part::default() });
        }
        is_due
    }

    /// Sends what is written as the bytes of `part`.
    pub fn send(&mut self, part: Part) {
        let bytes = std::mem::take(&mut self.bytes);
        let outlet = self.outlet.as_mut().expect("the writer was made with a sink");
        outlet.sent_bytes += bytes.len() as u64;
        outlet.is_open = part.is_open;
        outlet.sink.send(Part { bytes, ..part });
    }

    /// Lets bytes leave in the midst of a record if there are enough of them.
    #[inline]
    fn relieve(&mut self) {
        if let Some(outlet) = &self.outlet
            && self.bytes.len() >= outlet.part_bytes
        {
            self.send(Part { is_open: true, ..Part::default() });
        }
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, to keep.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends the type of the value that follows.
    pub fn value_type(&mut self, value_type: ValueType) {
        self.bytes.push(value_type.code());
    }

    /// Appends a length or another whole number.
    pub fn length(&mut self, length: u64) {
        match length {
            0..0x40 => self.bytes.push(length as u8),
            0x40..0x4000 => self.raw(&[LENGTH_14 | (length >> 8) as u8, length as u8]),
            0x4000..=0xffff_ffff => {
                self.bytes.push(LENGTH_32);
                self.raw(&(length as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(LENGTH_64);
                self.raw(&length.to_be_bytes());
            }
        }
    }

    /// Appends a number of elements.
    pub fn count(&mut self, count: usize) {
        self.length(count as u64);
    }

    /// Appends a string. O(length).
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= INT_TEXT_MAX
            && let Some(number) = parse_integer(text).and_then(|number| i32::try_from(number).ok())
        {
            return self.int_string(number);
        }
        self.text(text);
    }

    /// Appends the decimal text of a number as a string.
    pub fn integer(&mut self, number: i64) {
        match i32::try_from(number) {
            Ok(number) => self.int_string(number),
            Err(_) => self.text(itoa::Buffer::new().format(number).as_bytes()),
        }
    }

    fn int_string(&mut self, number: i32) {
        let bytes = number.to_le_bytes();
        let (form, used) = match number {
            -0x80..=0x7f => (STRING_INT_8, 1),
            -0x8000..=0x7fff => (STRING_INT_16, 2),
            _ => (STRING_INT_32, 4),
        };
        self.bytes.push(form);
        self.raw(&bytes[..used]);
        self.relieve();
    }

    /// Appends a string that is no small number, or need not be one.
    fn text(&mut self, text: &[u8]) {
        let is_compressed = self.compression == Compression::On
            && text.len() >= COMPRESSED_LENGTH_MIN
            && self.compressed(text);
        if !is_compressed {
            self.count(text.len());
            self.raw(text);
        }
        self.relieve();
    }

    /// Appends a string in compressed form if that is short enough.
    fn compressed(&mut self, text: &[u8]) -> bool {
        let compressor = self.compressor.get_or_insert_with(Compressor::new);
        let mut compressed = std::mem::take(&mut self.scratch);
        compressed.clear();
        let gains = compressor.compress(text, &mut compressed, text.len() - COMPRESSION_GAIN_MIN);
        if gains {
            self.bytes.push(STRING_LZF);
            self.count(compressed.len());
            self.count(text.len());
            self.raw(&compressed);
            self.saved_bytes += (text.len() - compressed.len()) as u64;
        }
        self.scratch = compressed;
        gains
    }

    /// Appends a compact encoding, which `fill` writes, as a string. O(its bytes).
    pub fn blob(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut blob = std::mem::take(&mut self.blob_scratch);
        blob.clear();
        fill(&mut blob);
        self.text(&blob);
        self.blob_scratch = blob;
    }

    /// Appends a packed sequence as a string that holds a listpack. O(its bytes).
    pub fn listpack(&mut self, packed: &Packed) {
        self.blob(|blob| packed.write_listpack(blob));
    }

    /// Appends a time or another number in eight bytes, low byte first.
    pub fn int_64(&mut self, number: i64) {
        self.raw(&number.to_le_bytes());
    }

    /// Appends a floating point number in its eight bytes.
    pub fn double(&mut self, number: f64) {
        self.raw(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressing_counts_as_much_work_as_there_is_to_compress() {
        for compression in [Compression::Off, Compression::On] {
            let mut writer = Writer::new(compression);
            writer.string(&[b'x'; 1000]);
            writer.string(b"short");
            let (written, worked) = (writer.bytes().len(), writer.worked_bytes());
            assert_eq!(written < 100, compression == Compression::On, "{written}");
            assert!((1005..1020).contains(&worked), "{worked} by {compression:?}");
        }
    }
}
