//! Messages, keyspace events and invalidations over sockets, in both protocols. Orders and counts
//! under all interleavings are searched in `shard/tests/{pubsub,tracking}.rs`.

mod support;

use support::{Client, OK, Resp, Test, each, each_with, eventually};

/// What a client gets without asking, as it stands on the wire.
fn pushed(resp: Resp, parts: &[&str]) -> String {
    let kind = if resp == Resp::Three { '>' } else { '*' };
    let part = |part: &&str| match part.strip_prefix(':') {
        Some(number) => format!(":{number}\r\n"),
        None => format!("${}\r\n{part}\r\n", part.len()),
    };
    format!("{kind}{}\r\n{}", parts.len(), parts.iter().map(part).collect::<String>())
}

#[track_caller]
fn expect(client: &mut Client, parts: &[&str]) {
    let expected = pushed(client.resp(), parts);
    let received = client.read_bytes();
    assert_eq!(String::from_utf8_lossy(&received), expected);
}

/// A client that listens.
fn subscriber(t: &mut Test, command: &str) -> Client {
    let mut client = t.connect();
    let words: Vec<&str> = command.split(' ').collect();
    client.send_command(command);
    let verb = words[0].to_lowercase();
    for (index, name) in words[1..].iter().enumerate() {
        expect(&mut client, &[&verb, name, &format!(":{}", index + 1)]);
    }
    client
}

#[test]
fn messages_reach_all_who_listen() {
    each(|t| {
        let mut direct: Vec<Client> =
            (0..5).map(|_| subscriber(t, "SUBSCRIBE news other")).collect();
        let mut by_pattern = subscriber(t, "PSUBSCRIBE n*");
        let mut sharded = subscriber(t, "SSUBSCRIBE news");
        t.check("PUBLISH news hello", 6);
        t.check("SPUBLISH news hello", 1);
        t.check("PUBLISH nobody hello", 1);
        for client in &mut direct {
            expect(client, &["message", "news", "hello"]);
        }
        expect(&mut by_pattern, &["pmessage", "n*", "news", "hello"]);
        expect(&mut by_pattern, &["pmessage", "n*", "nobody", "hello"]);
        expect(&mut sharded, &["smessage", "news", "hello"]);
        let clients = t.info("clients");
        assert_eq!(clients.number("pubsub_clients"), 7);
        let stats = t.info("stats");
        let counts = ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"];
        assert_eq!(counts.map(|name| stats.number(name)), [2, 1, 1]);
        let list = t.text("CLIENT LIST TYPE pubsub");
        assert_eq!(list.lines().count(), 7, "{list}");
        assert!(list.contains(" flags=P ") && list.contains(" sub=2 psub=0 ssub=0 "), "{list}");
        drop((direct, by_pattern, sharded));
        eventually("nobody listens", || t.integer("PUBLISH news hello") == 0);
    });
}

#[test]
fn large_messages_arrive_whole() {
    each(|t| {
        let mut listening: Vec<Client> = (0..3).map(|_| subscriber(t, "SUBSCRIBE large")).collect();
        let payload = "0123456789".repeat(50_000);
        t.check(["PUBLISH", "large", payload.as_str()], 3);
        t.check("PUBLISH large end", 3);
        for client in &mut listening {
            expect(client, &["message", "large", &payload]);
            expect(client, &["message", "large", "end"]);
        }
    });
}

#[test]
fn a_subscriber_that_does_not_read_is_cut() {
    each_with(&["--client-output-buffer-limit", "pubsub 2mb 0 0"], |t| {
        let deaf = subscriber(t, "SUBSCRIBE flood");
        let payload = "x".repeat(1 << 20);
        eventually("it is cut", || t.integer(["PUBLISH", "flood", payload.as_str()]) == 0);
        assert!(t.info("stats").number("client_output_buffer_limit_disconnections") > 0);
        drop(deaf);
    });
}

#[test]
fn events_tell_of_changes_and_of_time() {
    each_with(&["--notify-keyspace-events", "KEA"], |t| {
        let mut listening = subscriber(t, "PSUBSCRIBE __key*");
        let mut event = |parts: [&str; 2]| {
            expect(&mut listening, &["pmessage", "__key*", parts[0], parts[1]]);
        };
        t.check("SET key value", OK);
        event(["__keyspace@0__:key", "set"]);
        event(["__keyevent@0__:set", "key"]);
        t.check("PEXPIRE key 1", 1);
        event(["__keyspace@0__:key", "expire"]);
        event(["__keyevent@0__:expire", "key"]);
        // Nobody looks for the key: its time comes by itself.
        event(["__keyspace@0__:key", "expired"]);
        event(["__keyevent@0__:expired", "key"]);
        t.check("CONFIG SET notify-keyspace-events Kl", OK);
        t.check("SET key value", OK);
        t.check("RPUSH list a", 1);
        event(["__keyspace@0__:list", "rpush"]);
    });
}

#[test]
fn clients_are_told_what_is_no_longer_so() {
    each(|t| {
        let mut asking = t.connect();
        asking.speak(Resp::Three);
        for key in ["a", "b", "c"] {
            t.check(["SET", key, "1"], OK);
        }
        asking.check("CLIENT TRACKING ON", OK);
        for key in ["a", "b", "c"] {
            asking.check(["GET", key], support::bulk("1"));
            t.check(["SET", key, "2"], OK);
            let told = format!(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\n{key}\r\n");
            assert_eq!(String::from_utf8_lossy(&asking.read_bytes()), told);
        }
        t.check("FLUSHALL", OK);
        assert_eq!(asking.read_bytes(), b">2\r\n$10\r\ninvalidate\r\n_\r\n");
        assert_eq!(t.info("clients").number("tracking_clients"), 1);
    });
}
