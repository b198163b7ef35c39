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
//! Completion handlers (`completion`) and API calls change state and schedule; only `attend`
//! pushes entries. So whatever happened in a turn, a connection gets at most one receive, one
//! cancellation and one send out of it.
//!
//! Invariants:
//! * Memory the kernel uses stays where it is until the completion: buffers being filled, chunks
//!   being sent (locked), descriptions of gathering sends. The connection that owns them, and its
//!   index, live until it is at rest.
//! * A socket is closed only when nothing of it is in the kernel. To get there, it is shut down,
//!   which completes everything.
//! * Provided buffers named by events are ours until the turn is released; others go back at once.

mod attend;
mod buffers;
mod completion;
mod connection;
mod operation;
mod ring;

use super::batch::{AcceptFailure, Batch, DirectBuffer, Patience};
use super::event::{BufferRef, CloseReason, Company, ConnectionId, Event, ListenerId, WakeSource};
use super::options::ReactorOptions;
use super::output::{SharedBytes, Spares};
use super::slab::Slab;
use buffers::Buffers;
use connection::{Armed, Connection, Gather, Phase};
use operation::{Kind, Operation};
use ring::Ring;
use socket2::SockRef;
use std::io;
use std::net::Shutdown;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Receive buffers rest after a wait of so long in which nothing came.
const REST_AFTER: Duration = Duration::from_millis(50);

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

    pub(super) fn direct_bytes(&self, id: ConnectionId) -> Option<usize> {
        Some(self.connections.get(id)?.direct.as_ref()?.bytes.len())
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
    pub(super) fn bytes_mut(&mut self, buffer: BufferRef) -> &mut [u8] {
        assert!(buffer.turn == self.batch.turn(), "the buffer was released");
        self.buffers.slice_mut(buffer.offset as usize, buffer.len as usize)
    }

    #[inline]
    pub(super) fn has_work_hint(&self) -> bool {
        !self.scheduled.is_empty() || self.rearm || self.ring.has_work()
    }

    pub(super) fn can_gather(&self) -> bool {
        self.ring.can_gather()
    }

    pub(super) fn poll(&mut self, timeout: Option<Duration>, company: Company) -> io::Result<()> {
        self.release();
        self.batch.clear();
        self.connections.wake_resting();
        let patience = Patience::new(timeout);
        loop {
            self.attend();
            let left = patience.remaining();
            self.ring.enter(left, company)?;
            self.handle_completions();
            if left == Some(Duration::ZERO) || !self.batch.events.is_empty() {
                break;
            }
        }
        let has_waited_long = timeout.is_some_and(|timeout| timeout >= REST_AFTER);
        if has_waited_long && self.batch.events.is_empty() {
            self.buffers.rest();
        }
        Ok(())
    }
}
