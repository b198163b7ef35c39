//! The half of a turn after the kernel was entered: completions become state and events.
//!
//! Nothing here pushes entries; a connection that needs something more is scheduled.

use super::connection::{Armed, Phase};
use super::operation::{Kind, Operation};
use super::ring::Completion;
use super::{AcceptFailure, CloseReason, ConnectionId, Event, ListenerId, Uring};
use io_uring::cqueue;
use std::os::fd::{FromRawFd, OwnedFd};

/// Descriptions of gathering sends kept for later.
const GATHERS_KEPT_MAX: usize = 64;

/// What became of the bytes of a provided buffer.
enum Delivery {
    /// An event refers to them.
    Event,
    /// Nobody needs them any more.
    Done,
}

impl Uring {
    /// Handles all that was collected.
    pub(super) fn handle_completions(&mut self) {
        let mut completions = std::mem::take(&mut self.ring.completions);
        for completion in completions.drain(..) {
            let index = completion.operation.index;
            match completion.operation.kind {
                Kind::Stream => self.on_stream(self.owner(completion.operation), completion),
                Kind::Direct => self.on_direct(self.owner(completion.operation), completion),
                Kind::Send => self.on_send(self.owner(completion.operation), completion.result),
                Kind::Accept => self.on_accept(ListenerId(index), completion),
                Kind::Wake => self.on_wake(index, completion.result),
                Kind::Cancel => {}
            }
        }
        self.ring.completions = completions;
        self.buffers.publish();
    }

    /// The connection an operation belongs to. It lives as long as the operation does.
    #[inline]
    fn owner(&self, operation: Operation) -> ConnectionId {
        let owner = self.connections.id_at(operation.index);
        owner.filter(|&id| operation.names(id)).expect("the owner of an operation")
    }

    fn on_accept(&mut self, id: ListenerId, completion: Completion) {
        let place = &mut self.listeners[id.0 as usize];
        let listener = place.as_mut().expect("an armed listener");
        listener.armed = completion.goes_on();
        let removed = listener.removed;
        if completion.result >= 0 {
            // SAFETY: a descriptor the kernel just made for us.
            let socket = unsafe { OwnedFd::from_raw_fd(completion.result) };
            if !removed {
                self.batch.accepted(id, socket);
            }
        } else if !removed && let AcceptFailure::Listener = AcceptFailure::of(-completion.result) {
            listener.resting = true;
            let errno = -completion.result;
            self.batch.events.push(Event::AcceptFailed { listener: id, errno });
        }
        if !completion.goes_on() {
            match removed {
                true => *place = None,
                false => self.rearm = true,
            }
        }
    }

    fn on_wake(&mut self, index: u32, result: i32) {
        self.wakings[index as usize].armed = false;
        self.rearm = true;
        if result > 0 {
            self.batch.woken(index);
        }
    }

    fn on_stream(&mut self, id: ConnectionId, completion: Completion) {
        let received = completion.result.max(0) as usize;
        if let Some(buffer) = cqueue::buffer_select(completion.flags) {
            self.buffers.take(buffer);
            match self.deliver(id, self.buffers.offset(buffer), received) {
                Delivery::Event => self.taken.push(buffer),
                Delivery::Done => self.buffers.recycle(buffer),
            }
        }
        if !completion.goes_on() {
            self.receive_ended(id);
        }
        if received == 0 {
            self.no_bytes(id, -completion.result);
        }
    }

    fn on_direct(&mut self, id: ConnectionId, completion: Completion) {
        self.receive_ended(id);
        let received = completion.result.max(0) as usize;
        if received == 0 {
            return self.no_bytes(id, -completion.result);
        }
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let direct = connection.direct.as_mut().expect("kept while armed");
        assert!(received <= direct.missing());
        let len = direct.bytes.len() + received;
        // SAFETY: the kernel has written `received` bytes behind the old length, within capacity.
        unsafe { direct.bytes.set_len(len) };
        self.finish_direct(id);
    }

    fn receive_ended(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.armed = Armed::Nothing;
            connection.cancelling = false;
            self.schedule(id);
        }
    }

    /// A receive brought nothing: the end (0) or an error.
    fn no_bytes(&mut self, id: ConnectionId, errno: i32) {
        match errno {
            0 => self.end_of_input(id),
            // Out of buffers until the turn is released, or ended by us: armed again if wished.
            libc::ENOBUFS => self.buffers.ran_out(),
            libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
            errno => self.fail(id, errno),
        }
    }

    /// `len` bytes lie at `offset` of the buffers' memory.
    fn deliver(&mut self, id: ConnectionId, offset: usize, len: usize) -> Delivery {
        let Some(connection) = self.connections.get_mut(id) else {
            return Delivery::Done;
        };
        if len == 0 || connection.phase != Phase::Open {
            return Delivery::Done;
        }
        let mut taken = 0;
        if let Some(direct) = &mut connection.direct {
            // Received before the direct receive was asked for or took effect.
            taken = len.min(direct.missing());
            direct.bytes.extend_from_slice(self.buffers.slice(offset, taken));
            self.finish_direct(id);
        }
        if taken == len {
            return Delivery::Done;
        }
        self.batch.received(id, offset + taken, len - taken);
        Delivery::Event
    }

    /// Reports the direct buffer if it is full; drops it if nobody waits for it any more.
    fn finish_direct(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.phase != Phase::Open {
            connection.direct = None;
        } else if let Some(direct) = connection.direct.take_if(|direct| direct.missing() == 0) {
            connection.filled = Some(direct.bytes);
            self.batch.events.push(Event::Filled { connection: id });
        }
    }

    fn end_of_input(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.quiet = true;
            connection.direct = None;
            if connection.phase == Phase::Open {
                connection.phase = Phase::Ended;
                self.batch.closed(id, CloseReason::PeerClosed);
            }
        }
    }

    fn on_send(&mut self, id: ConnectionId, result: i32) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.sending = false;
        connection.output.unlock();
        if let Some(gather) = connection.gather.take()
            && self.gathers.len() < GATHERS_KEPT_MAX
        {
            self.gathers.push(gather);
        }
        match -result {
            sent if sent <= 0 => {
                connection.output.advance(result as usize, &mut self.spares);
                self.after_send(id);
            }
            libc::ECANCELED | libc::EINTR | libc::EAGAIN => self.after_send(id),
            errno => self.fail(id, errno),
        }
    }

    fn after_send(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.phase == Phase::Closing {
            connection.output.discard();
            return self.schedule(id);
        }
        if !connection.output.is_empty() {
            return self.schedule(id);
        }
        match connection.phase {
            Phase::Flushing => self.close(id),
            _ if connection.output.since_turn() != self.batch.turn() => {
                self.batch.events.push(Event::Drained { connection: id });
            }
            _ => {}
        }
    }

    /// The connection is dead both ways.
    fn fail(&mut self, id: ConnectionId, errno: i32) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        connection.output.discard();
        connection.quiet = true;
        match connection.phase {
            Phase::Flushing => return self.close(id),
            Phase::Open => self.batch.closed(id, CloseReason::Failed(errno)),
            Phase::Ended | Phase::Closing => {}
        }
        if connection.phase == Phase::Open {
            connection.phase = Phase::Ended;
        }
        self.schedule(id);
    }
}
