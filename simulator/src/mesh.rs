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

/// The inboxes of all cores.
#[derive(Clone)]
pub struct Network {
    inboxes: Arc<[Mutex<Inbox>]>,
    capacity: usize,
}

impl Network {
    /// Inboxes for `core_count` cores that hold `capacity` messages each.
    pub fn new(core_count: u16, capacity: usize) -> Self {
        let inboxes = (0..core_count).map(|_| Mutex::new(Inbox::default())).collect();
        Self { inboxes, capacity }
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

fn lock(inbox: &Mutex<Inbox>) -> std::sync::MutexGuard<'_, Inbox> {
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
        inbox.messages.push_back(message);
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
