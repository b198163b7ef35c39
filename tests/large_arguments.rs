//! Large arguments: their rest is received in place, and what follows them must not notice.

mod support;

use support::{OK, Reply, Seeded, Test, bulk, each, each_core_count, each_with, encode};

/// Symptom: after a SET of 300 KB the next small command got no reply. Cause: the argument was
/// complete by the end of the turn in which its rest was asked for, and the rest that was asked
/// for anyway swallowed what followed. Fix: ask for what the parser missed last.
#[test]
fn small_commands_follow_large_ones() {
    each(|t| {
        for length in [150_000, 300_000, 1_000_000] {
            let large = encode([&b"SET"[..], b"large", &vec![b'x'; length]]);
            for _ in 0..5 {
                t.send(&large);
                t.check_next("the large SET", OK);
                t.check("SET small s", OK);
                t.send(&[large.clone(), encode("SET small t"), encode("STRLEN large")].concat());
                t.check_next("the large SET", OK);
                t.check_next("the small SET", OK);
                t.check_next("STRLEN", length as i64);
            }
        }
    });
}

/// Lengths around everything that has a limit: buffers, the bound for receiving in place, pieces.
fn length(random: &mut Seeded) -> usize {
    match random.generator.u8(..6) {
        0..=2 => random.generator.usize(..100),
        3 => random.generator.usize(16_000..17_000),
        4 => random.generator.usize(100_000..400_000),
        _ => random.generator.usize(1_000_000..3_000_000),
    }
}

/// One pipeline of large and small commands, written in pieces of any size.
fn mixed_pipeline(t: &mut Test, random: &mut Seeded) {
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for number in 0..12_u8 {
        let value = vec![b'a' + number; length(random)];
        let (key, other) = (format!("k{number}"), format!("other{number}"));
        match random.generator.u8(..3) {
            0 => bytes.extend(encode([b"SET", key.as_bytes(), &value])),
            // Keys of several cores: what follows waits for its reply.
            1 => bytes.extend(encode([b"MSET", key.as_bytes(), &value, other.as_bytes(), b"o"])),
            _ => bytes.extend(encode([b"SET", key.as_bytes(), &value, b"EX", b"1000"])),
        }
        bytes.extend(encode(["STRLEN", &key]));
        bytes.extend(encode("PING"));
        expected.push(Reply::Simple("OK".into()));
        expected.push(Reply::Integer(value.len() as i64));
        expected.push(Reply::Simple("PONG".into()));
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.generator.usize(1..=1_000_000).min(rest.len()));
        t.send(piece);
        rest = after;
    }
    for (index, expected) in expected.into_iter().enumerate() {
        assert_eq!(t.read_reply(), expected, "reply {index}, seed {}", random.seed);
    }
}

#[test]
fn large_and_small_commands_mix_in_one_pipeline() {
    let Seeded { seed, generator } = Seeded::announced("large arguments");
    each(|t| {
        let mut random = Seeded { seed, generator: generator.clone() };
        for _ in 0..4 {
            mixed_pipeline(t, &mut random);
        }
    });
}

/// A pipeline around one value of `length` bytes.
fn around(t: &mut Test, length: usize) {
    let large = encode([&b"SET"[..], b"large", &vec![b'x'; length]]);
    let bytes = [encode("INCR n"), large, encode("INCR n"), encode("STRLEN large")].concat();
    let replies = t.pipeline_bytes(bytes, 4);
    let expected = [
        Reply::Integer(1),
        Reply::Simple("OK".into()),
        Reply::Integer(2),
        Reply::Integer(length as i64),
    ];
    assert_eq!(replies, expected);
    t.check("DEL large n", 2);
}

#[test]
fn a_pipeline_around_64_megabytes() {
    each_with(&[], |t| around(t, 64 << 20));
}

/// 512 MB is the limit itself; it needs about 3 GB of memory, hence `BASALT_TEST_HUGE=1`.
#[test]
fn a_pipeline_around_512_megabytes() {
    if support::environment_number("BASALT_TEST_HUGE") != Some(1) {
        support::skip("set BASALT_TEST_HUGE=1 to run it");
        return;
    }
    each_core_count(&[2], |t| around(t, 512 << 20));
}

#[test]
fn what_precedes_an_argument_that_never_ends_is_run() {
    each(|t| {
        let mut client = t.connect();
        let large = encode([&b"SET"[..], b"large", &vec![b'x'; 1 << 20]]);
        client.send(&encode("INCR n"));
        client.send(&encode("MSET a 1 b 2 c 3"));
        client.send(&encode("INCR n"));
        client.send(&large[..700_000]);
        client.finish_sending();
        assert_eq!(client.read_until_closed(), b":1\r\n+OK\r\n:2\r\n");
        t.check("MGET n a large", support::array([bulk("2"), bulk("1"), support::NIL]));
    });
}

#[test]
fn who_stops_in_the_middle_of_an_argument_is_idle() {
    each_with(&["--timeout", "1"], |t| {
        let mut client = t.connect();
        client.send(&encode([&b"SET"[..], b"large", &vec![b'x'; 1 << 20]])[..700_000]);
        assert_eq!(client.read_until_closed(), b"");
        t.reconnect();
        t.check("EXISTS large", 0);
    });
}
