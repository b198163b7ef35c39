//! The way between cores that share a thread: an inbox each, first in first out over all senders.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use basalt_shard::core::message::Message;
use basalt_shard::core::{CoreId, Mesh};

#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    /// Messages taken out so far.
    taken: u64,
}

/// How many messages of each kind were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Batches of commands on their way, and on their way home.
    pub batches: u64,
    /// Batches that found a slot gone.
    pub bounced: u64,
    /// Envelopes, at each core they went to.
    pub envelopes: u64,
    /// Slots that were lent and went home, message by message.
    pub homes: u64,
    /// Tours, at each core they went to.
    pub tours: u64,
    /// Releases of parked cores that brought slots along.
    pub moves: u64,
    /// Parcels for those who wait, watch or monitor, bag by bag.
    pub bags: u64,
    /// Bags of news.
    pub news: u64,
    /// The most messages an inbox held.
    pub queue_max: usize,
}

impl Traffic {
    /// Adds that of another cluster.
    pub fn add(&mut self, other: Self) {
        self.batches += other.batches;
        self.bounced += other.bounced;
        self.envelopes += other.envelopes;
        self.homes += other.homes;
        self.tours += other.tours;
        self.moves += other.moves;
        self.bags += other.bags;
        self.news += other.news;
        self.queue_max = self.queue_max.max(other.queue_max);
    }

    /// All figures, and what they mean.
    pub(crate) fn figures(&self) -> [(u64, &'static str); 9] {
        [
            (self.batches, "batches of commands, there and back"),
            (self.bounced, "batches that found a slot gone"),
            (self.envelopes, "envelopes, at each core"),
            (self.homes, "slots that were lent and went home, message by message"),
            (self.tours, "tours, at each core"),
            (self.moves, "releases that brought slots along"),
            (self.bags, "bags of parcels"),
            (self.news, "bags of news"),
            (self.queue_max as u64, "messages in an inbox, at most"),
        ]
    }

    fn count(&mut self, message: &Message) {
        let counter = match message {
            Message::Batch(_) | Message::Answer(_) => &mut self.batches,
            Message::Bounced(_) => &mut self.bounced,
            Message::Envelope(_) => &mut self.envelopes,
            Message::Home(_) => &mut self.homes,
            Message::Tour(_) => &mut self.tours,
            Message::Release(release) if !release.slots.is_empty() => &mut self.moves,
            Message::Bag(_) => &mut self.bags,
            Message::News(_) => &mut self.news,
            _ => return,
        };
        *counter += 1;
    }
}

/// The inboxes of all cores.
#[derive(Clone)]
pub struct Network {
    inboxes: Arc<[Mutex<Inbox>]>,
    capacity: usize,
    traffic: Arc<Mutex<Traffic>>,
}

impl Network {
    /// Inboxes for `core_count` cores that hold `capacity` messages each.
    pub fn new(core_count: u16, capacity: usize) -> Self {
        let inboxes = (0..core_count).map(|_| Mutex::new(Inbox::default())).collect();
        Self { inboxes, capacity, traffic: Arc::default() }
    }

    /// Messages so far.
    pub fn traffic(&self) -> Traffic {
        *lock(&self.traffic)
    }

    /// Whether no message is under way.
    pub fn is_empty(&self) -> bool {
        self.inboxes.iter().all(|inbox| lock(inbox).messages.is_empty())
    }

    /// What core `core` sends and receives through.
    pub fn mesh_of(&self, core: CoreId) -> LoopMesh {
        LoopMesh { network: self.clone(), core }
    }
}

fn lock<T>(inbox: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    inbox.lock().expect("nobody panics while holding an inbox")
}

/// One core's view of the network.
pub struct LoopMesh {
    network: Network,
    core: CoreId,
}

impl Mesh for LoopMesh {
    fn send(&mut self, to: CoreId, message: Message) {
        let mut inbox = lock(&self.network.inboxes[to.index()]);
        let mut traffic = lock(&self.network.traffic);
        traffic.count(&message);
        inbox.messages.push_back(message);
        traffic.queue_max = traffic.queue_max.max(inbox.messages.len());
        assert!(inbox.messages.len() <= self.network.capacity, "an inbox is never full");
    }

    fn tail(&self) -> u64 {
        let inbox = lock(&self.network.inboxes[self.core.index()]);
        inbox.taken + inbox.messages.len() as u64
    }

    fn receive(&mut self, tail: u64) -> Option<Message> {
        let mut inbox = lock(&self.network.inboxes[self.core.index()]);
        if inbox.taken >= tail {
            return None;
        }
        inbox.taken += 1;
        inbox.messages.pop_front()
    }

    fn has_mail(&self) -> bool {
        !lock(&self.network.inboxes[self.core.index()]).messages.is_empty()
    }

    fn end_turn(&mut self) {}
}
