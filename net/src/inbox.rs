//! The inbox of a core: a bounded queue with many senders and one receiver, first in first out
//! over all of them.
//!
//! ```text
//!   tail: claimed by senders with one fetch_add        head: the receiver's alone
//!     |                                                  |
//!     v                                                  v
//!   position  8    9    10   11            slots (capacity 4): position & 3
//!           [ 8 ][ 9 ][ 10 ][ 7 ]   stamps: p = free for position p
//!                                           p + 1 = holds the message of position p
//! ```
//!
//! **Why one counter.** A message takes its place in the order at the `fetch_add` on `tail`. If
//! one push happens before another, in one thread or through any chain of signals between
//! threads, its position is lower, and the receiver takes positions in order: enqueueing is
//! linearizable. The rule that every command takes effect at its enqueue instant rests on this. A
//! ring per sender would be cheaper to push to, but gives no order between senders.
//!
//! Invariants:
//! * A slot's stamp only grows: free for `p`, filled with `p`, free for `p + capacity`.
//! * Position `p` is written by the sender that claimed it and read once, by the receiver.
//! * At most `capacity` messages are inside. Senders hold credits given out elsewhere, so a full
//!   queue is a broken invariant and panics; it never blocks.
//! * The receiver can wait for a sender that has claimed a position and not yet written it: it is
//!   between two instructions, or was descheduled there, hence spinning first, yielding then.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Spins on an unwritten slot before the processor is given to somebody else, perhaps the writer.
const SPINS_BEFORE_YIELD: u32 = 64;

/// Keeps a value on cache lines of its own: two of them, since processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

struct Slot<T> {
    stamp: AtomicU64,
    message: UnsafeCell<MaybeUninit<T>>,
}

struct Ring<T> {
    tail: Padded<AtomicU64>,
    slots: Box<[Slot<T>]>,
    mask: u64,
}

// SAFETY: the ring hands messages from the threads of the senders to that of the receiver, so
// `T: Send` is needed. A slot's message is touched only by the sender that claimed its position
// and then by the one receiver; the stamp (release, acquire) orders the two.
unsafe impl<T: Send> Sync for Ring<T> {}
// SAFETY: as above; dropping the ring drops the messages inside, which are `Send`.
unsafe impl<T: Send> Send for Ring<T> {}

impl<T> Ring<T> {
    fn new(capacity: usize) -> Ring<T> {
        // With one slot, "free for the next lap" and "filled" would be the same stamp.
        let capacity = capacity.next_power_of_two().max(2);
        let slots = (0..capacity as u64)
            .map(|position| Slot {
                stamp: AtomicU64::new(position),
                message: UnsafeCell::new(MaybeUninit::uninit()),
            })
            .collect();
        Ring { tail: Padded(AtomicU64::new(0)), slots, mask: capacity as u64 - 1 }
    }

    #[inline]
    fn slot(&self, position: u64) -> &Slot<T> {
        &self.slots[(position & self.mask) as usize]
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let mask = self.mask;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let stamp = *slot.stamp.get_mut();
            if stamp & mask != index as u64 {
                assert_eq!(stamp.wrapping_sub(1) & mask, index as u64);
                // SAFETY: the stamp says that the slot is filled, and nobody else can reach it.
                unsafe { slot.message.get_mut().assume_init_drop() };
            }
        }
    }
}

/// Makes an inbox for at least `capacity` messages (rounded up to a power of two).
pub fn inbox<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let ring = Arc::new(Ring::new(capacity));
    (Sender { ring: Arc::clone(&ring) }, Receiver { ring, head: 0 })
}

/// The sending end. Clones share the inbox.
pub struct Sender<T> {
    ring: Arc<Ring<T>>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { ring: Arc::clone(&self.ring) }
    }
}

impl<T: Send> Sender<T> {
    /// Enqueues `message` and returns its position. O(1): one atomic addition, one slot.
    ///
    /// Does not wake the receiver; see [`Doorbell`](crate::doorbell::Doorbell).
    ///
    /// # Panics
    /// If the inbox is full: the sender had no credit. The inbox is unusable afterwards.
    #[inline]
    pub fn push(&self, message: T) -> u64 {
        let position = self.ring.tail.0.fetch_add(1, Ordering::SeqCst);
        let slot = self.ring.slot(position);
        let stamp = slot.stamp.load(Ordering::Acquire);
        assert!(stamp == position, "inbox is full: a message was sent without credit");
        // SAFETY: only this sender claimed `position`, and the stamp says that the receiver is
        // done with what the slot held before.
        unsafe { (*slot.message.get()).write(message) };
        slot.stamp.store(position + 1, Ordering::Release);
        position
    }

    /// Most messages that can be inside at once.
    pub fn capacity(&self) -> usize {
        self.ring.slots.len()
    }
}

/// The receiving end. There is one.
pub struct Receiver<T> {
    ring: Arc<Ring<T>>,
    head: u64,
}

impl<T: Send> Receiver<T> {
    /// The first position not claimed yet. Every push that happened before this call has a lower
    /// one, so draining until [`position`](Receiver::position) reaches it sees them all.
    #[inline]
    pub fn tail(&self) -> u64 {
        self.ring.tail.0.load(Ordering::SeqCst)
    }

    /// The position that the next [`pop`](Receiver::pop) takes.
    #[inline]
    pub fn position(&self) -> u64 {
        self.head
    }

    /// Whether no position after the ones taken is claimed.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tail() == self.head
    }

    /// Takes the next message in order; `None` if no position is claimed. O(1), but waits for a
    /// sender that has claimed the position and not yet written it.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let slot = self.ring.slot(self.head);
        if slot.stamp.load(Ordering::Acquire) != self.head + 1 {
            // The tail, which all senders write to, is looked at only when nothing is ready.
            if self.is_empty() {
                return None;
            }
            wait_until_written(slot, self.head);
        }
        // SAFETY: the stamp says that the slot holds the message of `head`, written before the
        // stamp was. It is moved out once: the stamp moves on to the next lap.
        let message = unsafe { (*slot.message.get()).assume_init_read() };
        slot.stamp.store(self.head + self.ring.slots.len() as u64, Ordering::Release);
        self.head += 1;
        Some(message)
    }
}

/// The sender of `position` is between its two instructions.
#[cold]
fn wait_until_written<T>(slot: &Slot<T>, position: u64) {
    let mut spins = 0;
    while slot.stamp.load(Ordering::Acquire) != position + 1 {
        if spins < SPINS_BEFORE_YIELD {
            spins += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "the seed of a failing run")]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicI64, AtomicUsize};
    use std::thread;

    #[test]
    fn behaves_like_a_queue() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (sender, mut receiver) = inbox::<Box<u64>>(8);
        let mut model = VecDeque::new();
        for number in 0..10_000 {
            if model.len() < sender.capacity() && random.bool() {
                assert_eq!(sender.push(Box::new(number)), receiver.tail() - 1);
                model.push_back(number);
            } else {
                assert_eq!(receiver.pop().map(|message| *message), model.pop_front());
            }
            assert_eq!(receiver.is_empty(), model.is_empty());
            assert_eq!(receiver.tail() - receiver.position(), model.len() as u64);
        }
    }

    #[test]
    #[should_panic(expected = "inbox is full")]
    fn a_push_without_credit_panics() {
        let (sender, _receiver) = inbox(3);
        for number in 0..=sender.capacity() {
            sender.push(number);
        }
    }

    #[test]
    fn messages_left_inside_are_dropped_once() {
        let counter = Arc::new(());
        for popped in 0..9 {
            let (sender, mut receiver) = inbox(4);
            for _ in 0..popped {
                sender.push(Arc::clone(&counter));
                assert!(receiver.pop().is_some());
            }
            for left in 0..4 {
                assert_eq!(Arc::strong_count(&counter), 1 + left);
                sender.push(Arc::clone(&counter));
            }
            drop((sender, receiver));
            assert_eq!(Arc::strong_count(&counter), 1);
        }
    }

    /// Every sender's messages keep their order, over many laps of a small ring.
    #[test]
    fn each_sender_keeps_its_order() {
        const SENDERS: usize = 4;
        const MESSAGES: u64 = 20_000;
        let (sender, mut receiver) = inbox(64);
        let credits = AtomicI64::new(64);
        thread::scope(|scope| {
            for id in 0..SENDERS {
                let (sender, credits) = (sender.clone(), &credits);
                scope.spawn(move || {
                    for number in 0..MESSAGES {
                        while credits.fetch_sub(1, Ordering::Acquire) <= 0 {
                            credits.fetch_add(1, Ordering::Release);
                            thread::yield_now();
                        }
                        sender.push((id, number));
                    }
                });
            }
            let mut next = [0; SENDERS];
            while next.iter().sum::<u64>() < SENDERS as u64 * MESSAGES {
                let Some((id, number)) = receiver.pop() else {
                    thread::yield_now();
                    continue;
                };
                assert_eq!(number, next[id]);
                next[id] += 1;
                credits.fetch_add(1, Ordering::Release);
            }
        });
        assert!(receiver.is_empty());
    }

    /// One sender tells another, past the inbox, that it has pushed: what the other pushes then
    /// must come later. The receiver's `tail` keeps the same promise.
    #[test]
    fn order_holds_across_senders() {
        const ROUNDS: usize = 20_000;
        let (sender, mut receiver) = inbox(2 * ROUNDS);
        let pushed = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (first, second) = (sender.clone(), sender.clone());
            let pushed = &pushed;
            scope.spawn(move || {
                for round in 1..=ROUNDS {
                    first.push(('a', round));
                    pushed.store(round, Ordering::Release);
                }
            });
            scope.spawn(move || {
                let mut seen = 0;
                while seen < ROUNDS {
                    seen = pushed.load(Ordering::Acquire);
                    second.push(('b', seen));
                    while seen < ROUNDS && pushed.load(Ordering::Acquire) == seen {
                        thread::yield_now();
                    }
                }
            });
            let mut from_first = 0;
            loop {
                let announced = pushed.load(Ordering::Acquire);
                let tail = receiver.tail();
                while receiver.position() < tail {
                    match receiver.pop() {
                        Some(('a', round)) => from_first = round,
                        Some((_, round)) => assert!(from_first >= round, "overtaken"),
                        None => unreachable!("a claimed position was not waited for"),
                    }
                }
                assert!(from_first >= announced, "not before the tail");
                if from_first == ROUNDS {
                    break;
                }
            }
        });
    }
}
