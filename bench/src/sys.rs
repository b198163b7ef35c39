//! epoll, the one place of this crate that needs `unsafe`.
//!
//! The standard library has no readiness interface, and a generator that is to outrun the server
//! cannot spend a thread per connection. The face is safe: descriptors are borrowed, the event
//! buffer is owned by the poller, and a token is only a number handed back.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Events taken from the kernel in one call; more simply come with the next.
const EVENTS_MAX: usize = 256;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Bytes to read.
    Read,
    /// Bytes to read, or room to write.
    ReadWrite,
}

impl Interest {
    fn flags(self) -> u32 {
        let flags = match self {
            Self::Read => libc::EPOLLIN,
            Self::ReadWrite => libc::EPOLLIN | libc::EPOLLOUT,
        };
        flags as u32
    }
}

/// One ready connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// The number given at registration.
    pub(crate) token: usize,
    /// Reading will not block: there are bytes, or the end, or an error to collect.
    pub(crate) readable: bool,
    /// Writing will not block.
    pub(crate) writable: bool,
}

/// A level-triggered epoll instance.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    ready_count: usize,
    /// Linux before 5.11 has no `epoll_pwait2`; the first refusal is remembered.
    has_pwait2: bool,
}

impl Poller {
    /// Opens an epoll instance.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointers.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `raw` was just returned by the kernel and nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(raw) };
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        Ok(Self { epoll, events, ready_count: 0, has_pwait2: true })
    }

    /// Starts watching a descriptor. It is forgotten by itself when the descriptor closes.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: usize, want: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, want)
    }

    /// Changes what a watched descriptor waits for.
    pub(crate) fn modify(
        &self,
        fd: BorrowedFd<'_>,
        token: usize,
        want: Interest,
    ) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, want)
    }

    fn control(
        &self,
        operation: libc::c_int,
        fd: BorrowedFd<'_>,
        token: usize,
        want: Interest,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events: want.flags(), u64: token as u64 };
        // SAFETY: both descriptors are open for the call's duration (one owned, one borrowed),
        // and the kernel only reads `event` during the call.
        let result = unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event)
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Sleeps until something is ready or `timeout` has passed; then [`Self::event`] tells what.
    /// Returns the number of ready connections; an interrupted sleep counts as none.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<usize> {
        let result = self.wait_precisely(timeout).unwrap_or_else(|| self.wait_coarsely(timeout));
        self.ready_count = match usize::try_from(result) {
            Ok(count) => count,
            Err(_) => {
                let failure = io::Error::last_os_error();
                if failure.kind() != io::ErrorKind::Interrupted {
                    return Err(failure);
                }
                0
            }
        };
        assert!(self.ready_count <= EVENTS_MAX, "the kernel overran the event buffer");
        Ok(self.ready_count)
    }

    /// The `index`-th event of the last wait.
    pub(crate) fn event(&self, index: usize) -> Event {
        assert!(index < self.ready_count, "event {index} of {}", self.ready_count);
        let raw = self.events[index];
        let flags = raw.events;
        let failed = flags & (libc::EPOLLERR | libc::EPOLLHUP | libc::EPOLLRDHUP) as u32 != 0;
        Event {
            token: raw.u64 as usize,
            readable: failed || flags & libc::EPOLLIN as u32 != 0,
            writable: flags & libc::EPOLLOUT as u32 != 0,
        }
    }

    /// Nanosecond timeouts matter to the open loop: a millisecond clock would send its requests
    /// in bursts and charge the lateness to the server.
    fn wait_precisely(&mut self, timeout: Duration) -> Option<i64> {
        if !self.has_pwait2 {
            return None;
        }
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: the buffer holds EVENTS_MAX events and outlives the call, the timeout is read
        // during the call only, and a null signal mask leaves the mask alone.
        let result = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS_MAX as libc::c_int,
                &raw const timeout,
                ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        if result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS) {
            self.has_pwait2 = false;
            return None;
        }
        Some(result)
    }

    fn wait_coarsely(&mut self, timeout: Duration) -> i64 {
        let timeout_ms = timeout.as_millis().try_into().unwrap_or(libc::c_int::MAX);
        // SAFETY: the buffer holds EVENTS_MAX events and outlives the call.
        let result = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS_MAX as libc::c_int,
                timeout_ms,
            )
        };
        result.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn readiness_carries_the_token_on_both_timers() {
        for precise in [true, false] {
            let (left, mut right) = UnixStream::pair().expect("a socket pair");
            let mut poller = Poller::new().expect("an epoll instance");
            poller.has_pwait2 &= precise;
            poller.add(left.as_fd(), 42, Interest::Read).expect("registration");
            assert_eq!(poller.wait(Duration::ZERO).expect("a wait"), 0);

            right.write_all(b"x").expect("a write");
            assert_eq!(poller.wait(Duration::from_secs(5)).expect("a wait"), 1);
            let event = poller.event(0);
            assert_eq!((event.token, event.readable, event.writable), (42, true, false));

            poller.modify(left.as_fd(), 42, Interest::ReadWrite).expect("a change");
            assert_eq!(poller.wait(Duration::from_secs(5)).expect("a wait"), 1);
            assert!(poller.event(0).writable);
        }
    }
}
