//! Small things cores send each other beside the boxes: replies for clients that waited, word of
//! when to look at their keys again, and that somebody waits or watches no more.
//!
//! Any number of clients may be served at once (one XADD, ten thousand readers), so these cannot
//! count against credit. Instead each core has one bag for each other core: what is to be sent is
//! collected in it, and a new bag leaves only when the last one is back. So two messages a pair of
//! cores are under way at most, whatever happens.
//!
//! Parcels carry no effect on keys; that they arrive later than other messages is seen by nobody.

use super::message::Message;
use super::{Core, CoreId, SessionId};
use crate::key_waits::Address;
use crate::observers::Observer;
use crate::reply::Output;
use crate::slow_log::SlowCommand;

/// What is in a bag.
pub(super) enum Parcel {
    /// The reply of a command that had waited for keys.
    Reply(Address, Output),
    /// Somebody waits or watches no more.
    Forget(Observer),
    /// When to look at the keys of a client that waits has changed.
    Alarm(Address),
    /// A command of a session was slow, for the log at home.
    Slow(SessionId, SlowCommand),
    /// A session of the sender monitors no more.
    MonitorLeft(SessionId),
}

/// Parcels from one core to another.
pub struct Bag {
    pub(super) from: CoreId,
    pub(super) parcels: Vec<Parcel>,
}

/// The way to one other core.
#[derive(Default)]
pub(super) struct Post {
    pending: Vec<Parcel>,
    is_under_way: bool,
}

/// Memory of bags that is kept, in parcels.
const PARCELS_KEPT: usize = 256;

impl Core {
    /// Sends a parcel to another core when the turn ends.
    pub(super) fn post(&mut self, to: CoreId, parcel: Parcel) {
        assert!(to != self.id, "what is for this core is done here");
        let post = &mut self.posts[to.index()];
        self.posted += usize::from(post.pending.is_empty());
        post.pending.push(parcel);
    }

    /// Sends every bag that may leave.
    pub(super) fn send_bags(&mut self) {
        if self.posted == 0 {
            return;
        }
        for index in 0..self.posts.len() {
            let post = &mut self.posts[index];
            if post.pending.is_empty() || post.is_under_way {
                continue;
            }
            post.is_under_way = true;
            self.posted -= 1;
            let bag = Bag { from: self.id, parcels: std::mem::take(&mut post.pending) };
            self.send(CoreId(index as u16), Message::Bag(Box::new(bag)));
        }
    }

    /// A bag is here: empties it and sends it back.
    pub(super) fn open_bag(&mut self, mut bag: Box<Bag>) {
        let sender = std::mem::replace(&mut bag.from, self.id);
        for parcel in bag.parcels.drain(..) {
            match parcel {
                Parcel::Reply(address, output) => self.end_wait(address, output),
                Parcel::Forget(observer) => self.forget(observer),
                Parcel::Alarm(address) => self.set_alarm(address),
                Parcel::MonitorLeft(id) => self.forget_monitor(sender, id),
                Parcel::Slow(id, command) => self.log_slow_command(Some(id), command),
            }
        }
        bag.parcels.shrink_to(PARCELS_KEPT);
        self.send(sender, Message::BagBack(bag));
    }

    /// A bag of this core is back from `bag.from`, empty: the next may leave.
    pub(super) fn take_bag_back(&mut self, bag: Bag) {
        let post = &mut self.posts[bag.from.index()];
        post.is_under_way = false;
        if post.pending.is_empty() {
            post.pending = bag.parcels;
        }
    }
}
