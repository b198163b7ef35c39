//! Sockets of a core whose script takes long: read and written past the reactor.
//!
//! The reactor is not polled while a script runs, so what arrives stays in the sockets. A command
//! is looked at where it lies and taken off only when it is complete; what is not is left for the
//! reactor. Nothing waits.

use std::ffi::c_void;

use basalt_net::resp::{Limits, Parsed, RequestParser};
use basalt_shard::arguments::{Arguments, OwnedArguments};

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
