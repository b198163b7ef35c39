//! What is looked for in a packed sequence.
//!
//! Equal elements have equal bytes (see `code`), and the head of an entry tells its length, so an
//! element is found by comparing bytes and jumping from head to head; nothing is decoded. Elements
//! of a collection tend to begin alike (`user:1001`, `user:1002`), so that the last eight bytes are
//! compared first, as one number.

use smallvec::SmallVec;

use super::code;
use super::element::Element;

/// Bytes of the number that is compared first.
const PROBE_BYTES: usize = size_of::<u64>();

/// An element as its entry begins: head and text.
pub(super) struct Needle {
    body: SmallVec<[u8; 64]>,
    /// The last bytes of the body, or all of it; beyond, whatever the mask leaves out.
    probe: u64,
    mask: u64,
    /// Where in the body they are.
    probe_at: usize,
}

fn number_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + PROBE_BYTES)?;
    Some(u64::from_le_bytes(bytes.try_into().expect("the range is as long")))
}

impl Needle {
    /// What the entry of an element begins with. O(its length).
    pub(super) fn new(element: Element<'_>) -> Self {
        let mut body = SmallVec::from_elem(0, code::body_bytes(element));
        code::write_body(element, &mut body);
        let length = body.len();
        if length >= PROBE_BYTES {
            let probe_at = length - PROBE_BYTES;
            let probe = number_at(&body, probe_at).expect("the body is long enough");
            return Self { body, probe, mask: u64::MAX, probe_at };
        }
        let mut padded = [0; PROBE_BYTES];
        padded[..length].copy_from_slice(&body);
        let mask = (1 << (8 * length)) - 1;
        Self { body, probe: u64::from_le_bytes(padded), mask, probe_at: 0 }
    }

    /// Whether the entry at the start of `bytes` is the element. O(1) where it is not, mostly.
    #[inline]
    pub(super) fn is_at(&self, bytes: &[u8]) -> bool {
        match number_at(bytes, self.probe_at) {
            Some(number) if number & self.mask != self.probe => false,
            _ => bytes.starts_with(&self.body),
        }
    }
}
