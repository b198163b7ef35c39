//! The inboxes between cores, as a core sees them.

use basalt_net::doorbell::Doorbell;
use basalt_net::inbox::{Receiver, Sender};
use basalt_shard::core::message::Message;
use basalt_shard::core::{CoreId, Mesh};

/// One core's end of all inboxes.
pub struct CoreMesh {
    own: CoreId,
    senders: Vec<Sender<Message>>,
    doorbells: Vec<Doorbell>,
    receiver: Receiver<Message>,
    /// Cores that were sent something this turn and have not been rung yet.
    unrung: Vec<CoreId>,
}

impl CoreMesh {
    /// The end of core `own`, with a sender to and a doorbell of every core.
    pub fn new(
        own: CoreId,
        senders: Vec<Sender<Message>>,
        doorbells: Vec<Doorbell>,
        receiver: Receiver<Message>,
    ) -> Self {
        Self { own, senders, doorbells, receiver, unrung: Vec::new() }
    }
}

impl Mesh for CoreMesh {
    #[inline]
    fn send(&mut self, to: CoreId, message: Message) {
        self.senders[to.index()].push(message);
        if to != self.own && !self.unrung.contains(&to) {
            self.unrung.push(to);
        }
    }

    #[inline]
    fn tail(&self) -> u64 {
        self.receiver.tail()
    }

    #[inline]
    fn receive(&mut self, tail: u64) -> Option<Message> {
        if self.receiver.position() < tail { self.receiver.pop() } else { None }
    }

    fn has_mail(&self) -> bool {
        !self.receiver.is_empty()
    }

    fn end_turn(&mut self) {
        for core in self.unrung.drain(..) {
            self.doorbells[core.index()].ring_if_asleep();
        }
    }
}
