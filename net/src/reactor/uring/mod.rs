//! The io_uring driver: one ring per core for everything its sockets do.
//!
//! A turn is one `io_uring_enter`: it submits the sends and re-arms of the turn before and brings
//! the completions of this one. Receives and accepts are multishot, received bytes lie in buffers
//! the kernel picks from a ring of them.
//!
//! ```text
//!   API calls --> schedule --> attend: arm, cancel, send, close   (pushes entries)
//!                    ^            |
//!                    |          enter
//!                    |            v
//!                    +--- handle completions --> events
//! ```
//!
//! Completion handlers and API calls change state and schedule; only `attend` pushes entries. So
//! whatever happened in a turn, a connection gets at most one receive, one cancellation and one
//! send out of it.
//!
//! Invariants:
//! * Memory the kernel uses stays where it is until the completion: buffers being filled, chunks
//!   being sent (locked), descriptions of gathering sends. The connection that owns them, and its
//!   index, live until it is at rest.
//! * A socket is closed only when nothing of it is in the kernel. To get there, it is shut down,
//!   which completes everything.
//! * Provided buffers named by events are ours until the turn is released; others go back at once.

mod buffers;
mod connection;
mod operation;
mod ring;

use super::batch::{AcceptFailure, Batch, DirectBuffer, Patience};
use super::event::{BufferRef, CloseReason, ConnectionId, Event, ListenerId, WakeSource};
use super::options::ReactorOptions;
use super::output::{SharedBytes, Spares};
use super::slab::Slab;
use buffers::Buffers;
use connection::{Armed, Connection, Gather, Phase};
use io_uring::{cqueue, opcode, types};
use operation::{Kind, Operation};
use ring::{Completion, Ring};
use socket2::SockRef;
use std::io;
use std::net::Shutdown;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Longest single send in bytes: lengths are 32 bits wide.
const SEND_BYTES_MAX: usize = 1 << 30;

/// Descriptions of gathering sends kept for later.
const GATHERS_KEPT_MAX: usize = 64;

struct Listener {
    socket: OwnedFd,
    armed: bool,
    /// After a failure, until the caller resumes it.
    resting: bool,
    removed: bool,
}

struct Waking {
    source: OwnedFd,
    /// The kernel writes here while armed.
    counter: Box<[u8; 8]>,
    armed: bool,
}

pub(super) struct Uring {
    /// First, so that it is dropped first: its end takes all memory back from the kernel.
    ring: Ring,
    buffers: Buffers,
    pub(super) batch: Batch,
    connections: Slab<Connection>,
    listeners: Vec<Option<Listener>>,
    wakings: Vec<Waking>,
    /// Whether a listener or a wake source is to be armed.
    rearm: bool,
    scheduled: Vec<ConnectionId>,
    /// Buffers that events of this turn refer to.
    taken: Vec<u16>,
    spares: Spares,
    /// Boxed, since the kernel is told where they are.
    #[expect(clippy::vec_box)]
    gathers: Vec<Box<Gather>>,
}

impl Uring {
    pub(super) fn new(options: &ReactorOptions) -> io::Result<Uring> {
        let ring = Ring::new(options)?;
        let count = options.buffer_count_rounded();
        let buffers = Buffers::new(ring.uring(), count, options.buffer_bytes)?;
        Ok(Uring {
            ring,
            buffers,
            batch: Batch::default(),
            connections: Slab::new(),
            listeners: Vec::new(),
            wakings: Vec::new(),
            rearm: false,
            scheduled: Vec::new(),
            taken: Vec::new(),
            spares: Spares::default(),
            gathers: Vec::new(),
        })
    }

    // Listeners and wake sources.

    pub(super) fn add_listener(&mut self, socket: OwnedFd) -> io::Result<ListenerId> {
        SockRef::from(&socket).set_nonblocking(false)?;
        let index = self.listeners.iter().position(Option::is_none).unwrap_or_else(|| {
            self.listeners.push(None);
            self.listeners.len() - 1
        });
        let listener = Listener { socket, armed: false, resting: false, removed: false };
        self.listeners[index] = Some(listener);
        self.rearm = true;
        Ok(ListenerId(index as u32))
    }

    pub(super) fn resume_accept(&mut self, listener: ListenerId) -> io::Result<()> {
        if let Some(Some(entry)) = self.listeners.get_mut(listener.0 as usize) {
            entry.resting = false;
            self.rearm = true;
        }
        Ok(())
    }

    pub(super) fn remove_listener(&mut self, listener: ListenerId) {
        let Some(place) = self.listeners.get_mut(listener.0 as usize) else {
            return;
        };
        match place {
            Some(entry) if entry.armed && !entry.removed => {
                entry.removed = true;
                self.ring.cancel(Operation::of_index(Kind::Accept, listener.0));
            }
            Some(entry) if entry.removed => {}
            _ => *place = None,
        }
    }

    pub(super) fn add_wake_source(&mut self, source: OwnedFd) -> io::Result<WakeSource> {
        let index = self.wakings.len() as u32;
        self.wakings.push(Waking { source, counter: Box::default(), armed: false });
        self.rearm = true;
        Ok(WakeSource(index))
    }

    // Connections: what the caller asks for.

    pub(super) fn add_connection(&mut self, socket: OwnedFd) -> io::Result<ConnectionId> {
        // The kernel would not wait on our behalf on a socket that says it never waits.
        SockRef::from(&socket).set_nonblocking(false)?;
        let id = self.connections.insert(Connection::new(socket));
        self.schedule(id);
        Ok(id)
    }

    pub(super) fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// The connection, unless the caller has closed it for good.
    fn open_connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(id).filter(|connection| connection.phase != Phase::Closing)
    }

    pub(super) fn socket(&self, id: ConnectionId) -> Option<BorrowedFd<'_>> {
        let connection = self.connections.get(id)?;
        (connection.phase != Phase::Closing).then(|| connection.socket.as_fd())
    }

    #[inline]
    pub(super) fn send(&mut self, id: ConnectionId, bytes: &mut Vec<u8>) {
        let Some(connection) = self.connections.get_mut(id) else {
            return bytes.clear();
        };
        if connection.phase == Phase::Closing {
            return bytes.clear();
        }
        connection.output.push(bytes, self.batch.turn(), &mut self.spares);
        self.schedule(id);
    }

    pub(super) fn send_shared(
        &mut self,
        id: ConnectionId,
        bytes: SharedBytes,
        range: Range<usize>,
    ) {
        let turn = self.batch.turn();
        if let Some(connection) = self.open_connection(id) {
            connection.output.push_shared(bytes, range, turn);
            self.schedule(id);
        }
    }

    #[inline]
    pub(super) fn queued_bytes(&self, id: ConnectionId) -> usize {
        match self.connections.get(id) {
            Some(connection) if connection.phase != Phase::Closing => connection.output.queued(),
            _ => 0,
        }
    }

    pub(super) fn set_suspended(&mut self, id: ConnectionId, suspended: bool) {
        if let Some(connection) = self.open_connection(id) {
            connection.suspended = suspended;
            self.schedule(id);
        }
    }

    pub(super) fn receive_into(&mut self, id: ConnectionId, buffer: Vec<u8>, wanted: usize) {
        if let Some(connection) = self.open_connection(id) {
            assert!(connection.direct.is_none(), "a direct receive is under way already");
            connection.direct = Some(DirectBuffer::new(buffer, wanted));
            self.schedule(id);
        }
    }

    pub(super) fn take_filled(&mut self, id: ConnectionId) -> Option<Vec<u8>> {
        self.open_connection(id)?.filled.take()
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.open_connection(id) {
            connection.phase = Phase::Closing;
            connection.output.discard();
            if !connection.is_at_rest() {
                // Fails only if the peer was faster, which completes everything as well.
                let _ = SockRef::from(&connection.socket).shutdown(Shutdown::Both);
            }
            self.remove_if_at_rest(id);
        }
    }

    pub(super) fn close_after_flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.open_connection(id) else {
            return;
        };
        connection.quiet |= connection.phase == Phase::Ended;
        connection.phase = Phase::Flushing;
        if connection.armed != Armed::Direct {
            connection.direct = None;
        }
        if connection.output.is_empty() {
            self.close(id);
        } else {
            self.schedule(id);
        }
    }

    fn remove_if_at_rest(&mut self, id: ConnectionId) {
        let connection = self.connections.get(id);
        if connection.is_some_and(|it| it.phase == Phase::Closing && it.is_at_rest()) {
            self.connections.remove(id);
        }
    }

    #[inline]
    fn schedule(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id)
            && !connection.scheduled
        {
            connection.scheduled = true;
            self.scheduled.push(id);
        }
    }

    // The turn.

    pub(super) fn release(&mut self) {
        for buffer in self.taken.drain(..) {
            self.buffers.recycle(buffer);
        }
        self.buffers.publish();
        self.batch.end_turn();
    }

    #[inline]
    pub(super) fn bytes(&self, buffer: BufferRef) -> &[u8] {
        assert!(buffer.turn == self.batch.turn(), "the buffer was released");
        self.buffers.slice(buffer.offset as usize, buffer.len as usize)
    }

    #[inline]
    pub(super) fn has_work_hint(&self) -> bool {
        !self.scheduled.is_empty() || self.rearm || self.ring.has_work()
    }

    pub(super) fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.release();
        self.batch.clear();
        self.connections.wake_resting();
        let patience = Patience::new(timeout);
        loop {
            self.attend();
            let left = patience.remaining();
            self.ring.enter(left)?;
            self.handle_completions();
            if left == Some(Duration::ZERO) || !self.batch.events.is_empty() {
                return Ok(());
            }
        }
    }

    fn handle_completions(&mut self) {
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

    // Attending: what was decided goes to the kernel.

    fn attend(&mut self) {
        if self.rearm {
            self.rearm = false;
            self.arm_listeners();
            self.arm_wakings();
        }
        let mut scheduled = std::mem::take(&mut self.scheduled);
        for id in scheduled.drain(..) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.scheduled = false;
                self.arrange_receive(id);
                self.start_send(id);
                self.remove_if_at_rest(id);
            }
        }
        self.scheduled = scheduled;
    }

    fn arm_listeners(&mut self) {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let Some(listener) = listener else { continue };
            if !listener.armed && !listener.resting {
                let fd = types::Fd(listener.socket.as_raw_fd());
                let entry = opcode::AcceptMulti::new(fd).flags(libc::SOCK_CLOEXEC).build();
                // SAFETY: the socket is closed only when the accept has ended; no memory.
                unsafe { self.ring.push(entry, Operation::of_index(Kind::Accept, index as u32)) };
                listener.armed = true;
            }
        }
    }

    fn arm_wakings(&mut self) {
        for (index, waking) in self.wakings.iter_mut().enumerate() {
            if !waking.armed {
                let fd = types::Fd(waking.source.as_raw_fd());
                let entry = opcode::Read::new(fd, waking.counter.as_mut_ptr(), 8).build();
                // SAFETY: source and counter live as long as the ring and are used by this
                // operation only, of which there is one at a time.
                unsafe { self.ring.push(entry, Operation::of_index(Kind::Wake, index as u32)) };
                waking.armed = true;
            }
        }
    }

    /// Brings what the kernel receives after what is wished for.
    fn arrange_receive(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let fd = types::Fd(connection.socket.as_raw_fd());
        let (kind, entry) = match (connection.armed, connection.wish()) {
            (armed, wish) if armed == wish => return,
            (Armed::Nothing, Armed::Stream) => {
                (Kind::Stream, opcode::RecvMulti::new(fd, buffers::GROUP).build())
            }
            (Armed::Nothing, _) => {
                let direct = connection.direct.as_mut().expect("wished for");
                let len = direct.missing().min(SEND_BYTES_MAX) as u32;
                let start = direct.bytes.spare_capacity_mut().as_mut_ptr().cast();
                (Kind::Direct, opcode::Recv::new(fd, start, len).build())
            }
            (armed, _) => {
                if !connection.cancelling {
                    connection.cancelling = true;
                    let kind = if armed == Armed::Stream { Kind::Stream } else { Kind::Direct };
                    self.ring.cancel(Operation::of_connection(kind, id));
                }
                return;
            }
        };
        connection.armed = if kind == Kind::Stream { Armed::Stream } else { Armed::Direct };
        // SAFETY: the socket is closed, and the buffer touched or dropped, only when `armed` says
        // that the receive has ended; the buffer has room for what is missing.
        unsafe { self.ring.push(entry, Operation::of_connection(kind, id)) };
    }

    fn start_send(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.sending || connection.output.is_empty() {
            return;
        }
        let fd = types::Fd(connection.socket.as_raw_fd());
        let chunk_count = connection.output.slice_count();
        let entry = if chunk_count == 1 {
            let slice = connection.output.slices().next().expect("counted");
            let len = slice.len().min(SEND_BYTES_MAX) as u32;
            opcode::Send::new(fd, slice.as_ptr(), len).flags(libc::MSG_NOSIGNAL).build()
        } else {
            let gather = self.gathers.pop().unwrap_or_else(Gather::new);
            let gather = connection.gather.insert(gather);
            let message = gather.describe(&connection.output);
            opcode::SendMsg::new(fd, message).flags(libc::MSG_NOSIGNAL as u32).build()
        };
        connection.output.lock(chunk_count);
        connection.sending = true;
        // SAFETY: the chunks are locked, the description is kept, and the socket stays open,
        // until `sending` is over.
        unsafe { self.ring.push(entry, Operation::of_connection(Kind::Send, id)) };
    }

    // Completions.

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
            libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
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

/// What became of the bytes of a provided buffer.
enum Delivery {
    /// An event refers to them.
    Event,
    /// Nobody needs them any more.
    Done,
}
