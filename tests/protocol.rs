//! The wire: inline commands, framing cut anywhere, malformed input word for word, large requests.
//!
//! Bytes are compared as they are here, so most expectations are spelled out. What the server
//! does about too many or too slow clients is in `limits.rs`.

mod support;

use std::io::Write;

use support::{OK, Reply, Test, array, bulk, each, each_core_count, each_with, encode};

/// Sends `sent` on a fresh connection; the server must answer `expected` and hang up.
#[track_caller]
fn check_fatal(t: &Test, sent: &[u8], expected: &str) {
    let mut client = t.server.connect_plain();
    client.send(sent);
    let received = client.read_until_closed();
    assert_eq!(received.escape_ascii().to_string(), expected.escape_default().to_string());
}

#[test]
fn inline_commands() {
    each(|t| {
        t.check_bytes(b"PING\r\n", b"+PONG\r\n");
        t.check_bytes(b"PING\n", b"+PONG\r\n");
        t.check_bytes(b"  SET\t k   v  \r\n", b"+OK\r\n");
        t.check_bytes(b"GET k\r\n", b"$1\r\nv\r\n");
        t.check_bytes(b"\r\n\r\n\nPING\r\n", b"+PONG\r\n");
        t.check_bytes(b"SET k \"a b\\x00\\n\\\"\"\r\nGET k\r\n", b"+OK\r\n$6\r\na b\0\n\"\r\n");
        t.check_bytes(b"SET k 'it\\'s \\x00'\r\nGET k\r\n", b"+OK\r\n$9\r\nit's \\x00\r\n");
        t.check_bytes(b"SET '' \"\"\r\nGET ''\r\n", b"+OK\r\n$0\r\n\r\n");
        t.check_bytes(b"ECHO a\"b\"\r\n", b"$2\r\nab\r\n");
    });
}

#[test]
fn unbalanced_quotes_end_the_connection() {
    each(|t| {
        let expected = "-ERR Protocol error: unbalanced quotes in request\r\n";
        for sent in ["SET k \"v\r\n", "SET k 'v\r\n", "SET \"k\"v\r\n", "SET 'k'v x\r\n", "\"\r\n"]
        {
            check_fatal(t, sent.as_bytes(), expected);
        }
    });
}

#[test]
fn empty_requests_are_ignored() {
    each(|t| {
        t.check_bytes(b"*0\r\nPING\r\n", b"+PONG\r\n");
        t.check_bytes(b"*-1\r\nPING\r\n", b"+PONG\r\n");
        t.check_bytes(b"*-10\r\n*1\r\n$4\r\nPING\r\n", b"+PONG\r\n");
    });
}

#[test]
fn malformed_requests_end_the_connection() {
    each(|t| {
        for (sent, expected) in [
            ("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'"),
            ("*1\r\n:1\r\n", "expected '$', got ':'"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$x\r\n", "invalid bulk length"),
            ("*1\r\n$536870913\r\n", "invalid bulk length"),
            ("*1\r\n$9223372036854775808\r\n", "invalid bulk length"),
            ("*x\r\n", "invalid multibulk length"),
            ("*2147483648\r\n", "invalid multibulk length"),
            ("*1 \r\n", "invalid multibulk length"),
            ("*\r\n", "invalid multibulk length"),
            ("*+1\r\n", "invalid multibulk length"),
            ("*01\r\n", "invalid multibulk length"),
        ] {
            check_fatal(t, sent.as_bytes(), &format!("-ERR Protocol error: {expected}\r\n"));
        }
    });
}

#[test]
fn endless_headers_end_the_connection() {
    each(|t| {
        let long = vec![b'1'; 70_000];
        for (prefix, expected) in [
            ("", "-ERR Protocol error: too big inline request\r\n"),
            ("*", "-ERR Protocol error: too big mbulk count string\r\n"),
            ("*1\r\n$", "-ERR Protocol error: too big bulk count string\r\n"),
        ] {
            check_fatal(t, &[prefix.as_bytes(), &long].concat(), expected);
        }
    });
}

#[test]
fn a_malformed_request_spares_what_came_before() {
    each(|t| {
        check_fatal(
            t,
            b"SET k before\r\nGET k\r\n*1\r\nX\r\nSET k after\r\n",
            "+OK\r\n$6\r\nbefore\r\n-ERR Protocol error: expected '$', got 'X'\r\n",
        );
        t.check("GET k", bulk("before"));
    });
}

#[test]
fn names_of_web_requests_are_treated_as_an_attack() {
    each(|t| {
        for sent in ["POST / HTTP/1.1\r\nHost: x\r\n\r\n", "Host: x\r\nSET k v\r\n"] {
            let mut client = t.server.connect_plain();
            client.send(sent.as_bytes());
            assert_eq!(client.read_until_closed(), b"");
        }
        t.check("EXISTS k", 0);
    });
}

#[test]
fn commands_cut_at_every_byte() {
    each(|t| {
        t.check_bytes(b"SET k v\r\n", b"+OK\r\n");
        let command = encode(["APPEND", "k", "\r\n$1\r\n"]);
        for cut in 1..command.len() {
            t.send(&command[..cut]);
            // A round trip on another connection lets the server see the first half alone.
            if cut % 8 == 0 {
                t.connect().check("PING", "+PONG");
            }
            t.send(&command[cut..]);
            t.check_next("APPEND", 1 + 6 * cut as i64);
        }
    });
}

#[test]
fn commands_sent_byte_by_byte_among_other_traffic() {
    each(|t| {
        let mut busy = t.connect();
        let script = ["SET k slow", "APPEND k er", "GET k"].map(encode).concat();
        for (byte, count) in script.chunks(1).zip(1..) {
            t.send(byte);
            busy.check("INCR other", count);
        }
        t.check_next("SET", OK);
        t.check_next("APPEND", 6);
        t.check_next("GET", bulk("slower"));
    });
}

#[test]
fn a_request_finished_after_hanging_up_is_still_executed() {
    each(|t| {
        let mut client = t.connect();
        client.send(&encode("SET k v"));
        client.send(&encode("APPEND k w")[..10]);
        client.finish_sending();
        assert_eq!(client.read_until_closed(), b"+OK\r\n");
        t.check("GET k", bulk("v"));
    });
}

#[test]
fn ten_thousand_commands_in_one_pipeline() {
    each(|t| {
        let commands = (0..10_000).map(|number| match number % 4 {
            0 => format!("SET key:{number} {number}"),
            1 => format!("GET key:{}", number - 1),
            2 => "INCR counter".to_owned(),
            _ => format!("nosuch{number}"),
        });
        let replies = t.pipeline(commands);
        for (number, reply) in replies.iter().enumerate() {
            let expected = match number % 4 {
                0 => Reply::Simple("OK".into()),
                1 => Reply::Bulk((number - 1).to_string().into_bytes()),
                2 => Reply::Integer(1 + number as i64 / 4),
                _ => Reply::Error(format!(
                    "ERR unknown command 'nosuch{number}', with args beginning with: "
                )),
            };
            assert_eq!(*reply, expected, "reply {number}");
        }
    });
}

#[test]
fn inline_and_array_commands_mix_in_one_pipeline() {
    each(|t| {
        let mut sent = Vec::new();
        for number in 0..500 {
            sent.extend_from_slice(format!("SET k:{number} {number}\r\n").as_bytes());
            sent.extend(encode(format!("GET k:{number}")));
        }
        let replies = t.pipeline_bytes(sent, 1000);
        for (number, pair) in replies.chunks(2).enumerate() {
            assert_eq!(pair[1], Reply::Bulk(number.to_string().into_bytes()));
        }
    });
}

/// A value that differs at every position, so shifted or repeated pieces show.
fn patterned(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index ^ index >> 8 ^ index >> 16) as u8).collect()
}

fn store_and_fetch(t: &mut Test, value: &[u8]) {
    t.check([&b"SET"[..], b"big", value], OK);
    t.check("STRLEN big", value.len() as i64);
    t.send_command("GET big");
    let received = t.read_bytes();
    let header = format!("${}\r\n", value.len());
    assert!(received.starts_with(header.as_bytes()));
    assert!(received[header.len()..received.len() - 2] == *value, "the value came back changed");
    t.check("DEL big", 1);
}

#[test]
fn large_values() {
    each(|t| {
        for length in [(1 << 16) - 1, 1 << 16, (1 << 20) + 1] {
            store_and_fetch(t, &patterned(length));
        }
    });
}

#[test]
fn a_value_of_64_megabytes() {
    each_with(&[], |t| store_and_fetch(t, &patterned(64 << 20)));
}

/// 512 MB is the limit itself; it needs about 3 GB of memory, hence `BASALT_TEST_HUGE=1`.
#[test]
fn a_value_of_512_megabytes() {
    if support::environment_number("BASALT_TEST_HUGE") != Some(1) {
        support::skip("set BASALT_TEST_HUGE=1 to run it");
        return;
    }
    each_core_count(&[2], |t| store_and_fetch(t, &patterned(512 << 20)));
}

#[test]
fn large_values_arrive_in_pieces_among_other_commands() {
    each(|t| {
        let value = patterned(3 << 20);
        let bytes = encode([&b"SET"[..], b"big", &value]);
        let mut other = t.connect();
        for piece in bytes.chunks(100_000) {
            t.send(piece);
            other.check("PING", "+PONG");
        }
        t.check_next("SET big", OK);
        t.check("GET big", bulk(&value));
    });
}

#[test]
fn proto_max_bulk_len_is_the_limit() {
    each(|t| {
        t.with_config("proto-max-bulk-len", "1048576", |t| {
            t.check(["SET", "k", &"x".repeat(1_048_576)], OK);
            let refusal = "-ERR Protocol error: invalid bulk length\r\n";
            check_fatal(t, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n", refusal);
            let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
            t.check("APPEND k x", too_long);
            t.check("SETRANGE k 1048576 x", too_long);
        });
    });
}

#[test]
fn a_million_arguments() {
    each_with(&[], |t| {
        const PAIR_COUNT: usize = (1 << 20) / 2;
        let mut bytes = format!("*{}\r\n$4\r\nMSET\r\n", 1 + 2 * PAIR_COUNT).into_bytes();
        for number in 0..PAIR_COUNT {
            let key = format!("{number:x}");
            write!(bytes, "${}\r\n{key}\r\n$1\r\nv\r\n", key.len()).expect("memory");
        }
        assert_eq!(t.pipeline_bytes(bytes, 1), [Reply::Simple("OK".into())]);
        t.check("DBSIZE", PAIR_COUNT as i64);
        t.check("GET 7ffff", bulk("v"));
        t.check("FLUSHALL", OK);
    });
}

#[test]
fn replies_come_in_request_order_whatever_their_size() {
    each(|t| {
        let large = patterned(300_000);
        t.check([&b"SET"[..], b"large", &large], OK);
        t.check("SET small s", OK);
        let commands =
            (0..60).map(|number| if number % 3 == 0 { "GET large" } else { "GET small" });
        for (number, reply) in t.pipeline(commands).into_iter().enumerate() {
            let expected = if number % 3 == 0 { large.clone() } else { b"s".to_vec() };
            assert!(reply == Reply::Bulk(expected), "reply {number}");
        }
    });
}

#[test]
fn many_connections_at_once_each_get_their_own_replies() {
    each(|t| {
        let mut clients: Vec<_> = (0..100).map(|_| t.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.send_command(["SET".to_owned(), format!("k{number}"), number.to_string()]);
            client.send_command(["GET".to_owned(), format!("k{number}")]);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.check_next("SET", OK);
            client.check_next("GET", bulk(number.to_string()));
        }
        t.check("MGET k0 k99", array([bulk("0"), bulk("99")]));
    });
}
