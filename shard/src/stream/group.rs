//! A consumer group: how far it has read, who reads for it, and what was delivered but not yet
//! acknowledged.
//!
//! ```text
//! group      | pending: id, delivered, deliveries, consumer | ...    sorted by id
//!            | consumers, at stable numbers                 | ...
//!            | their numbers                                | ...    sorted by name
//!
//! consumer   | ids of what is pending for it | ...                   sorted
//! ```
//!
//! A pending entry has one record, that of the group; the list of its consumer holds the id only.
//! To find what is pending for a consumer costs a search in the group's list per entry; in return
//! a pending entry takes 56 bytes in all. Groups that are asked for idle entries also keep the
//! order in which entries were delivered (see [`super::idle`]).
//!
//! Invariants: an id is in the list of exactly the consumer its record names; `consumer_bytes` is
//! what the consumers hold on the heap.

use super::id::StreamId;
use super::idle::DeliveryOrder;
use super::log::Log;
use super::runs::Runs;
use crate::table::size_class;

/// Which consumer of a group. Good until that consumer is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// Somebody who reads for a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried to read or claim, in milliseconds since 1970.
    pub seen_ms: i64,
    /// When it last got something, in milliseconds since 1970.
    pub active_ms: Option<i64>,
    pending: Runs<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Number of entries pending for it. O(1).
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// Ids of the entries pending for it, from `start` on. O(log n) for the first.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = StreamId> {
        self.pending.from(self.pending.seek(|id| id.cmp(&start))).copied()
    }

    fn heap_bytes(&self) -> usize {
        size_class(self.name.len()) + self.pending.bytes()
    }
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: StreamId,
    /// When it was last delivered, in milliseconds since 1970.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// Who has it.
    pub consumer: ConsumerId,
}

const _: () = assert!(size_of::<Pending>() == 40);

/// A consumer group.
#[derive(Debug)]
pub struct Group {
    name: Box<[u8]>,
    last_id: StreamId,
    entries_read: Option<u64>,
    pending: Runs<Pending>,
    /// Made when it is first asked for.
    delivery_order: Option<DeliveryOrder>,
    consumers: Vec<Option<Consumer>>,
    free: Vec<u32>,
    by_name: Runs<ConsumerId>,
    consumer_bytes: usize,
}

impl Clone for Group {
    fn clone(&self) -> Self {
        let consumers = self.consumers.clone();
        // Copies have no spare room, so their bytes are not those of the originals.
        let consumer_bytes = consumers.iter().flatten().map(Consumer::heap_bytes).sum();
        Self {
            name: self.name.clone(),
            last_id: self.last_id,
            entries_read: self.entries_read,
            pending: self.pending.clone(),
            delivery_order: None,
            consumers,
            free: self.free.clone(),
            by_name: self.by_name.clone(),
            consumer_bytes,
        }
    }
}

/// Reading.
impl Group {
    pub(super) fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            pending: Runs::default(),
            delivery_order: None,
            consumers: Vec::new(),
            free: Vec::new(),
            by_name: Runs::default(),
            consumer_bytes: 0,
        }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The id of the last entry that was delivered.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// How many entries were read, counted from the first that was ever added; `None` if unknown.
    pub fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// How many entries there are still to read; `None` if that cannot be told.
    pub fn lag(&self, log: &Log) -> Option<i64> {
        let added = log.entries_added();
        let read = match self.entries_read {
            _ if added == 0 => 0,
            Some(read) if !log.has_gaps_from(self.last_id) => read,
            _ => log.count_up_to(self.last_id)?,
        };
        Some(added.wrapping_sub(read) as i64)
    }

    /// Number of consumers. O(1).
    pub fn consumer_len(&self) -> usize {
        self.by_name.len()
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name.iter().map(|id| self.consumer(*id))
    }

    /// The consumer of that name. O(log consumers).
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        let place = self.by_name.search(|id| self.consumer(*id).name().cmp(name)).ok()?;
        self.by_name.get(place).copied()
    }

    /// The consumer.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        self.consumers[id.0 as usize].as_ref().expect("the consumer is there")
    }

    /// Number of pending entries. O(1).
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The pending entries from `start` on. O(log n) for the first.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = &Pending> {
        self.pending.from(self.pending.seek(|pending| pending.id.cmp(&start)))
    }

    /// The last pending entry. O(1).
    pub fn last_pending(&self) -> Option<&Pending> {
        self.pending.last()
    }

    /// The pending entry with this id. O(log n).
    pub fn find_pending(&self, id: StreamId) -> Option<&Pending> {
        let place = self.pending.search(|pending| pending.id.cmp(&id)).ok()?;
        self.pending.get(place)
    }

    /// Bytes on the heap. O(1).
    pub fn footprint_bytes(&self) -> usize {
        size_class(self.name.len())
            + self.pending.bytes()
            + self.delivery_order.as_ref().map_or(0, DeliveryOrder::bytes)
            + size_class(self.consumers.capacity() * size_of::<Option<Consumer>>())
            + size_class(self.free.capacity() * size_of::<u32>())
            + self.by_name.bytes()
            + self.consumer_bytes
    }
}

/// Position.
impl Group {
    /// Sets how far the group has read.
    pub fn set_position(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.last_id = last_id;
        self.entries_read = entries_read;
    }

    /// Notes that the entry `id` was delivered; whether it is news.
    pub fn advance(&mut self, id: StreamId, log: &Log) -> bool {
        if id <= self.last_id {
            return false;
        }
        match self.entries_read {
            Some(read) if !log.has_gaps_from(id) => self.entries_read = Some(read.wrapping_add(1)),
            _ if log.entries_added() > 0 => self.entries_read = log.count_up_to(id),
            _ => {}
        }
        self.last_id = id;
        true
    }

    /// Moves the last delivered id on, and never back; whether it moved.
    pub fn raise_last_id(&mut self, id: StreamId) -> bool {
        let is_greater = id > self.last_id;
        self.last_id = self.last_id.max(id);
        is_greater
    }
}

/// Consumers.
impl Group {
    /// Adds a consumer; `None` if there is one of that name. O(log consumers).
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerId> {
        let place = self.by_name.search(|id| self.consumer(*id).name().cmp(name)).err()?;
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: Runs::default(),
        };
        self.consumer_bytes += consumer.heap_bytes();
        let id = match self.free.pop() {
            Some(index) => {
                self.consumers[index as usize] = Some(consumer);
                ConsumerId(index)
            }
            None => {
                let index = u32::try_from(self.consumers.len()).expect("memory ends before that");
                if self.consumers.len() == self.consumers.capacity() {
                    self.consumers.reserve_exact(self.consumers.len() / 2 + 1);
                }
                self.consumers.push(Some(consumer));
                ConsumerId(index)
            }
        };
        self.by_name.insert(place, id);
        Some(id)
    }

    /// Deletes a consumer with all that is pending for it. Returns how many entries that were.
    /// O(pending entries * log n).
    pub fn delete_consumer(&mut self, id: ConsumerId) -> usize {
        let name = self.consumer(id).name();
        let place = self.by_name.search(|other| self.consumer(*other).name().cmp(name));
        self.by_name.remove(place.expect("all consumers are listed by name"));
        let consumer = self.consumers[id.0 as usize].take().expect("the consumer is there");
        self.free.push(id.0);
        self.consumer_bytes -= consumer.heap_bytes();
        for pending in consumer.pending.iter() {
            self.remove_record(*pending);
        }
        consumer.pending.len()
    }

    /// The consumer, for changing its times.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.consumers[id.0 as usize].as_mut().expect("the consumer is there")
    }

    fn change_pending_of<R>(
        &mut self,
        consumer: ConsumerId,
        change: impl FnOnce(&mut Runs<StreamId>) -> R,
    ) -> R {
        let list = &mut self.consumer_mut(consumer).pending;
        let before = list.bytes();
        let result = change(list);
        let after = list.bytes();
        self.consumer_bytes = self.consumer_bytes - before + after;
        result
    }
}

/// Pending entries.
impl Group {
    /// Makes an entry pending for a consumer, or changes who has it, when it was delivered and how
    /// often. O(log n); O(1) for a greater id than all others.
    pub fn assign(&mut self, pending: Pending) {
        let Pending { id, delivered_ms, consumer, .. } = pending;
        let found = match self.pending.last() {
            Some(last) if last.id >= id => self.pending.search(|other| other.id.cmp(&id)),
            _ => Err(self.pending.end()),
        };
        match found {
            Err(place) => {
                self.pending.insert(place, pending);
                self.note_delivery(id, None, delivered_ms);
            }
            Ok(place) => {
                let record = self.pending.get_mut(place).expect("it was found");
                let old = std::mem::replace(record, pending);
                self.note_delivery(id, Some(old.delivered_ms), delivered_ms);
                if old.consumer == consumer {
                    return;
                }
                self.remove_from_consumer(old.consumer, id);
            }
        }
        self.change_pending_of(consumer, |list| {
            let place = match list.last() {
                Some(last) if *last >= id => list.search(|other| other.cmp(&id)),
                _ => Err(list.end()),
            };
            list.insert(place.expect_err("an entry is pending for one consumer"), id);
        });
    }

    /// Takes an entry off the pending ones; whether it was one. O(log n).
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.remove_record(id) else { return false };
        self.remove_from_consumer(pending.consumer, id);
        true
    }

    fn remove_record(&mut self, id: StreamId) -> Option<Pending> {
        let place = self.pending.search(|pending| pending.id.cmp(&id)).ok()?;
        let record = self.pending.remove(place);
        if let Some(order) = &mut self.delivery_order {
            order.remove(record.delivered_ms, id);
        }
        Some(record)
    }

    fn note_delivery(&mut self, id: StreamId, old_ms: Option<i64>, delivered_ms: i64) {
        let Some(order) = &mut self.delivery_order else { return };
        if let Some(old_ms) = old_ms {
            order.remove(old_ms, id);
        }
        order.insert(delivered_ms, id);
    }

    fn remove_from_consumer(&mut self, consumer: ConsumerId, id: StreamId) {
        self.change_pending_of(consumer, |list| {
            let place = list.search(|other| other.cmp(&id));
            list.remove(place.expect("the consumer of a pending entry lists it"));
        });
    }
}

/// Idle entries. The first question of a group sorts its pending entries; see [`super::idle`].
impl Group {
    /// When the pending entry that waits for longest was delivered, of those that are in the
    /// stream. O(1) but for entries that are gone, each of which is passed once.
    pub fn first_delivered_ms(&mut self, log: &Log) -> Option<i64> {
        self.delivery_order().first_ms(log)
    }

    /// Up to `count_max` pending entries that were delivered by `until_ms` and are in the stream,
    /// those that wait for longest first. O(log n) for each.
    pub fn delivered_until(&mut self, until_ms: i64, count_max: usize, log: &Log) -> Vec<Pending> {
        let ids = self.delivery_order().until(until_ms, count_max, log);
        let record = |id| *self.find_pending(id).expect("only pending entries are listed");
        ids.into_iter().map(record).collect()
    }

    /// Forgets which pending entries were found to be gone.
    pub(super) fn forget_delivery_order(&mut self) {
        self.delivery_order = None;
    }

    fn delivery_order(&mut self) -> &mut DeliveryOrder {
        let Self { delivery_order, pending, .. } = self;
        let deliveries = || pending.iter().map(|pending| (pending.delivered_ms, pending.id));
        delivery_order.get_or_insert_with(|| DeliveryOrder::of(deliveries()))
    }
}
