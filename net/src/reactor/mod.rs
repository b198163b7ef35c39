//! The reactor: moves bytes between the sockets of one core and that core's code.
//!
//! One reactor per core, made and used on the core's own thread. It is *pulled*: a turn of the
//! core calls [`Reactor::poll`], looks at all events and all received bytes together (so that
//! requests can be prefetched across connections), queues replies, and polls again.
//!
//! ```text
//!   poll      send what was queued, re-arm, wait, reap     one io_uring_enter under load
//!   events    Received, Accepted, Closed, Drained ...      walk as often as you like
//!   bytes     the received bytes, in the reactor's memory  parse in place
//!   send ...  queue replies
//!   release   hand all buffers back (poll does it too)
//! ```
//!
//! Two drivers do the work: `uring` and `epoll`. They report the same things in the same order;
//! the tests run everything on both. Which one runs is decided once, and dispatch is a match on
//! an enum.
//!
//! Invariants:
//! * Per connection, received bytes are reported in order and once; bytes queued are sent in
//!   order. At most one send and one receive operation of a connection are in the kernel.
//! * Input is bounded by the receive buffers: what does not fit stays in the kernel, and TCP slows
//!   the sender down. Output is not bounded here: the caller watches
//!   [`queued_bytes`](Reactor::queued_bytes), suspends receiving, and closes who reads too slowly.
//! * A connection lives until the caller closes it; the reactor only reports
//!   [`Event::Closed`]. Its index is not reused while the kernel may still complete operations.
//!
//! Deliberately absent: timers (the caller bounds the wait), DNS and connecting (a connected
//! socket of any kind can be added), spinning (the caller does it, with
//! [`has_work_hint`](Reactor::has_work_hint)), MSG_ZEROCOPY (slower than copying over loopback and
//! below a few KB).

mod batch;
mod epoll;
mod event;
mod options;
mod output;
mod slab;
mod uring;
mod waker;

pub use event::{
    AcceptedSocket, BufferRef, CloseReason, Company, ConnectionId, Event, ListenerId, WakeSource,
};
pub use options::{Backend, BackendChoice, ReactorOptions};
pub use output::SharedBytes;
pub use waker::Waker;

use epoll::Epoll;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;
use uring::Uring;

/// See the module's documentation.
pub struct Reactor {
    driver: Driver,
    waker: Waker,
    fallback_reason: Option<String>,
    /// A ring accepts work only from the thread that made it.
    _not_send: PhantomData<*const ()>,
}

enum Driver {
    Uring(Box<Uring>),
    Epoll(Box<Epoll>),
}

/// Calls the same function of whichever driver runs.
macro_rules! dispatch {
    ($reactor:expr, $driver:ident => $call:expr) => {
        match $reactor {
            Driver::Uring($driver) => $call,
            Driver::Epoll($driver) => $call,
        }
    };
}

impl Reactor {
    /// Makes the reactor of the calling thread.
    ///
    /// # Errors
    /// What the kernel refused. With [`BackendChoice::Auto`] a refusal of io_uring is none: epoll
    /// is used and the reason kept.
    pub fn new(options: &ReactorOptions) -> io::Result<Reactor> {
        let (driver, fallback_reason) = match options.backend {
            BackendChoice::Uring => (Driver::Uring(Box::new(Uring::new(options)?)), None),
            BackendChoice::Epoll => (Driver::Epoll(Box::new(Epoll::new(options)?)), None),
            BackendChoice::Auto => match Uring::new(options) {
                Ok(uring) => (Driver::Uring(Box::new(uring)), None),
                Err(error) => {
                    (Driver::Epoll(Box::new(Epoll::new(options)?)), Some(error.to_string()))
                }
            },
        };
        let waker = Waker::new()?;
        let mut reactor = Reactor { driver, waker, fallback_reason, _not_send: PhantomData };
        let source = reactor.add_wake_source(reactor.waker.try_clone_fd()?)?;
        assert!(source == WakeSource::WAKER);
        Ok(reactor)
    }

    /// Which driver runs.
    pub fn backend(&self) -> Backend {
        match self.driver {
            Driver::Uring(_) => Backend::Uring,
            Driver::Epoll(_) => Backend::Epoll,
        }
    }

    /// Why epoll runs although io_uring was asked for first.
    pub fn fallback_reason(&self) -> Option<&str> {
        self.fallback_reason.as_deref()
    }

    /// A handle to wake this reactor with from any thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Watches one more eventfd or timerfd: whenever it counts, [`Event::Woken`] is reported with
    /// the source returned here. Its counter is read, so nobody else should.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn add_wake_source(&mut self, source: OwnedFd) -> io::Result<WakeSource> {
        dispatch!(&mut self.driver, driver => driver.add_wake_source(source))
    }

    /// Starts accepting from a listening socket. Its `O_NONBLOCK` flag is set as the driver needs
    /// it; sockets may share a description only among reactors with the same driver.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn add_listener(&mut self, socket: OwnedFd) -> io::Result<ListenerId> {
        dispatch!(&mut self.driver, driver => driver.add_listener(socket))
    }

    /// Goes on accepting after [`Event::AcceptFailed`]; for instance from a timer.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn resume_accept(&mut self, listener: ListenerId) -> io::Result<()> {
        dispatch!(&mut self.driver, driver => driver.resume_accept(listener))
    }

    /// Stops accepting and closes the listening socket.
    pub fn remove_listener(&mut self, listener: ListenerId) {
        dispatch!(&mut self.driver, driver => driver.remove_listener(listener));
    }

    /// Takes the socket of an [`Event::Accepted`] of this turn; `None` if it was taken before.
    /// Whoever takes it may give it to another core or to [`add_connection`](Self::add_connection).
    pub fn take_accepted(&mut self, socket: AcceptedSocket) -> Option<OwnedFd> {
        dispatch!(&mut self.driver, driver => driver.batch.take_accepted(socket))
    }

    /// Takes over a connected stream socket and starts receiving.
    ///
    /// # Errors
    /// What the kernel refused; the socket is closed then.
    pub fn add_connection(&mut self, socket: OwnedFd) -> io::Result<ConnectionId> {
        dispatch!(&mut self.driver, driver => driver.add_connection(socket))
    }

    /// Connections that are open, those on their way to be closed included.
    pub fn connection_count(&self) -> usize {
        dispatch!(&self.driver, driver => driver.connection_count())
    }

    /// The socket of a connection, to set options and ask for addresses.
    pub fn socket(&self, connection: ConnectionId) -> Option<BorrowedFd<'_>> {
        dispatch!(&self.driver, driver => driver.socket(connection))
    }

    /// Ends the turn and begins the next: releases all buffers, forgets all events, sends what
    /// was queued, and waits until there are events or `timeout` is over. Without a timeout it
    /// waits for ever; with `Some(ZERO)` it does not block.
    ///
    /// # Errors
    /// Only if the driver itself is broken; errors of connections are events.
    pub fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match &mut self.driver {
            Driver::Uring(uring) => uring.poll(timeout, Company::NONE),
            Driver::Epoll(epoll) => epoll.poll(timeout),
        }
    }

    /// Whether [`poll_in_company`](Self::poll_in_company) does more than [`poll`](Self::poll):
    /// with io_uring since Linux 6.12.
    pub fn can_gather(&self) -> bool {
        matches!(&self.driver, Driver::Uring(uring) if uring.can_gather())
    }

    /// As [`poll`](Self::poll) with a timeout, but where it has to sleep it does so until there is
    /// some `company`: many clients that are each owed a little are cheaper served together than
    /// with a way through the scheduler for each. Costs no processor time, as spinning does, and
    /// delays the first of them by the patience at most.
    ///
    /// # Errors
    /// As [`poll`](Self::poll).
    pub fn poll_in_company(&mut self, timeout: Duration, company: Company) -> io::Result<()> {
        match &mut self.driver {
            Driver::Uring(uring) if uring.can_gather() => uring.poll(Some(timeout), company),
            Driver::Uring(uring) => uring.poll(Some(timeout), Company::NONE),
            Driver::Epoll(epoll) => epoll.poll(Some(timeout)),
        }
    }

    /// Whether it looks as if the next poll had something to do, found without a system call: for
    /// spinning before sleeping. With epoll only queued output can be seen that way; what came in
    /// takes a poll with timeout zero to find out.
    #[inline]
    pub fn has_work_hint(&self) -> bool {
        dispatch!(&self.driver, driver => driver.has_work_hint())
    }

    /// The events of the last poll.
    #[inline]
    pub fn events(&self) -> &[Event] {
        dispatch!(&self.driver, driver => &driver.batch.events)
    }

    /// The bytes of an [`Event::Received`].
    ///
    /// # Panics
    /// If its buffers were released since.
    #[inline]
    pub fn bytes(&self, buffer: BufferRef) -> &[u8] {
        dispatch!(&self.driver, driver => driver.bytes(buffer))
    }

    /// The same bytes, to be changed in place.
    ///
    /// # Panics
    /// If its buffers were released since.
    #[inline]
    pub fn bytes_mut(&mut self, buffer: BufferRef) -> &mut [u8] {
        dispatch!(&mut self.driver, driver => driver.bytes_mut(buffer))
    }

    /// Hands all buffers back to the kernel, earlier than the next poll would.
    pub fn release(&mut self) {
        dispatch!(&mut self.driver, driver => driver.release());
    }

    /// Queues all of `bytes`, which is left empty, perhaps with memory to be filled again. They
    /// are sent in the next poll. Cheap: the vector is taken over, or a small one copied behind
    /// what is queued already. To a connection that is gone bytes are dropped.
    #[inline]
    pub fn send(&mut self, connection: ConnectionId, bytes: &mut Vec<u8>) {
        dispatch!(&mut self.driver, driver => driver.send(connection, bytes));
    }

    /// Queues part of bytes that lie elsewhere, without copying them. They must not change before
    /// the reactor drops its reference. Worth it from a few KB on.
    ///
    /// # Panics
    /// If `range` does not lie in `bytes`.
    pub fn send_shared(
        &mut self,
        connection: ConnectionId,
        bytes: SharedBytes,
        range: Range<usize>,
    ) {
        dispatch!(&mut self.driver, driver => driver.send_shared(connection, bytes, range));
    }

    /// Bytes queued for a connection that are not in the kernel yet. After a poll that left some,
    /// [`Event::Drained`] follows once they are gone, unless the connection fails.
    #[inline]
    pub fn queued_bytes(&self, connection: ConnectionId) -> usize {
        dispatch!(&self.driver, driver => driver.queued_bytes(connection))
    }

    /// Stops receiving: bytes stay in the kernel, and its buffers fill up. What had left the
    /// kernel before the next poll may still be reported. That the peer is gone may be found out
    /// only by sending or by receiving again.
    pub fn suspend_receive(&mut self, connection: ConnectionId) {
        dispatch!(&mut self.driver, driver => driver.set_suspended(connection, true));
    }

    /// Receives again.
    pub fn resume_receive(&mut self, connection: ConnectionId) {
        dispatch!(&mut self.driver, driver => driver.set_suspended(connection, false));
    }

    /// Lets the next `wanted` bytes of a connection land behind those already in `buffer`,
    /// without passing the receive buffers; [`Event::Filled`] says when they are there. What
    /// follows them is reported as usual. Made for the rest of a big argument: `wanted` is what
    /// [`Parsed::Incomplete`](crate::resp::Parsed::Incomplete) asks for less what is there.
    ///
    /// Bytes that events of this turn report already do not go there, wherever the caller is in
    /// walking them: call this after the last event of the turn. If the connection ends before
    /// the buffer is full, the buffer is dropped.
    ///
    /// # Panics
    /// If `wanted` is zero or the last buffer of this connection is not filled yet.
    pub fn receive_into(&mut self, connection: ConnectionId, buffer: Vec<u8>, wanted: usize) {
        dispatch!(&mut self.driver, driver => driver.receive_into(connection, buffer, wanted));
    }

    /// Bytes in the buffer given to [`receive_into`](Self::receive_into), while it is being filled.
    pub fn direct_bytes(&self, connection: ConnectionId) -> Option<usize> {
        dispatch!(&self.driver, driver => driver.direct_bytes(connection))
    }

    /// Takes the buffer of an [`Event::Filled`].
    pub fn take_filled(&mut self, connection: ConnectionId) -> Option<Vec<u8>> {
        dispatch!(&mut self.driver, driver => driver.take_filled(connection))
    }

    /// Closes a connection now. Queued output is dropped. Events already reported may still name
    /// it; there will be no new ones.
    pub fn close(&mut self, connection: ConnectionId) {
        dispatch!(&mut self.driver, driver => driver.close(connection));
    }

    /// Closes a connection once its output is in the kernel; what comes in meanwhile is dropped.
    /// No more events will name it. A peer that does not read keeps it open: `close` still works.
    pub fn close_after_flush(&mut self, connection: ConnectionId) {
        dispatch!(&mut self.driver, driver => driver.close_after_flush(connection));
    }
}
