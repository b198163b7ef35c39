//! Which segment holds a hash: extendible hashing over the top bits.
//!
//! ```text
//! One:             the handle of the only segment, or none; no allocation
//! Many, depth 2:   slots --> | 00 | 01 | 10 | 11 |    one handle per slot; here 10 and 11 lead to
//!                               |    |    \___/       the same segment, whose own depth is 1
//!                               A    B      C
//! ```
//!
//! A segment of depth `d` under a directory of depth `D` fills `2^(D-d)` neighbouring slots. When
//! a segment of full depth is split the directory doubles first; it halves once no segment needs
//! its depth.
//!
//! Doubling writes 16 bytes per old slot. It is the one operation that grows with the table: to
//! 16,384 slots, which 10 million keys need, it took 35 us, and 144 us where the memory came fresh
//! from the system. The table doubles ahead of time, so that this does not add to a split.
//!
//! Invariants: all aliases of a segment are equal; unless the directory is empty every slot leads
//! to a segment; `deepest` counts the segments of full depth.

use std::ptr::NonNull;

use super::segment::{Segment, TAG_BITS};
use super::size_class::{allocate, free, size_class};
use super::work::{Work, note};

/// Positions in hash order have 48 bits, so a tag must lie within them.
const DEPTH_MAX: u32 = 48 - TAG_BITS;

/// Keys per slot that a doubled directory must have at least; a third of what an even hash gives.
/// Where many hashes are equal, splits are useless, and this keeps them from filling memory with
/// slots.
const KEYS_PER_SLOT_MIN: usize = 128;

pub(super) enum Directory {
    /// At most one segment.
    One(Segment),
    /// `2^depth` slots; the depth is at least 1.
    Many { slots: NonNull<Segment>, deepest: u32, depth: u8 },
}

impl Directory {
    pub(super) const fn new() -> Directory {
        Directory::One(Segment::NONE)
    }

    /// Whether there is no segment at all.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Directory::One(segment) if segment.is_none())
    }

    /// Bits of hash that choose a slot.
    #[inline]
    pub(super) fn depth(&self) -> u32 {
        match self {
            Directory::One(_) => 0,
            Directory::Many { depth, .. } => u32::from(*depth),
        }
    }

    /// Number of slots.
    pub(super) fn len(&self) -> usize {
        1 << self.depth()
    }

    /// Memory of the slots in bytes.
    pub(super) fn bytes(&self) -> usize {
        if self.depth() == 0 { 0 } else { size_class(slot_bytes(self.depth())) }
    }

    /// The slot of a hash.
    #[inline]
    pub(super) fn slot_of(&self, hash: u64) -> usize {
        match self.depth() {
            0 => 0,
            depth => (hash >> (u64::BITS - depth)) as usize,
        }
    }

    /// The segment of a hash, unless there is none at all. O(1).
    #[inline]
    pub(super) fn find(&self, hash: u64) -> Option<&Segment> {
        let segment = self.segment(self.slot_of(hash));
        (!segment.is_none()).then_some(segment)
    }

    /// As [`Directory::find`], for change.
    #[inline]
    pub(super) fn find_mut(&mut self, hash: u64) -> Option<&mut Segment> {
        let segment = self.segment_mut(self.slot_of(hash));
        (!segment.is_none()).then_some(segment)
    }

    /// What a slot leads to.
    #[inline]
    pub(super) fn segment(&self, slot: usize) -> &Segment {
        debug_assert!(slot < self.len());
        match self {
            Directory::One(segment) => segment,
            // SAFETY: the slots are initialised, and indices are below their number: those made
            // from a hash have `depth` bits, all others count slots.
            Directory::Many { slots, .. } => unsafe { slots.add(slot).as_ref() },
        }
    }

    /// As [`Directory::segment`], for change of what the segment holds.
    #[inline]
    pub(super) fn segment_mut(&mut self, slot: usize) -> &mut Segment {
        debug_assert!(slot < self.len());
        match self {
            Directory::One(segment) => segment,
            // SAFETY: as in `segment`.
            Directory::Many { slots, .. } => unsafe { slots.add(slot).as_mut() },
        }
    }

    /// The first slot that leads to the same segment, and how many do.
    pub(super) fn range_of(&self, slot: usize) -> (usize, usize) {
        let count = 1 << (self.depth() - self.segment(slot).depth());
        (slot & !(count - 1), count)
    }

    /// All segments, each once, with the first slot of each.
    pub(super) fn segments(&self) -> impl Iterator<Item = (usize, &Segment)> {
        let mut slot = 0;
        std::iter::from_fn(move || {
            if self.is_empty() || slot == self.len() {
                return None;
            }
            let (first, count) = self.range_of(slot);
            slot = first + count;
            Some((first, self.segment(first)))
        })
    }

    /// Puts another segment of the same depth where the one of `slot` was, and returns that one.
    pub(super) fn replace(&mut self, slot: usize, segment: Segment) -> Segment {
        if self.is_empty() {
            *self = Directory::One(segment);
            return Segment::NONE;
        }
        let (first, count) = self.range_of(slot);
        let old = self.segment(slot).alias();
        assert_eq!(old.depth(), segment.depth(), "a segment may not change its depth here");
        self.fill(first, count, &segment);
        old
    }

    /// Takes out the only segment and leaves an empty directory.
    pub(super) fn take_only(&mut self) -> Segment {
        let only = self.segment(0).alias();
        assert_eq!(only.depth(), 0, "other segments are left");
        self.forget_slots();
        only
    }

    /// Whether the segment of `slot` may be split, in a table of `len` entries.
    pub(super) fn may_split(&self, slot: usize, len: usize) -> bool {
        self.segment(slot).depth() < self.depth() || self.may_double(len)
    }

    fn may_double(&self, len: usize) -> bool {
        self.depth() < DEPTH_MAX && self.len() * 2 * KEYS_PER_SLOT_MIN <= len
    }

    /// Doubles if the segment of `slot` could not be split otherwise, and if that is allowed.
    pub(super) fn double_ahead(&mut self, slot: usize, len: usize) {
        if self.segment(slot).depth() == self.depth() && self.may_double(len) {
            self.double();
        }
    }

    /// Puts two halves in the place of the segment that holds `hash`, and returns that one.
    pub(super) fn split(&mut self, hash: u64, low: Segment, high: Segment) -> Segment {
        if self.segment(self.slot_of(hash)).depth() == self.depth() {
            self.double();
        }
        let slot = self.slot_of(hash);
        let (first, count) = self.range_of(slot);
        let old = self.segment(slot).alias();
        assert!(low.depth() == old.depth() + 1 && high.depth() == low.depth());
        self.fill(first, count / 2, &low);
        self.fill(first + count / 2, count / 2, &high);
        if let Directory::Many { deepest, .. } = self
            && count == 2
        {
            *deepest += 2;
        }
        old
    }

    /// The slot of the other half, if the segment of `slot` was made by a split and the other half
    /// has not been split further.
    pub(super) fn buddy_of(&self, slot: usize) -> Option<usize> {
        let depth = self.segment(slot).depth();
        if depth == 0 {
            return None;
        }
        let (first, count) = self.range_of(slot);
        let buddy = first ^ count;
        (self.segment(buddy).depth() == depth).then_some(buddy)
    }

    /// Puts one segment in the place of the one of `slot` and its buddy, and returns both. Slots
    /// change their numbers when the directory halves.
    pub(super) fn merge(&mut self, slot: usize, merged: Segment) -> [Segment; 2] {
        let buddy = self.buddy_of(slot).expect("merging needs a buddy");
        let (first, count) = self.range_of(slot.min(buddy));
        let old = [self.segment(slot).alias(), self.segment(buddy).alias()];
        assert_eq!(merged.depth() + 1, old[0].depth(), "a merged segment is one bit less deep");
        self.fill(first, count * 2, &merged);
        if let Directory::Many { deepest, .. } = self
            && count == 1
        {
            *deepest -= 2;
        }
        self.halve_while_idle();
        old
    }

    /// Gives back slots that no segment needs.
    pub(super) fn halve_while_idle(&mut self) {
        while matches!(self, Directory::Many { deepest: 0, .. }) {
            self.halve();
        }
    }

    fn fill(&mut self, first: usize, count: usize, segment: &Segment) {
        note(Work::SlotWritten, count);
        for slot in first..first + count {
            *self.segment_mut(slot) = segment.alias();
        }
    }

    /// Twice the slots, leading to the same segments.
    fn double(&mut self) {
        assert!(self.depth() < DEPTH_MAX, "a directory deeper than positions allow");
        self.rebuild(self.depth() + 1, |slot| slot / 2);
    }

    /// Half the slots; no segment may have full depth.
    fn halve(&mut self) {
        assert!(self.depth() > 0, "a directory of one slot cannot halve");
        self.rebuild(self.depth() - 1, |slot| slot * 2);
        let count = self.segments().filter(|(_, s)| s.depth() == self.depth()).count();
        if let Directory::Many { deepest, .. } = self {
            *deepest = count as u32;
        }
    }

    /// Replaces the slots by those of another depth, each taken from the old slot named.
    fn rebuild(&mut self, depth: u32, old_slot_of: impl Fn(usize) -> usize) {
        note(Work::SlotWritten, 1 << depth);
        let rebuilt = if depth == 0 {
            Directory::One(self.segment(old_slot_of(0)).alias())
        } else {
            let slots = allocate(slot_bytes(depth), align_of::<Segment>()).cast::<Segment>();
            for slot in 0..1 << depth {
                let segment = self.segment(old_slot_of(slot)).alias();
                // SAFETY: the allocation has room for `2^depth` handles.
                unsafe { slots.add(slot).write(segment) };
            }
            Directory::Many { slots, deepest: 0, depth: depth as u8 }
        };
        self.forget_slots();
        *self = rebuilt;
    }

    /// Leaves an empty directory. The segments are the caller's.
    pub(super) fn forget_slots(&mut self) {
        if let Directory::Many { slots, depth, .. } = std::mem::replace(self, Directory::new()) {
            let bytes = slot_bytes(u32::from(depth));
            // SAFETY: allocated by `rebuild` with this size, and no longer reachable.
            unsafe { free(slots.cast(), bytes, align_of::<Segment>()) }
        }
    }

    /// Panics unless the invariants hold. O(slots).
    pub(super) fn check(&self) {
        let mut deepest = 0;
        for (first, segment) in self.segments() {
            let (start, count) = self.range_of(first);
            assert_eq!(start, first, "a segment starts at a slot that is not its own");
            for slot in first..first + count {
                assert!(self.segment(slot).is_alias_of(segment), "slots disagree");
            }
            deepest += u32::from(segment.depth() == self.depth());
        }
        if let Directory::Many { deepest: counted, .. } = self {
            assert_eq!(deepest, *counted, "count of deepest segments");
        }
    }
}

/// Size of the slots of a directory in bytes.
fn slot_bytes(depth: u32) -> usize {
    size_of::<Segment>() << depth
}
