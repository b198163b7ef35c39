//! A sorted sequence that grows and shrinks mostly at its ends.
//!
//! Blocks of entries, pending entries and names all need the same: adding behind the last element
//! and taking the first away in O(1), finding one in O(log n), inserting and removing anywhere
//! without ever moving much, and memory that can be told exactly at any moment.
//!
//! ```text
//! runs:  | run | run | run | ...          a deque, 24 bytes a run
//!           |
//!           | e | e | e | ... |           at most RUN_LEN_MAX elements, sorted
//! ```
//!
//! Appending fills runs up. Insertion elsewhere splits a full run in the middle; removal joins a
//! run with the next when half a run holds both. The deque of ten million elements is two
//! megabytes at most, and a split or join moves half of that at worst.
//!
//! Invariants: no run is empty; elements ascend within and across runs, by the order all callers
//! of one sequence search by; `bytes` is the sum of all allocations by size class.

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::table::size_class;

/// Most elements of a run.
const RUN_LEN_MAX: usize = 128;

/// A sorted sequence of elements.
#[derive(Debug)]
pub(super) struct Runs<T> {
    runs: VecDeque<Vec<T>>,
    len: usize,
    bytes: usize,
}

/// Where an element is or would be. Any change of the sequence may make it mean another element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    run: usize,
    index: usize,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { runs: VecDeque::new(), len: 0, bytes: 0 }
    }
}

impl<T: Clone> Clone for Runs<T> {
    fn clone(&self) -> Self {
        // A copy has no spare room, so its bytes are not those of the original.
        let runs = self.runs.clone();
        let held: usize = runs.iter().map(|run| allocation_bytes::<T>(run.capacity())).sum();
        let bytes = held + allocation_bytes::<Vec<T>>(runs.capacity());
        Self { runs, len: self.len, bytes }
    }
}

/// Reading.
impl<T> Runs<T> {
    /// Number of elements. O(1).
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none. O(1).
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of all allocations, without what elements hold elsewhere. O(1).
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first element. O(1).
    pub(super) fn first(&self) -> Option<&T> {
        self.runs.front()?.first()
    }

    /// The last element. O(1).
    pub(super) fn last(&self) -> Option<&T> {
        self.runs.back()?.last()
    }

    /// The last element, for changes that leave it the last. O(1).
    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        self.runs.back_mut()?.last_mut()
    }

    /// The element at a place, or `None` behind the last.
    pub(super) fn get(&self, place: Place) -> Option<&T> {
        self.runs.get(place.run)?.get(place.index)
    }

    /// The element at a place, for changes that leave it there.
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.runs.get_mut(place.run)?.get_mut(place.index)
    }

    /// Where the sequence begins.
    pub(super) fn start(&self) -> Place {
        Place { run: 0, index: 0 }
    }

    /// Behind the last element.
    pub(super) fn end(&self) -> Place {
        Place { run: self.runs.len(), index: 0 }
    }

    /// The place behind one that holds an element. O(1).
    pub(super) fn next(&self, place: Place) -> Place {
        self.settled(Place { index: place.index + 1, ..place })
    }

    /// The place in front. O(1).
    pub(super) fn previous(&self, place: Place) -> Option<Place> {
        match place.index.checked_sub(1) {
            Some(index) => Some(Place { index, ..place }),
            None => {
                let run = place.run.checked_sub(1)?;
                Some(Place { run, index: self.runs[run].len() - 1 })
            }
        }
    }

    /// Turns a place behind the last element of a run into the first of the next.
    fn settled(&self, place: Place) -> Place {
        match self.runs.get(place.run) {
            Some(run) if place.index < run.len() => place,
            Some(_) => Place { run: place.run + 1, index: 0 },
            None => self.end(),
        }
    }

    /// The place of the element that `order` calls equal; else where it would have to go.
    /// O(log n).
    pub(super) fn search(&self, mut order: impl FnMut(&T) -> Ordering) -> Result<Place, Place> {
        let behind = self.runs.partition_point(|run| order(&run[0]) != Ordering::Greater);
        let Some(run) = behind.checked_sub(1) else { return Err(self.start()) };
        match self.runs[run].binary_search_by(order) {
            Ok(index) => Ok(Place { run, index }),
            Err(index) => Err(Place { run, index }),
        }
    }

    /// The place of the first element that `order` does not call less. O(log n).
    pub(super) fn seek(&self, order: impl FnMut(&T) -> Ordering) -> Place {
        let (Ok(place) | Err(place)) = self.search(order);
        self.settled(place)
    }

    /// The elements from a place on.
    pub(super) fn from(&self, place: Place) -> impl Iterator<Item = &T> {
        let first = self.runs.get(place.run).map_or(&[][..], |run| &run[place.index..]);
        first.iter().chain(self.runs.iter().skip(place.run + 1).flatten())
    }

    /// All elements.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.runs.iter().flatten()
    }
}

/// Changing.
impl<T> Runs<T> {
    /// Adds an element behind the last. Amortised O(1).
    pub(super) fn push(&mut self, element: T) {
        if self.runs.back().is_none_or(|run| run.len() >= RUN_LEN_MAX) {
            self.insert_run(self.runs.len(), Vec::new());
        }
        let run = self.runs.len() - 1;
        self.change(run, |run| {
            grow(run);
            run.push(element);
        });
        self.len += 1;
    }

    /// Adds an element at a place found by [`Runs::search`]. O(log n), but for a split.
    pub(super) fn insert(&mut self, place: Place, element: T) {
        let run = self.runs.get(place.run).map_or(0, Vec::len);
        if place.run + 1 >= self.runs.len() && place.index >= run {
            return self.push(element);
        }
        let mut place = place;
        if run >= RUN_LEN_MAX {
            place = self.split(place);
        }
        self.change(place.run, |run| {
            grow(run);
            run.insert(place.index, element);
        });
        self.len += 1;
    }

    /// Takes the element at a place out; that place then is the one of its successor, unless a run
    /// ended there. O(1), but for a join.
    ///
    /// # Panics
    /// When there is none.
    pub(super) fn remove(&mut self, place: Place) -> T {
        let element = self.change(place.run, |run| {
            let element = run.remove(place.index);
            if run.len() < run.capacity() / 4 {
                run.shrink_to(run.len() * 2);
            }
            element
        });
        self.len -= 1;
        self.settle_run(place.run);
        element
    }

    /// Takes the first element out. O(elements of a run).
    pub(super) fn remove_first(&mut self) -> Option<T> {
        (!self.is_empty()).then(|| self.remove(self.start()))
    }

    /// Removes a run that is empty, or joins it with the next if they are small.
    fn settle_run(&mut self, run: usize) {
        let len = self.runs[run].len();
        if len == 0 {
            self.remove_run(run);
        } else if self.runs.get(run + 1).is_some_and(|next| len + next.len() <= RUN_LEN_MAX / 2) {
            let next = self.remove_run(run + 1);
            self.change(run, |run| run.extend(next));
        }
    }

    /// Moves half of a run into a new one. Returns where `place` went.
    fn split(&mut self, place: Place) -> Place {
        let tail = self.change(place.run, |run| {
            let tail = run.split_off(run.len() / 2);
            run.shrink_to_fit();
            tail
        });
        let kept = self.runs[place.run].len();
        self.insert_run(place.run + 1, tail);
        match place.index.checked_sub(kept) {
            Some(index) => Place { run: place.run + 1, index },
            None => place,
        }
    }

    fn change<R>(&mut self, run: usize, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let run = &mut self.runs[run];
        let before = allocation_bytes::<T>(run.capacity());
        let result = change(run);
        self.bytes = self.bytes - before + allocation_bytes::<T>(run.capacity());
        result
    }

    fn insert_run(&mut self, at: usize, run: Vec<T>) {
        let before = allocation_bytes::<Vec<T>>(self.runs.capacity());
        if self.runs.len() == self.runs.capacity() {
            self.runs.reserve_exact(self.runs.len() / 2 + 1);
        }
        self.bytes += allocation_bytes::<T>(run.capacity());
        self.runs.insert(at, run);
        self.bytes = self.bytes - before + allocation_bytes::<Vec<T>>(self.runs.capacity());
    }

    fn remove_run(&mut self, at: usize) -> Vec<T> {
        let before = allocation_bytes::<Vec<T>>(self.runs.capacity());
        let run = self.runs.remove(at).expect("the caller has seen the run");
        if self.runs.len() < self.runs.capacity() / 4 {
            self.runs.shrink_to(self.runs.len() * 2);
        }
        self.bytes = self.bytes - before + allocation_bytes::<Vec<T>>(self.runs.capacity())
            - allocation_bytes::<T>(run.capacity());
        run
    }
}

fn allocation_bytes<T>(capacity: usize) -> usize {
    size_class(capacity * size_of::<T>())
}

/// Makes room for one more element, filling a size class. Amortised O(1).
fn grow<T>(run: &mut Vec<T>) {
    if run.len() == run.capacity() {
        let wanted = run.len() + run.len() / 4 + 1;
        let capacity = size_class(wanted.min(RUN_LEN_MAX) * size_of::<T>()) / size_of::<T>();
        run.reserve_exact(capacity - run.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn audit(runs: &Runs<u32>) {
        let elements: usize = runs.runs.iter().map(Vec::len).sum();
        assert_eq!(elements, runs.len());
        assert!(runs.runs.iter().all(|run| !run.is_empty() && run.len() <= RUN_LEN_MAX));
        let held: usize = runs.runs.iter().map(|run| allocation_bytes::<u32>(run.capacity())).sum();
        assert_eq!(runs.bytes(), held + allocation_bytes::<Vec<u32>>(runs.runs.capacity()));
    }

    proptest! {
        /// Insertions and removals, `front` of ten of them at the front, against a vector.
        #[test]
        fn keeps_elements_in_order(
            changes in prop::collection::vec((any::<bool>(), 0u32..2000), 0..1500),
            ascending in 0u32..600,
        ) {
            let mut runs = Runs::default();
            (0..ascending).for_each(|element| runs.push(element * 3));
            let mut model: Vec<u32> = (0..ascending).map(|element| element * 3).collect();
            for (adds, element) in changes {
                match (adds, runs.search(|other| other.cmp(&element))) {
                    (true, Err(place)) => {
                        runs.insert(place, element);
                        let at = model.partition_point(|other| *other < element);
                        model.insert(at, element);
                    }
                    (false, Ok(place)) => {
                        prop_assert_eq!(runs.remove(place), element);
                        model.retain(|other| *other != element);
                    }
                    (true, Ok(place)) => prop_assert_eq!(runs.get(place), Some(&element)),
                    (false, Err(_)) => prop_assert!(!model.contains(&element)),
                }
                audit(&runs);
            }
            prop_assert!(runs.iter().eq(model.iter()));
            for bound in [0, 7, 500, 1000, 5000] {
                let place = runs.seek(|other| other.cmp(&bound));
                let expected = model.iter().filter(|other| **other >= bound);
                prop_assert!(runs.from(place).eq(expected));
                let before = runs.previous(place).and_then(|place| runs.get(place));
                prop_assert_eq!(before, model.iter().rfind(|other| **other < bound));
            }
            while let Some(first) = runs.remove_first() {
                prop_assert_eq!(first, model.remove(0));
                audit(&runs);
            }
            prop_assert!(model.is_empty() && runs.last().is_none());
            prop_assert_eq!(runs.bytes(), allocation_bytes::<Vec<u32>>(runs.runs.capacity()));
        }
    }
}
