//! The system calls that neither the standard library nor `socket2` offers, behind safe faces.
//!
//! Nothing here keeps state or interprets errors; each function is one call. Receives and sends
//! never block, whatever the flags of the socket.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Turns the -1 of a failed call into its error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Turns the -1 of a failed call into its error.
fn check_len(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Makes an eventfd with counter 0 whose reads block.
///
/// # Errors
/// Those of `eventfd(2)`.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) })?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Receives up to `buffer.len()` bytes; 0 means that the peer will send no more.
///
/// # Errors
/// Those of `recv(2)`, `WouldBlock` when there is nothing to receive.
pub(crate) fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT;
    // SAFETY: the kernel writes at most `buffer.len()` bytes to memory that is borrowed mutably.
    check_len(unsafe {
        libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags)
    })
}

/// Receives up to `len_max` bytes behind those already in `buffer`, without zeroing them first.
///
/// # Errors
/// Those of `recv(2)`, `WouldBlock` when there is nothing to receive.
pub(crate) fn receive_append(
    socket: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    len_max: usize,
) -> io::Result<usize> {
    buffer.reserve_exact(len_max);
    let spare = buffer.spare_capacity_mut();
    let (start, len) = (spare.as_mut_ptr(), spare.len().min(len_max));
    // SAFETY: the kernel writes at most `len` bytes to spare capacity that is borrowed mutably.
    let received = check_len(unsafe {
        libc::recv(socket.as_raw_fd(), start.cast(), len, libc::MSG_DONTWAIT)
    })?;
    assert!(received <= len);
    // SAFETY: the kernel has written `received` bytes behind the old length.
    unsafe { buffer.set_len(buffer.len() + received) };
    Ok(received)
}

/// Pins the calling thread to one processor.
///
/// # Errors
/// Those of `sched_setaffinity(2)`, for instance when there is no such processor.
pub fn pin_current_thread(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: all zeros is the empty set of processors.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `core` is inside the set, checked above.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the kernel reads a set of the length given.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
}

/// Lets other threads go before the calling one: it gets a quarter of a processor that another one
/// wants as well, and all of one that nobody wants. What `nice(1)` calls 5 more than now.
///
/// # Errors
/// Those of `setpriority(2)`.
pub fn yield_current_thread_to_others() -> io::Result<()> {
    const STEP: libc::c_int = 5;
    // SAFETY: no memory is passed. On Linux a process is a thread here, and 0 the calling one.
    let niceness = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: as above. What is above the highest niceness is taken for that.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness + STEP) }).map(drop)
}

/// An epoll instance. Events carry a token of 64 bits chosen by the caller.
#[derive(Debug)]
pub(crate) struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// # Errors
    /// Those of `epoll_create1(2)`.
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: no memory is passed.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just made and belongs to nobody else.
        Ok(Epoll { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, interest: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, interest, token)
    }

    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub(crate) fn modify(&self, fd: BorrowedFd<'_>, interest: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest, token)
    }

    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(
        &self,
        operation: libc::c_int,
        fd: BorrowedFd<'_>,
        interest: u32,
        token: u64,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest, u64: token };
        let epoll = self.fd.as_raw_fd();
        // SAFETY: the kernel reads one event, which lives until the call returns.
        check(unsafe { libc::epoll_ctl(epoll, operation, fd.as_raw_fd(), &mut event) }).map(drop)
    }

    /// Waits for events, at most `timeout_ms` milliseconds (-1: for ever), and returns how many
    /// were written to the front of `events`.
    ///
    /// # Errors
    /// Those of `epoll_wait(2)`.
    pub(crate) fn wait(
        &self,
        events: &mut [libc::epoll_event],
        timeout_ms: i32,
    ) -> io::Result<usize> {
        let len_max = i32::try_from(events.len()).unwrap_or(i32::MAX);
        let epoll = self.fd.as_raw_fd();
        // SAFETY: the kernel writes at most `len_max` events to memory borrowed mutably.
        let len =
            check(unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), len_max, timeout_ms) })?;
        Ok(len as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_thread_that_yields_leaves_the_others_as_they_are() {
        // SAFETY: no memory is passed.
        let niceness = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = niceness();
        let inside = std::thread::spawn(move || {
            yield_current_thread_to_others().unwrap();
            niceness()
        });
        assert_eq!(inside.join().unwrap(), (before + 5).min(19));
        assert_eq!(niceness(), before);
    }

    #[test]
    fn receive_append_stops_at_its_limit() {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(b"abcdefgh").unwrap();
        let mut buffer = b"xy".to_vec();
        assert_eq!(receive_append(far.as_fd(), &mut buffer, 3).unwrap(), 3);
        assert_eq!(buffer, b"xyabc");
        let mut rest = [0; 16];
        assert_eq!(receive(far.as_fd(), &mut rest).unwrap(), 5);
        assert_eq!(&rest[..5], b"defgh");
        let error = receive(far.as_fd(), &mut rest).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(near);
        assert_eq!(receive(far.as_fd(), &mut rest).unwrap(), 0);
    }

    #[test]
    fn an_impossible_processor_is_an_error() {
        assert!(pin_current_thread(usize::MAX).is_err());
        assert!(pin_current_thread(libc::CPU_SETSIZE as usize - 1).is_err());
    }
}
