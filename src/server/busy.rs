//! Sockets of a core whose script takes long: read and written past the reactor.
//!
//! The reactor is not polled while a script runs, so what arrives stays in the sockets. A command
//! is looked at where it lies and taken off only when it is complete; what is not is left for the
//! reactor. Nothing waits, but for the client of a debugging session: its socket belongs to the
//! session as long as that lasts.

use std::ffi::c_void;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use basalt_net::resp::{Limits, Parsed, RequestParser};
use basalt_shard::arguments::{Arguments, OwnedArguments};
use basalt_shard::host::Heard;

/// Bytes looked at: what helps is short, and what is longer waits for the script.
const LOOK_BYTES: usize = 4096;

/// The next command of each socket that has brought one in full, with the index of the socket.
pub(super) fn receive(descriptors: &[i32]) -> Vec<(usize, OwnedArguments)> {
    let mut commands = Vec::new();
    let mut bytes = [0; LOOK_BYTES];
    for (index, &descriptor) in descriptors.iter().enumerate() {
        let len = take(descriptor, &mut bytes, libc::MSG_PEEK);
        let Some((words, consumed)) = parse(&bytes[..len]) else { continue };
        if take(descriptor, &mut bytes[..consumed], 0) == consumed {
            commands.push((index, words));
        }
    }
    commands
}

fn parse(bytes: &[u8]) -> Option<(OwnedArguments, usize)> {
    if bytes.is_empty() {
        return None;
    }
    let limits =
        Limits { proto_max_bulk_len: LOOK_BYTES as i64, authenticated: true, max_args: 64 };
    let mut ranges = Vec::new();
    match RequestParser::new().parse(bytes, &limits, &mut ranges) {
        Ok(Parsed::Complete { consumed }) if !ranges.is_empty() => {
            Some((OwnedArguments::copy_of(Arguments::new(bytes, &ranges)), consumed))
        }
        _ => None,
    }
}

/// Bytes of a socket that are there; 0 if there are none.
fn take(descriptor: i32, bytes: &mut [u8], flags: i32) -> usize {
    let flags = flags | libc::MSG_DONTWAIT;
    // SAFETY: the kernel writes at most `bytes.len()` bytes, into a buffer that is ours.
    let taken =
        unsafe { libc::recv(descriptor, bytes.as_mut_ptr().cast::<c_void>(), bytes.len(), flags) };
    usize::try_from(taken).unwrap_or(0)
}

/// Sends a reply at once. A peer that does not take it whole has lost count of its replies, so its
/// connection ends.
pub(super) fn send(descriptor: i32, bytes: &[u8]) {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the kernel reads `bytes.len()` bytes of a buffer that is alive.
    let sent =
        unsafe { libc::send(descriptor, bytes.as_ptr().cast::<c_void>(), bytes.len(), flags) };
    if usize::try_from(sent) != Ok(bytes.len()) {
        // SAFETY: a call without memory.
        unsafe { libc::shutdown(descriptor, libc::SHUT_RDWR) };
    }
}

/// How long the client of a debugging session is listened to before others are looked after, in
/// milliseconds.
const LISTEN_MS: i32 = 50;

/// How long such a client may take to read what it is told.
const SPEAK_TIME: Duration = Duration::from_secs(5);

/// What the client of a debugging session says.
pub(super) fn listen(descriptor: i32, bytes: &mut [u8]) -> Heard {
    if !is_ready(descriptor, libc::POLLIN, LISTEN_MS) {
        return Heard::Nothing;
    }
    // SAFETY: the kernel writes at most `bytes.len()` bytes, into a buffer that is ours.
    let taken = unsafe {
        let buffer = bytes.as_mut_ptr().cast::<c_void>();
        libc::recv(descriptor, buffer, bytes.len(), libc::MSG_DONTWAIT)
    };
    match usize::try_from(taken) {
        Ok(0) => Heard::Ended,
        Ok(count) => Heard::Bytes(count),
        Err(_) if may_try_again() => Heard::Nothing,
        Err(_) => Heard::Ended,
    }
}

/// Tells such a client something; whether it has taken all of it.
pub(super) fn speak(descriptor: i32, mut bytes: &[u8]) -> bool {
    let deadline = Instant::now() + SPEAK_TIME;
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    while !bytes.is_empty() {
        // SAFETY: the kernel reads `bytes.len()` bytes of a buffer that is alive.
        let sent =
            unsafe { libc::send(descriptor, bytes.as_ptr().cast::<c_void>(), bytes.len(), flags) };
        match usize::try_from(sent) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) if !may_try_again() || Instant::now() >= deadline => return false,
            Err(_) => {
                is_ready(descriptor, libc::POLLOUT, LISTEN_MS);
            }
        }
    }
    true
}

/// Whether a socket can be read or written, or has failed, within so long.
fn is_ready(descriptor: i32, events: i16, wait_ms: i32) -> bool {
    let mut poll = libc::pollfd { fd: descriptor, events, revents: 0 };
    // SAFETY: the kernel reads and writes the one struct it is given.
    unsafe { libc::poll(&raw mut poll, 1, wait_ms) > 0 }
}

/// Whether the call that has just failed had nothing to do yet, or was interrupted.
fn may_try_again() -> bool {
    let kind = std::io::Error::last_os_error().kind();
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
