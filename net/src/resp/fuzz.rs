//! The parser's main property, callable by a fuzzer: how a stream is cut into reads never matters.
//!
//! The same bytes go through the parser in one piece, byte by byte, in pieces of pseudo-random
//! lengths, and in pieces as long as `wanted` asks for; all four must find the same commands and
//! end in the same error.

use super::{ArgRange, Limits, Parsed, ProtocolError, RequestParser};

/// Longest stream that is also fed byte by byte: the driver here re-slices per byte.
const BYTEWISE_LENGTH_MAX: usize = 4096;

/// Checks the property on `data`: its first two bytes choose limits and cuts, the rest is the
/// stream. Any input is allowed.
///
/// # Panics
/// If the property does not hold.
pub fn fuzz(data: &[u8]) {
    let [selector, seed, stream @ ..] = data else {
        return;
    };
    let limits = Limits {
        proto_max_bulk_len: if selector & 1 == 0 { 64 } else { 512 * 1024 * 1024 },
        authenticated: selector & 2 == 0,
        max_args: if selector & 4 == 0 { 100 } else { i32::MAX.into() },
    };
    check_cuts(stream, &limits, u64::from(*seed));
}

/// Asserts that `stream` gives the same however it is cut, and returns what it gives.
pub(super) fn check_cuts(stream: &[u8], limits: &Limits, seed: u64) -> Transcript {
    let whole = feed(stream, limits, |_| usize::MAX);
    if stream.len() <= BYTEWISE_LENGTH_MAX {
        let bytewise = feed(stream, limits, |_| 1);
        assert_eq!(whole, bytewise, "byte by byte");
    }
    let mut state = seed;
    let random = feed(stream, limits, |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (state >> 33) as usize % (1 << (1 + (state >> 60)))
    });
    assert_eq!(whole, random, "random pieces, seed {seed}");
    let asked = feed(stream, limits, |wanted| wanted);
    assert_eq!(whole, asked, "pieces as wanted");
    whole
}

/// Everything a stream means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transcript {
    /// The arguments of each command that has any.
    pub(super) commands: Vec<Vec<Vec<u8>>>,
    /// What ended the stream early.
    pub(super) error: Option<ProtocolError>,
    /// Length of the incomplete command at the end.
    pub(super) rest_len: usize,
}

/// Feeds `stream` as a connection does: pieces are appended to what is left of earlier ones.
/// `piece_len` is told how many bytes the parser wants at least and returns how many come.
fn feed(stream: &[u8], limits: &Limits, mut piece_len: impl FnMut(usize) -> usize) -> Transcript {
    let mut parser = RequestParser::new();
    let mut args = vec![ArgRange { start: u32::MAX, len: 0 }];
    let mut commands = Vec::new();
    let (mut start, mut received, mut wanted) = (0, 0, 1);
    while received < stream.len() {
        let piece = piece_len(wanted - (received - start)).min(stream.len() - received);
        received += piece;
        loop {
            let input = &stream[start..received];
            let consumed = match parser.parse(input, limits, &mut args) {
                Ok(Parsed::Complete { consumed }) => {
                    commands.push(args[1..].iter().map(|arg| arg.of(input).to_vec()).collect());
                    consumed
                }
                Ok(Parsed::Unquoted { consumed }) => {
                    let text = parser.unquoted();
                    commands.push(args[1..].iter().map(|arg| arg.of(text).to_vec()).collect());
                    consumed
                }
                Ok(Parsed::Incomplete { wanted: total }) => {
                    assert!(total > input.len() && args.len() == 1);
                    wanted = total;
                    break;
                }
                Err(error) => {
                    assert!(args.len() == 1, "arguments of a broken command");
                    commands.retain(|command: &Vec<Vec<u8>>| !command.is_empty());
                    return Transcript { commands, error: Some(error), rest_len: 0 };
                }
            };
            assert!(input.len() >= wanted, "asked for too much");
            assert!(!parser.is_inside_command() && consumed <= input.len());
            args.truncate(1);
            start += consumed;
            wanted = 1;
        }
    }
    commands.retain(|command: &Vec<Vec<u8>>| !command.is_empty());
    Transcript { commands, error: None, rest_len: received - start }
}
