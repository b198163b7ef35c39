//! Times at which something in a table is due, in order.
//!
//! Two places need to know what expires next without looking at everything: a hash whose fields
//! have a time to live, and a slot that has such hashes. What is due is named by the hash of its
//! key: a [`Position`] in its table, where a scan finds it again. So an item is twelve bytes
//! whatever the key is, and nothing here points to anything.
//!
//! ```text
//! item:    | deadline, ms since 1970: 48 bits | position: 48 bits |
//! chunks:  [ i i i i . . . . ] [ i i i i i i i i ] ...      ascending, at most 128 items each
//! ```
//!
//! Deadlines mostly come in ascending order (now plus a fixed time), so a full last chunk is not
//! split but followed by a new one; everything else splits in halves. Chunks that run low join
//! their neighbour. Twelve to twenty bytes per item, all told.
//!
//! The same item may be there several times; each [`Deadlines::remove`] takes one.

use crate::table::{Position, size_class};

/// Deadlines lie below this: 48 bits of milliseconds reach to the year 10889.
pub(crate) const DEADLINE_END_MS: i64 = 1 << 48;

/// Items of a chunk at most: 1,536 bytes, a size class.
const CHUNK_ITEMS_MAX: usize = 128;

/// Two neighbours with no more items than this together become one chunk.
const JOINED_ITEMS_MAX: usize = CHUNK_ITEMS_MAX / 2;

const _: () = assert!(Position::BITS == 48);

/// A deadline and a position as one number of 96 bits, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Item([u32; 3]);

impl Item {
    fn new(deadline_ms: i64, position: Position) -> Self {
        assert!((0..DEADLINE_END_MS).contains(&deadline_ms), "a deadline has 48 bits");
        let (deadline, position) = (deadline_ms as u64, position.to_bits());
        let middle = (deadline as u32) << 16 | (position >> 32) as u32;
        Self([(deadline >> 16) as u32, middle, position as u32])
    }

    fn deadline_ms(self) -> i64 {
        i64::from(self.0[0]) << 16 | i64::from(self.0[1] >> 16)
    }

    fn position(self) -> Position {
        Position::from_bits(u64::from(self.0[1] & 0xffff) << 32 | u64::from(self.0[2]))
    }
}

/// Ordered deadlines, each with the position of what is due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    chunks: Vec<Vec<Item>>,
    /// Bytes of the chunks, without the list of them.
    chunk_bytes: usize,
}

impl Deadlines {
    /// Whether there is none. O(1).
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The earliest deadline, in milliseconds since 1970. O(1).
    pub(crate) fn first_ms(&self) -> Option<i64> {
        Some(self.chunks.first()?[0].deadline_ms())
    }

    /// Bytes on the heap. O(1).
    pub(crate) fn footprint_bytes(&self) -> usize {
        size_class(self.chunks.capacity() * size_of::<Vec<Item>>()) + self.chunk_bytes
    }

    /// How many lie before `now_ms`. O(chunks that do).
    pub(crate) fn count_before(&self, now_ms: i64) -> usize {
        let mut count = 0;
        for chunk in &self.chunks {
            let due = chunk.partition_point(|item| item.deadline_ms() < now_ms);
            count += due;
            if due < chunk.len() {
                break;
            }
        }
        count
    }

    /// Adds a deadline. O(log items), moving at most a chunk, and rarely the list of chunks.
    ///
    /// # Panics
    /// When the deadline is negative or not below [`DEADLINE_END_MS`].
    pub(crate) fn insert(&mut self, deadline_ms: i64, position: Position) {
        let item = Item::new(deadline_ms, position);
        let index = self.chunk_of(item);
        let Some(chunk) = self.chunks.get(index) else {
            self.chunks.push(Vec::new());
            return self.change(index, |chunk| chunk.push(item));
        };
        let place = chunk.partition_point(|other| *other < item);
        if chunk.len() < CHUNK_ITEMS_MAX {
            return self.change(index, |chunk| chunk.insert(place, item));
        }
        let is_last = index + 1 == self.chunks.len();
        let kept = if is_last && place == chunk.len() { place } else { CHUNK_ITEMS_MAX / 2 };
        self.chunks.insert(index + 1, Vec::new());
        let mut moved = Vec::new();
        self.change(index, |chunk| {
            moved.extend_from_slice(&chunk[kept..]);
            chunk.truncate(kept);
            chunk.shrink_to(kept);
        });
        self.change(index + 1, |chunk| chunk.append(&mut moved));
        let (index, place) = if place < kept { (index, place) } else { (index + 1, place - kept) };
        self.change(index, |chunk| chunk.insert(place, item));
    }

    /// Removes one deadline of that time and position. Returns whether it was there. Costs as
    /// [`Deadlines::insert`].
    pub(crate) fn remove(&mut self, deadline_ms: i64, position: Position) -> bool {
        let item = Item::new(deadline_ms, position);
        let index = self.chunk_of(item);
        let Some(Ok(place)) = self.chunks.get(index).map(|chunk| chunk.binary_search(&item)) else {
            return false;
        };
        self.remove_at(index, place);
        true
    }

    /// Takes the earliest deadline if it lies before `now_ms`. Costs as [`Deadlines::insert`].
    pub(crate) fn pop_before(&mut self, now_ms: i64) -> Option<(i64, Position)> {
        let first = *self.chunks.first()?.first()?;
        if first.deadline_ms() >= now_ms {
            return None;
        }
        self.remove_at(0, 0);
        Some((first.deadline_ms(), first.position()))
    }

    /// The chunk an item is in or belongs into.
    fn chunk_of(&self, item: Item) -> usize {
        let after = self.chunks.partition_point(|chunk| chunk[0] <= item);
        after.saturating_sub(1)
    }

    fn remove_at(&mut self, index: usize, place: usize) {
        self.change(index, |chunk| {
            chunk.remove(place);
            if chunk.len() * 4 <= chunk.capacity() {
                chunk.shrink_to(chunk.len() * 2);
            }
        });
        if self.chunks[index].is_empty() {
            let emptied = self.chunks.remove(index);
            self.chunk_bytes -= chunk_bytes(&emptied);
            if self.chunks.len() * 4 <= self.chunks.capacity() {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else if self.joins(index) {
            self.join(index);
        } else if index > 0 && self.joins(index - 1) {
            self.join(index - 1);
        }
    }

    /// Whether a chunk and the one behind it have become small enough for one.
    fn joins(&self, index: usize) -> bool {
        let Some(next) = self.chunks.get(index + 1) else { return false };
        self.chunks[index].len() + next.len() <= JOINED_ITEMS_MAX
    }

    fn join(&mut self, index: usize) {
        let mut next = self.chunks.remove(index + 1);
        self.chunk_bytes -= chunk_bytes(&next);
        self.change(index, |chunk| chunk.append(&mut next));
    }

    /// Changes a chunk and keeps the account of its memory.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Vec<Item>)) {
        let chunk = &mut self.chunks[index];
        let before = chunk_bytes(chunk);
        change(chunk);
        self.chunk_bytes = self.chunk_bytes - before + chunk_bytes(chunk);
    }
}

fn chunk_bytes(chunk: &Vec<Item>) -> usize {
    size_class(chunk.capacity() * size_of::<Item>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(deadlines: &Deadlines) -> Vec<(i64, u64)> {
        let all = deadlines.chunks.iter().flatten();
        all.map(|item| (item.deadline_ms(), item.position().to_bits())).collect()
    }

    fn assert_sound(deadlines: &Deadlines) {
        let bytes: usize = deadlines.chunks.iter().map(chunk_bytes).sum();
        assert_eq!(deadlines.chunk_bytes, bytes);
        assert!(deadlines.chunks.iter().all(|chunk| (1..=CHUNK_ITEMS_MAX).contains(&chunk.len())));
        assert!(items(deadlines).is_sorted());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(i64, u64),
        Remove(usize),
        Pop(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0i64..2000, 0u64..4).prop_map(|(ms, at)| Step::Insert(ms, at)),
            3 => any::<usize>().prop_map(Step::Remove),
            1 => (0i64..2000).prop_map(Step::Pop),
        ]
    }

    proptest! {
        #[test]
        fn deadlines_behave_as_a_sorted_list(steps in prop::collection::vec(step(), 0..1500)) {
            let (mut deadlines, mut model) = (Deadlines::default(), Vec::<(i64, u64)>::new());
            for step in steps {
                match step {
                    Step::Insert(ms, at) => {
                        deadlines.insert(ms, Position::from_bits(at));
                        let place = model.partition_point(|item| *item <= (ms, at));
                        model.insert(place, (ms, at));
                    }
                    Step::Remove(index) if !model.is_empty() => {
                        let (ms, at) = model.remove(index % model.len());
                        prop_assert!(deadlines.remove(ms, Position::from_bits(at)));
                    }
                    Step::Remove(_) => {
                        prop_assert!(!deadlines.remove(1, Position::START));
                    }
                    Step::Pop(now_ms) => {
                        let due = model.iter().filter(|(ms, _)| *ms < now_ms).count();
                        prop_assert_eq!(deadlines.count_before(now_ms), due);
                        let popped = deadlines.pop_before(now_ms);
                        let popped = popped.map(|(ms, at)| (ms, at.to_bits()));
                        prop_assert_eq!(popped, (due > 0).then(|| model.remove(0)));
                    }
                }
                prop_assert_eq!(deadlines.first_ms(), model.first().map(|(ms, _)| *ms));
            }
            assert_sound(&deadlines);
            prop_assert_eq!(items(&deadlines), model);
        }
    }

    #[test]
    fn ascending_deadlines_fill_their_chunks() {
        let mut deadlines = Deadlines::default();
        for ms in 0..10_000 {
            deadlines.insert(ms, Position::from_bits(1 << 47));
        }
        assert_sound(&deadlines);
        assert!(deadlines.footprint_bytes() < 10_000 * 13, "{}", deadlines.footprint_bytes());
        while deadlines.pop_before(i64::MAX).is_some() {}
        assert!(deadlines.is_empty());
        assert_eq!(deadlines.footprint_bytes(), 0);
    }
}
