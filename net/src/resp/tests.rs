//! Whole requests: what they mean, what is refused, and that cuts do not matter. The expected
//! texts were taken from a running Redis.

use super::fuzz::{Transcript, check_cuts};
use super::*;
use proptest::prelude::*;

/// Parses `stream` under the default limits, in many cuts.
fn parse(stream: &[u8]) -> Transcript {
    check_cuts(stream, &Limits::default(), 1)
}

#[track_caller]
fn check(stream: &[u8], expected: &[&[&[u8]]]) {
    let transcript = parse(stream);
    assert_eq!(transcript.error, None, "{}", stream.escape_ascii());
    assert_eq!(transcript.commands, expected, "{}", stream.escape_ascii());
    assert_eq!(transcript.rest_len, 0, "{}", stream.escape_ascii());
}

#[track_caller]
fn check_error_within(limits: &Limits, stream: &[u8], expected: &str) {
    let error = check_cuts(stream, limits, 2).error;
    let shown = stream[..stream.len().min(40)].escape_ascii();
    assert_eq!(error.map(|error| error.to_string()).as_deref(), Some(expected), "{shown}");
}

#[track_caller]
fn check_error(stream: &[u8], expected: &str) {
    check_error_within(&Limits::default(), stream, expected);
}

#[track_caller]
fn check_incomplete(stream: &[u8]) {
    let transcript = parse(stream);
    assert_eq!((transcript.error, transcript.rest_len), (None, stream.len()));
    assert!(transcript.commands.is_empty());
}

/// Encodes a command as clients do.
fn encode(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn commands_are_found() {
    check(b"*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]);
    check(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[&[b"GET", b""]]);
    check(b"PING\r\nPING\n*1\r\n$4\r\nQUIT\r\n", &[&[b"PING"], &[b"PING"], &[b"QUIT"]]);
    check(
        b"*2\r\n$4\r\nECHO\r\n$12\r\n\r\n$1\r\n*2\r\n..\r\n",
        &[&[b"ECHO", b"\r\n$1\r\n*2\r\n.."]],
    );
    check(b"ECHO \"a\\x41\" 'b c'\r\nPING\r\n", &[&[b"ECHO", b"aA", b"b c"], &[b"PING"]]);
    check(b"$4\r\nPING\r\n", &[&[b"$4"], &[b"PING"]]);
}

#[test]
fn commands_without_arguments_are_consumed() {
    for stream in [&b"*0\r\n"[..], b"*-1\r\n", b"*-10\r\n", b"\r\n", b"\n", b"  \r\n", b"\r\r\n"] {
        check(stream, &[]);
        check(&[stream, b"PING\r\n"].concat(), &[&[b"PING"]]);
    }
}

#[test]
fn bytes_after_line_ends_and_bodies_are_not_looked_at() {
    check(b"*1\rX$4\rYPINGxxPING\r\n", &[&[b"PING"], &[b"PING"]]);
}

#[test]
fn incomplete_commands_wait() {
    let mut command = encode(&[b"SET".to_vec(), vec![b'k'; 9], vec![b'v'; 100]]);
    while command.pop().is_some() {
        check_incomplete(&command);
    }
    check_incomplete(b"*2147483647\r\n");
    check_incomplete(b"*1\r\n$536870912\r\n");
    check_incomplete(b"\"a");
}

#[test]
fn wanted_is_exact_inside_an_argument() {
    let (mut parser, mut args) = (RequestParser::new(), Vec::new());
    let head = b"*2\r\n$3\r\nGET\r\n$536870912\r\n";
    let parsed = parser.parse(head, &Limits::default(), &mut args);
    assert_eq!(parsed, Ok(Parsed::Incomplete { wanted: head.len() + 536_870_912 + 2 }));
    assert!(parser.is_inside_command() && args.is_empty());
}

#[test]
fn counts_and_lengths_are_checked() {
    for count in ["-0", "01", "+1", "", "x", "1 ", "2147483648", "99999999999999999999"] {
        let line = format!("*{count}\r\n");
        check_error(line.as_bytes(), "Protocol error: invalid multibulk length");
    }
    for length in ["-1", "04", "", "x", "536870913", "99999999999999999999"] {
        let line = format!("*1\r\n${length}\r\n");
        check_error(line.as_bytes(), "Protocol error: invalid bulk length");
    }
    let few = Limits { max_args: 2, ..Limits::default() };
    check_error_within(&few, b"*3\r\n", "Protocol error: invalid multibulk length");
}

#[test]
fn a_command_ends_where_32_bits_do() {
    let wide = Limits { proto_max_bulk_len: i64::MAX, ..Limits::default() };
    let text = "Protocol error: invalid bulk length";
    check_error_within(&wide, b"*1\r\n$4294967295\r\n", text);
    check_error_within(&wide, b"*1\r\n$9223372036854775807\r\n", text);
    let head = b"*1\r\n$4294967276\r\n";
    assert_eq!(check_cuts(head, &wide, 3).error, None);
}

#[test]
fn arguments_start_with_a_dollar() {
    check_error(b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "Protocol error: expected '$', got 'f'");
    check_error(b"*1\r\n\nxx\r\n", "Protocol error: expected '$', got ' '");
    check_error(b"*1\r\n\rxx\r\n", "Protocol error: expected '$', got ' '");
    let mut message = Vec::new();
    ProtocolError::ExpectedDollar(0xff).write_message(&mut message);
    assert_eq!(message, b"Protocol error: expected '$', got '\xff'");
}

#[test]
fn lines_are_at_most_64_kib() {
    let line = |head: &[u8], fill: u8, len: usize, end: &[u8]| {
        let mut line = head.to_vec();
        line.resize(len, fill);
        line.extend_from_slice(end);
        line
    };
    check_incomplete(&line(b"PING", b' ', LINE_BYTES_MAX, b""));
    check(&line(b"PING", b' ', LINE_BYTES_MAX, b"\n"), &[&[b"PING"]]);
    let too_long = line(b"PING", b' ', LINE_BYTES_MAX + 1, b"\n");
    check_error(&too_long, "Protocol error: too big inline request");
    check_incomplete(&line(b"*", b'1', LINE_BYTES_MAX, b""));
    let too_long = line(b"*", b'1', LINE_BYTES_MAX + 1, b"");
    check_error(&too_long, "Protocol error: too big mbulk count string");
    let head = b"*1\r\n";
    let too_long = line(&[head, &b"$"[..]].concat(), b'1', head.len() + LINE_BYTES_MAX + 1, b"");
    check_error(&too_long, "Protocol error: too big bulk count string");
    check_error(b"SET \"a\r\n", "Protocol error: unbalanced quotes in request");
}

#[test]
fn strangers_may_ask_for_little() {
    let stranger = Limits { authenticated: false, ..Limits::default() };
    let text = "Protocol error: unauthenticated multibulk length";
    check_error_within(&stranger, b"*11\r\n", text);
    let text = "Protocol error: unauthenticated bulk length";
    check_error_within(&stranger, b"*1\r\n$16385\r\n", text);
    assert_eq!(check_cuts(b"*10\r\n$16384\r\n", &stranger, 4).error, None);
}

#[test]
fn pipelined_commands_share_one_vector() {
    let (mut parser, mut args) = (RequestParser::new(), Vec::new());
    let stream = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$3\r\nGE";
    let limits = Limits::default();
    let first = parser.parse(stream, &limits, &mut args);
    assert_eq!(first, Ok(Parsed::Complete { consumed: 14 }));
    let second = parser.parse(&stream[14..], &limits, &mut args);
    assert_eq!(second, Ok(Parsed::Complete { consumed: 20 }));
    let third = parser.parse(&stream[34..], &limits, &mut args);
    assert_eq!(third, Ok(Parsed::Incomplete { wanted: 13 }));
    let starts: Vec<u32> = args.iter().map(|arg| arg.start).collect();
    assert_eq!(starts, [8, 8, 17]);
}

#[test]
fn a_parser_is_fit_for_use_after_an_error() {
    let (mut parser, mut args) = (RequestParser::new(), Vec::new());
    let limits = Limits::default();
    let broken = b"*2\r\n$4\r\nPING\r\nx\r\n";
    assert!(matches!(
        parser.parse(&broken[..12], &limits, &mut args),
        Ok(Parsed::Incomplete { .. })
    ));
    assert!(parser.parse(broken, &limits, &mut args).is_err());
    assert!(args.is_empty() && !parser.is_inside_command());
    assert_eq!(parser.parse(b"*0\r\n", &limits, &mut args), Ok(Parsed::Complete { consumed: 4 }));
}

/// A command of a million arguments in 16 KB pieces would take minutes were it parsed anew for
/// every piece; the calls here look at each byte once.
#[test]
fn a_million_arguments_in_pieces_are_parsed_once() {
    let count = 1_048_576;
    let command = encode(&vec![b"0123456789".to_vec(); count]);
    let (mut parser, mut args) = (RequestParser::new(), Vec::new());
    let mut received = 0;
    let limits = Limits::default();
    while received < command.len() {
        received = (received + 16 * 1024).min(command.len());
        let parsed = parser.parse(&command[..received], &limits, &mut args).unwrap();
        let complete = parsed == Parsed::Complete { consumed: command.len() };
        assert_eq!(complete, received == command.len());
    }
    assert_eq!(args.len(), count);
    assert!(args.iter().all(|arg| arg.of(&command) == b"0123456789"));
}

/// Streams that are mostly right, so that they get far into the parser before they go wrong.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let arg = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..30),
        1 => prop::collection::vec(any::<u8>(), 90..300),
    ];
    let part = prop_oneof![
        6 => prop::collection::vec(arg, 0..15).prop_map(|args| encode(&args)),
        2 => "[ a-c\"'\\\\x41\t]{0,20}\r?\n".prop_map(String::into_bytes),
        1 => "[*$\r\n0-9-]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn cuts_do_not_matter(stream in stream(), seed: u64, strict: bool) {
        let limits = match strict {
            false => Limits::default(),
            true => Limits { proto_max_bulk_len: 64, authenticated: false, max_args: 12 },
        };
        check_cuts(&stream, &limits, seed);
    }

    #[test]
    fn what_was_encoded_is_found(commands in prop::collection::vec(
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12), 0..8), seed: u64) {
        let stream: Vec<u8> = commands.iter().flat_map(|args| encode(args)).collect();
        let transcript = check_cuts(&stream, &Limits::default(), seed);
        prop_assert_eq!(transcript, Transcript { commands, error: None, rest_len: 0 });
    }

    #[test]
    fn the_fuzz_target_takes_anything(data in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz(&data);
    }
}
