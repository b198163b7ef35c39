//! Entries that follow each other, in one run of bytes.
//!
//! Entries of a stream mostly have the same fields, so the names of the first entry are written
//! once, at the head of the block, and entries with those names hold values only. Ids are kept as
//! differences.
//!
//! ```text
//! block:  | field count | name | name | ... || entry | entry | entry | ...
//!                                               ^ front: the first entry that is not deleted
//!
//! entry:  | size | time and flags | sequence | value | value | ...           names of the block
//!         | size | time and flags | sequence | count | name | value | ...    names of its own
//!
//! size              bytes of the entry behind this number
//! time and flags    (milliseconds behind the block's first id) * 4 + OWN_NAMES + DELETED
//! sequence          within the first id's millisecond counted from there, else as it is
//! ```
//!
//! Numbers are varints; names and values are elements as `packed` writes them, without the part
//! for reading backwards. A deleted entry stays and is marked, as in Redis; the block goes when
//! all its entries are deleted.
//!
//! **The size that limits compare** is that of the listpack Redis would keep for the same entries,
//! which has some six bytes more for each. It is counted along, so that blocks end, and
//! approximate trimming cuts, where they do in Redis: see `t_stream.c`, `streamAppendItem`.
//!
//! Invariants: entries ascend; `first` is the id the block began with; at least one entry is not
//! deleted, and `front` is where the first such entry lies; `back` is where the last entry lies.

use super::entry::{Entry, Fields};
use super::id::StreamId;
use super::varint;
use crate::packed::{Buffer, Element, Packed, body_bytes, read_body, write_body};

const DELETED: u64 = 1;
const OWN_NAMES: u64 = 2;

/// What a listpack has beside its elements.
const LISTPACK_FRAME_BYTES: usize = 7;

/// When a block is full, and a new one is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimit {
    /// `stream-node-max-bytes`; 0 for the greatest size there is.
    pub bytes_max: usize,
    /// `stream-node-max-entries`, deleted ones included; 0 for any number.
    pub entries_max: u64,
}

/// Whose names the fields of an entry have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Those of the block.
    Shared,
    /// Its own.
    Own,
}

/// Some entries of a stream.
#[derive(Clone)]
pub(super) struct Block {
    bytes: Buffer,
    pub(super) first: StreamId,
    /// Bytes of the listpack's elements but for the two numbers of entries it begins with.
    listpack_bytes: u32,
    /// Entries that are not deleted.
    pub(super) live: u32,
    deleted: u32,
    front: u32,
    /// Offset of the last entry, deleted or not.
    back: u32,
}

// A run of blocks fills a size class.
const _: () = assert!(size_of::<Block>() == 48);

/// The part of an entry in front of its fields.
struct Head {
    id: StreamId,
    flags: u64,
    /// Offset of the first field or of the number of fields.
    fields: usize,
    /// Offset of the flags.
    flags_at: usize,
    /// Offset of the next entry.
    next: usize,
}

impl Block {
    /// A block whose first entry is `id` with these fields. See [`encoded_bytes_max`].
    pub(super) fn new<'t, F>(id: StreamId, fields: F) -> Self
    where
        F: Iterator<Item = (&'t [u8], &'t [u8])> + Clone,
    {
        let mut block = Self::with_names(id, fields.clone().map(|(name, _)| name));
        block.push_as(Names::Shared, id, fields);
        block
    }

    /// A block without entries that begins with `id` and has these names.
    pub(super) fn with_names<'t>(
        id: StreamId,
        names: impl Iterator<Item = &'t [u8]> + Clone,
    ) -> Self {
        let mut block = Self {
            bytes: Buffer::default(),
            first: id,
            listpack_bytes: 0,
            live: 0,
            deleted: 0,
            front: 0,
            back: 0,
        };
        let names = || names.clone().map(Element::new);
        let count = names().count();
        let head = varint::len(count as u64) + names().map(body_bytes).sum::<usize>();
        let mut target = varint::write(count as u64, block.bytes.open(0, head));
        for name in names() {
            target = write_element(name, target);
        }
        block.front = head as u32;
        let names_bytes: usize = names().map(Packed::entry_bytes).sum();
        block.count_listpack(int_bytes(count as i64) + names_bytes + int_bytes(0));
        block
    }

    /// Adds an entry behind the others.
    pub(super) fn push<'t, F>(&mut self, id: StreamId, fields: F)
    where
        F: Iterator<Item = (&'t [u8], &'t [u8])> + Clone,
    {
        let shares_names = self.has_names(fields.clone().map(|(name, _)| name));
        self.push_as(if shares_names { Names::Shared } else { Names::Own }, id, fields);
    }

    /// Adds an entry behind the others, whose names are known to be those of the block or are not
    /// compared. The names given for shared ones are not looked at.
    pub(super) fn push_as<'t, F>(&mut self, names: Names, id: StreamId, fields: F)
    where
        F: Iterator<Item = (&'t [u8], &'t [u8])> + Clone,
    {
        let shares_names = names == Names::Shared;
        let flags = if shares_names { 0 } else { OWN_NAMES };
        let ms = id.ms - self.first.ms;
        let sequence = if ms == 0 { id.seq - self.first.seq } else { id.seq };
        assert!(ms < 1 << 62, "the caller begins a new block for a time that far off");
        let elements =
            || fields.clone().map(|(name, value)| (Element::new(name), Element::new(value)));
        let count = elements().count();
        let mut size = varint::len(ms << 2) + varint::len(sequence);
        let mut listpack = 0;
        for (name, value) in elements() {
            size += body_bytes(value);
            listpack += Packed::entry_bytes(value);
            if !shares_names {
                size += body_bytes(name);
                listpack += Packed::entry_bytes(name);
            }
        }
        if !shares_names {
            size += varint::len(count as u64);
        }
        let total = varint::len(size as u64) + size;
        let at = self.bytes.len();
        let target = self.bytes.open(at, total);
        let target = varint::write(size as u64, target);
        let target = varint::write(ms << 2 | flags, target);
        let mut target = varint::write(sequence, target);
        if !shares_names {
            target = varint::write(count as u64, target);
        }
        for (name, value) in elements() {
            if !shares_names {
                target = write_element(name, target);
            }
            target = write_element(value, target);
        }
        self.count_listpack(listpack + self.listpack_head_bytes(id, count, shares_names));
        self.back = at as u32;
        self.live += 1;
    }

    /// Bytes of what a listpack has in front of and behind the fields of an entry.
    fn listpack_head_bytes(&self, id: StreamId, count: usize, shares_names: bool) -> usize {
        let ms = id.ms.wrapping_sub(self.first.ms) as i64;
        let sequence = id.seq.wrapping_sub(self.first.seq) as i64;
        let (pieces, count_bytes) = match shares_names {
            true => (count + 3, 0),
            false => (2 * count + 4, int_bytes(count as i64)),
        };
        int_bytes(0) + int_bytes(ms) + int_bytes(sequence) + count_bytes + int_bytes(pieces as i64)
    }

    fn count_listpack(&mut self, bytes: usize) {
        let total = self.listpack_bytes as usize + bytes;
        self.listpack_bytes = u32::try_from(total).unwrap_or(u32::MAX);
    }

    /// Whether an entry with these names in this order would share those of the block.
    fn has_names<'t>(&self, mut names: impl Iterator<Item = &'t [u8]>) -> bool {
        let (count, mut at) = varint::read(self.bytes.as_slice());
        for _ in 0..count {
            let (name, bytes) = read_body(&self.bytes.as_slice()[at..]);
            if names.next().map(Element::new) != Some(name) {
                return false;
            }
            at += bytes;
        }
        names.next().is_none()
    }

    /// Bytes of the listpack Redis would keep. O(1).
    pub(super) fn listpack_bytes(&self) -> usize {
        LISTPACK_FRAME_BYTES
            + self.listpack_bytes as usize
            + int_bytes(i64::from(self.live))
            + int_bytes(i64::from(self.deleted))
    }

    /// Whether an entry `id` whose names and values have `text_bytes` bytes belongs into the next
    /// block. `encoded_bytes` is the most it would take here.
    pub(super) fn is_full(
        &self,
        limit: BlockLimit,
        id: StreamId,
        text_bytes: usize,
        encoded_bytes: usize,
    ) -> bool {
        let bytes_max = match limit.bytes_max {
            0 => Buffer::LEN_MAX,
            bytes => bytes.min(Buffer::LEN_MAX),
        };
        let entries = u64::from(self.live) + u64::from(self.deleted);
        self.listpack_bytes() + text_bytes >= bytes_max
            || (limit.entries_max > 0 && entries >= limit.entries_max)
            || !self.has_room_for(id, encoded_bytes)
    }

    /// Whether an entry `id`, not before the first, that takes up to `encoded_bytes` can be added
    /// at all.
    pub(super) fn has_room_for(&self, id: StreamId, encoded_bytes: usize) -> bool {
        self.bytes.len().saturating_add(encoded_bytes) <= Buffer::LEN_MAX
            && id.ms - self.first.ms < 1 << 62
    }

    /// The names that entries share.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = Element<'_>> {
        let (count, len) = varint::read(self.bytes.as_slice());
        let mut rest = &self.bytes.as_slice()[len..];
        (0..count as usize).map(move |_| {
            let (name, len) = read_body(rest);
            rest = &rest[len..];
            name
        })
    }

    /// Bytes on the heap. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.footprint_bytes()
    }

    /// Gives back spare room: nothing will be added.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

/// Looking at entries.
impl Block {
    /// Offset of the first entry that is not deleted. O(1).
    pub(super) fn front(&self) -> usize {
        self.front as usize
    }

    /// Behind the last entry.
    pub(super) fn end(&self) -> usize {
        self.bytes.len()
    }

    fn head(&self, at: usize) -> Head {
        let bytes = &self.bytes.as_slice()[at..];
        let (size, size_len) = varint::read(bytes);
        let (time, time_len) = varint::read(&bytes[size_len..]);
        let (sequence, sequence_len) = varint::read(&bytes[size_len + time_len..]);
        let ms = time >> 2;
        let base = if ms == 0 { self.first.seq } else { 0 };
        Head {
            id: StreamId::new(self.first.ms + ms, base + sequence),
            flags: time & (DELETED | OWN_NAMES),
            fields: at + size_len + time_len + sequence_len,
            flags_at: at + size_len,
            next: at + size_len + size as usize,
        }
    }

    /// The entry at `at`, or `None` if it is deleted; and where the next one lies.
    #[inline]
    pub(super) fn read(&self, at: usize) -> (Option<Entry<'_>>, usize) {
        let head = self.head(at);
        if head.flags & DELETED != 0 {
            return (None, head.next);
        }
        let bytes = self.bytes.as_slice();
        let body = &bytes[head.fields..head.next];
        let fields = if head.flags & OWN_NAMES != 0 {
            let (count, len) = varint::read(body);
            Fields::own(count as usize, &body[len..])
        } else {
            let (count, len) = varint::read(bytes);
            Fields::shared(count as usize, &bytes[len..], body)
        };
        (Some(Entry { id: head.id, fields }), head.next)
    }

    /// Offset of the first entry from `id` on, deleted or not. O(entries).
    pub(super) fn seek(&self, id: StreamId) -> usize {
        let mut at = self.front();
        while at < self.end() {
            let head = self.head(at);
            if head.id >= id {
                break;
            }
            at = head.next;
        }
        at
    }

    /// Offset of the entry `id` that is not deleted. O(entries).
    pub(super) fn find(&self, id: StreamId) -> Option<usize> {
        let at = self.seek(id);
        (at < self.end()).then(|| self.head(at)).filter(|head| head.id == id)?;
        self.read(at).0.map(|_| at)
    }

    /// Offsets of the entries up to `id` that are not deleted, ascending. O(entries).
    pub(super) fn offsets_up_to(&self, id: StreamId, offsets: &mut Vec<u32>) {
        let mut at = self.front();
        while at < self.end() {
            let head = self.head(at);
            if head.id > id {
                break;
            }
            if head.flags & DELETED == 0 {
                offsets.push(at as u32);
            }
            at = head.next;
        }
    }

    /// The id of the last entry, deleted or not. O(1).
    pub(super) fn last(&self) -> StreamId {
        self.head(self.back as usize).id
    }

    /// The id of the first entry that is not deleted. O(1).
    pub(super) fn first_live(&self) -> StreamId {
        self.head(self.front()).id
    }

    /// Marks the entry at `at` as deleted. The block is to be removed when `live` is 0 then.
    pub(super) fn delete(&mut self, at: usize) {
        let head = self.head(at);
        assert!(head.flags & DELETED == 0, "an entry is deleted once");
        self.bytes.as_mut_slice()[head.flags_at] |= DELETED as u8;
        self.live -= 1;
        self.deleted += 1;
        if at == self.front() {
            let mut front = head.next;
            while front < self.end() && self.read(front).0.is_none() {
                front = self.head(front).next;
            }
            self.front = front as u32;
        }
    }
}

/// The most bytes an entry takes as the first of a block, its names included.
pub(super) fn encoded_bytes_max<'t>(fields: impl Iterator<Item = (&'t [u8], &'t [u8])>) -> usize {
    /// The head of a long text, and of an entry with its number of fields twice.
    const TEXT_HEAD_MAX: usize = 5;
    const ENTRY_HEAD_MAX: usize = 50;
    fields.fold(ENTRY_HEAD_MAX, |bytes, (name, value)| {
        bytes + 2 * (TEXT_HEAD_MAX + name.len()) + TEXT_HEAD_MAX + value.len()
    })
}

fn int_bytes(number: i64) -> usize {
    Packed::entry_bytes(Element::Int(number))
}

fn write_element<'b>(element: Element<'_>, target: &'b mut [u8]) -> &'b mut [u8] {
    let (place, rest) = target.split_at_mut(body_bytes(element));
    write_body(element, place);
    rest
}

impl std::fmt::Debug for Block {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} entries from {} to {}", self.live, self.first, self.last())
    }
}
