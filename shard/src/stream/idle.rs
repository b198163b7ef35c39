//! Pending entries of a group in the order in which they were delivered, so that those nobody has
//! touched for long are found without looking at the others.
//!
//! Kept only for groups that were asked for idle entries (CLAIM of XREADGROUP): the first question
//! sorts what is pending, O(n log n), and from then on the order costs 24 bytes and O(log n) per
//! pending entry; O(1) where an entry is delivered now, behind all others. Copies of a group and
//! groups from files have none until they are asked.
//!
//! Invariant: every pending entry of the group is listed, with the time its record has, but for
//! some whose entry is gone from the stream. Those leave the order, and only it, when they are come
//! across, so that they are passed once and not by every question.

use super::id::StreamId;
use super::log::Log;
use super::runs::Runs;

/// When an entry was delivered, in milliseconds since 1970, and which.
type Delivery = (i64, StreamId);

/// Ids of pending entries by the time of their delivery.
#[derive(Debug, Default)]
pub(super) struct DeliveryOrder(Runs<Delivery>);

impl DeliveryOrder {
    /// The order of these deliveries. O(n log n).
    pub(super) fn of(deliveries: impl Iterator<Item = Delivery>) -> Self {
        let mut sorted: Vec<Delivery> = deliveries.collect();
        sorted.sort_unstable();
        let mut order = Self::default();
        sorted.into_iter().for_each(|delivery| order.0.push(delivery));
        order
    }

    /// Bytes on the heap. O(1).
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Lists a delivery. O(log n); O(1) if it is the last.
    pub(super) fn insert(&mut self, delivered_ms: i64, id: StreamId) {
        let delivery = (delivered_ms, id);
        let place = match self.0.last() {
            Some(last) if *last >= delivery => self.0.search(|other| other.cmp(&delivery)),
            _ => Err(self.0.end()),
        };
        self.0.insert(place.expect_err("a pending entry was delivered once"), delivery);
    }

    /// Takes a delivery off the list, if it is there. O(log n).
    pub(super) fn remove(&mut self, delivered_ms: i64, id: StreamId) {
        if let Ok(place) = self.0.search(|other| other.cmp(&(delivered_ms, id))) {
            self.0.remove(place);
        }
    }

    /// When the first of the entries that are there was delivered. O(1), and O(log n) for each that
    /// is gone and leaves the order.
    pub(super) fn first_ms(&mut self, log: &Log) -> Option<i64> {
        while let Some(&(delivered_ms, id)) = self.0.first() {
            if log.contains(id) {
                return Some(delivered_ms);
            }
            self.0.remove_first();
        }
        None
    }

    /// Up to `count_max` of the entries that are there and were delivered by `until_ms`, first come
    /// first. O(log n) for each, and for each that is gone and leaves the order.
    pub(super) fn until(&mut self, until_ms: i64, count_max: usize, log: &Log) -> Vec<StreamId> {
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for &(delivered_ms, id) in self.0.iter().take_while(|delivery| delivery.0 <= until_ms) {
            if found.len() == count_max {
                break;
            }
            if log.contains(id) {
                found.push(id);
            } else {
                gone.push((delivered_ms, id));
            }
        }
        gone.into_iter().for_each(|(delivered_ms, id)| self.remove(delivered_ms, id));
        found
    }
}
