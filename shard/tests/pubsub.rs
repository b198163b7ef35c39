//! Publish and subscribe over many cores: every message is counted, received and ordered as if
//! there were one, while slots move and subscribers come and go; and what was written before a
//! message is there for whoever got it.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use basalt_shard::hash::HashSlot;
use support::resp::{elements, show, split_line, split_replies};
use support::{ClientId, Cluster, Request, under_seeds};

const CHANNELS: [&str; 6] = ["a", "b", "c", "{c}x", "d", "__key:e"];
const PATTERNS: [&str; 4] = ["a*", "*x", "*", "__key*"];

fn pick<'a>(random: &mut fastrand::Rng, words: &[&'a str]) -> &'a str {
    words[random.usize(..words.len())]
}

fn move_slot(random: &mut fastrand::Rng, core_count: usize) -> Request {
    let slot = HashSlot::of_key(pick(random, &CHANNELS).as_bytes()).number();
    split_line(&format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..core_count)))
}

/// The text of a bulk string, or the number of an integer.
fn text(reply: &[u8]) -> String {
    let shown = String::from_utf8(reply.to_vec()).expect("the texts of tests are UTF-8");
    let body = shown[1..].trim_end();
    let text =
        if shown.starts_with('$') { body.split_once("\r\n").map(|(_, text)| text) } else { None };
    text.unwrap_or(body).to_owned()
}

/// The parts of everything a client got that is an array or a push.
fn frames(replies: &[u8]) -> Vec<Vec<String>> {
    let is_frame = |reply: &Vec<u8>| matches!(reply[0], b'*' | b'>');
    let parts = |reply: Vec<u8>| elements(&reply).iter().map(|part| text(part)).collect();
    split_replies(replies).into_iter().filter(is_frame).map(parts).collect()
}

/// What one subscriber has seen: by way (a channel, or a pattern and a channel), the messages.
#[derive(Default)]
struct Seen {
    listens: BTreeSet<(String, String)>,
    messages: Vec<(String, String)>,
    /// Messages of each channel that came by SUBSCRIBE.
    direct: BTreeMap<String, Vec<String>>,
}

impl Seen {
    /// Reads what a subscriber got; it must not get anything it does not listen to.
    fn of(replies: &[u8]) -> Self {
        let mut seen = Self::default();
        for frame in frames(replies) {
            let words: Vec<&str> = frame.iter().map(String::as_str).collect();
            match words[..] {
                ["subscribe" | "ssubscribe" | "psubscribe", name, _] => {
                    let kind = frame[0].replace("subscribe", "message");
                    seen.listens.insert((kind, name.to_owned()));
                }
                ["unsubscribe" | "sunsubscribe" | "punsubscribe", name, _] => {
                    let kind = frame[0].replace("unsubscribe", "message");
                    seen.listens.remove(&(kind, name.to_owned()));
                }
                [kind, name, payload] => {
                    assert!(
                        seen.listens.contains(&(kind.to_owned(), name.to_owned())),
                        "{words:?}"
                    );
                    seen.messages.push((name.to_owned(), payload.to_owned()));
                    let way = format!("{kind} {name}");
                    seen.direct.entry(way).or_default().push(payload.to_owned());
                }
                [kind, pattern, name, payload] => {
                    let listens = (kind.to_owned(), pattern.to_owned());
                    assert!(seen.listens.contains(&listens), "{words:?}");
                    seen.messages.push((name.to_owned(), payload.to_owned()));
                }
                _ => panic!("not a message: {words:?}"),
            }
        }
        seen
    }
}

fn random_subscription(random: &mut fastrand::Rng) -> Request {
    let (one, other) = (pick(random, &CHANNELS), pick(random, &CHANNELS));
    let pattern = pick(random, &PATTERNS);
    split_line(&match random.u32(..12) {
        0..4 => format!("SUBSCRIBE {one} {other}"),
        4 => format!("UNSUBSCRIBE {one}"),
        5 => format!("UNSUBSCRIBE {one} {other}"),
        6..8 => format!("SSUBSCRIBE {one}"),
        8 => format!("SUNSUBSCRIBE {one}"),
        9..11 => format!("PSUBSCRIBE {pattern}"),
        _ => format!("PUNSUBSCRIBE {pattern}"),
    })
}

#[test]
fn every_message_is_received_as_often_as_counted_and_in_one_order() {
    under_seeds(count_and_order);
}

fn count_and_order(seed: u64) {
    for core_count in [1, 2, 4] {
        let mut cluster = Cluster::new(core_count, seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let cores = usize::from(core_count);
        let connect = |cluster: &mut Cluster, count: usize| -> Vec<ClientId> {
            (0..count).map(|number| cluster.connect(number % cores)).collect()
        };
        let subscribers = connect(&mut cluster, 6);
        let publishers = connect(&mut cluster, 4);
        let mover = cluster.connect(0);
        for (number, client) in subscribers.iter().enumerate() {
            if number % 2 == 0 {
                cluster.execute(*client, "HELLO 3");
            }
        }
        let mut sent: Vec<Vec<(String, String)>> = vec![Vec::new(); publishers.len()];
        for round in 0..12 {
            for (number, client) in publishers.iter().enumerate() {
                for index in 0..random.usize(..12) {
                    let channel = pick(&mut random, &CHANNELS).to_owned();
                    let payload = format!("{number}.{round}.{index:02}");
                    let verb = if random.u32(..4) == 0 { "SPUBLISH" } else { "PUBLISH" };
                    cluster.send(*client, split_line(&format!("{verb} {channel} {payload}")));
                    sent[number].push((channel, payload));
                }
            }
            for client in &subscribers {
                for _ in 0..random.usize(..4) {
                    cluster.send(*client, random_subscription(&mut random));
                }
            }
            cluster.send(mover, move_slot(&mut random, cores));
            for _ in 0..random.usize(..400) {
                cluster.step();
            }
        }
        cluster.run_until_idle();
        let replies: Vec<Vec<u8>> =
            publishers.iter().map(|client| cluster.take_replies(*client)).collect();
        let seen: Vec<Seen> =
            subscribers.iter().map(|client| Seen::of(&cluster.take_replies(*client))).collect();
        check_counts(&sent, &replies, &seen);
        check_order(&seen);
    }
}

/// PUBLISH has told how often its message was received.
fn check_counts(sent: &[Vec<(String, String)>], replies: &[Vec<u8>], seen: &[Seen]) {
    let mut received: BTreeMap<&(String, String), i64> = BTreeMap::new();
    for message in seen.iter().flat_map(|seen| &seen.messages) {
        *received.entry(message).or_default() += 1;
    }
    for (sent, replies) in sent.iter().zip(replies) {
        let replies = split_replies(replies);
        assert_eq!(replies.len(), sent.len(), "every PUBLISH is answered");
        for (message, reply) in sent.iter().zip(replies) {
            let count = received.get(message).copied().unwrap_or(0);
            assert_eq!(show(&reply), show(format!(":{count}\r\n").as_bytes()), "{message:?}");
        }
    }
}

/// All who listen to a channel have seen its messages in one order, in which those of a publisher
/// are as it sent them.
fn check_order(seen: &[Seen]) {
    for one in seen {
        for (way, messages) in &one.direct {
            let publisher = |payload: &String| payload.split('.').next().map(str::to_owned);
            let mut last: BTreeMap<Option<String>, (usize, &str)> = BTreeMap::new();
            for payload in messages {
                let round: usize =
                    payload.split('.').nth(1).and_then(|it| it.parse().ok()).unwrap();
                let at = (round, payload.rsplit('.').next().expect("it has parts"));
                let before = last.insert(publisher(payload), at);
                assert!(before.is_none_or(|before| before < at), "{way}: {messages:?}");
            }
            for other in seen.iter().filter_map(|other| other.direct.get(way)) {
                let common = |these: &[String], those: &[String]| -> Vec<String> {
                    these.iter().filter(|payload| those.contains(payload)).cloned().collect()
                };
                assert_eq!(common(messages, other), common(other, messages), "{way}");
            }
        }
    }
}

#[test]
fn what_was_written_before_a_message_is_there_and_what_comes_after_is_not_seen_before() {
    under_seeds(write_publish_write);
}

/// A subscriber that reads two keys in turn, one command at a time.
struct Onlooker {
    client: ClientId,
    /// The newest message it has got, and the newest it had got when it last sent a command.
    newest: u32,
    newest_when_sent: u32,
    /// Whether it awaits a reply, and what it asks for next.
    awaits: bool,
    asks_before: bool,
}

impl Onlooker {
    fn ask(&mut self, cluster: &mut Cluster) {
        if !self.awaits {
            self.asks_before = !self.asks_before;
            let key = if self.asks_before { "before" } else { "after" };
            cluster.send(self.client, split_line(&format!("GET {key}")));
            self.newest_when_sent = self.newest;
            self.awaits = true;
        }
    }

    fn look(&mut self, cluster: &mut Cluster) {
        let number = |reply: &[u8]| text(reply).parse::<u32>().unwrap_or(0);
        for reply in split_replies(&cluster.take_replies(self.client)) {
            if reply[0] == b'>' {
                let message = number(&elements(&reply)[2]);
                assert_eq!(message, self.newest + 1, "messages come one after the other");
                self.newest = message;
                continue;
            }
            let value = number(&reply);
            self.awaits = false;
            if self.asks_before {
                let newest = self.newest_when_sent;
                assert!(value >= newest, "message {newest} has come, and only {value} is there");
            } else {
                assert!(value <= self.newest, "{value} is seen before its message");
            }
        }
    }
}

fn write_publish_write(seed: u64) {
    for core_count in [1, 2, 3] {
        let mut cluster = Cluster::new(core_count, seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let cores = usize::from(core_count);
        let publisher = cluster.connect(random.usize(..cores));
        let channel = pick(&mut random, &CHANNELS);
        let mut onlookers: Vec<Onlooker> = (0..cores)
            .map(|core| {
                let client = cluster.connect(core);
                cluster.execute(client, "HELLO 3");
                cluster.execute(client, &format!("SUBSCRIBE {channel}"));
                let (newest, newest_when_sent) = (0, 0);
                Onlooker { client, newest, newest_when_sent, awaits: false, asks_before: false }
            })
            .collect();
        let mover = cluster.connect(0);
        for number in 1..=40 {
            for line in ["SET before", &format!("PUBLISH {channel}"), "SET after"] {
                cluster.send(publisher, split_line(&format!("{line} {number}")));
            }
            if random.u32(..4) == 0 {
                let key = pick(&mut random, &["before", channel, "after"]);
                let slot = HashSlot::of_key(key.as_bytes()).number();
                let line = format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..cores));
                cluster.send(mover, split_line(&line));
            }
            for _ in 0..random.usize(..100) {
                cluster.step();
                for onlooker in &mut onlookers {
                    onlooker.look(&mut cluster);
                    onlooker.ask(&mut cluster);
                }
            }
        }
        cluster.run_until_idle();
        for onlooker in &mut onlookers {
            onlooker.look(&mut cluster);
            assert_eq!(onlooker.newest, 40, "every message arrives");
        }
    }
}

#[test]
fn who_leaves_is_counted_no_more() {
    under_seeds(|seed| {
        let mut cluster = Cluster::new(3, seed);
        let clients: Vec<ClientId> = (0..6).map(|number| cluster.connect(number % 3)).collect();
        let publisher = cluster.connect(1);
        for client in &clients {
            cluster.execute(*client, "SUBSCRIBE a b __key:e");
            cluster.execute(*client, "SSUBSCRIBE a");
            cluster.execute(*client, "PSUBSCRIBE a*");
        }
        for (gone, client) in clients.iter().enumerate() {
            let left = clients.len() - gone;
            for (line, count) in [
                ("PUBLISH a x", 2 * left),
                ("PUBLISH b x", left),
                ("SPUBLISH a x", left),
                ("PUBLISH __key:e x", left),
            ] {
                let reply = cluster.execute(publisher, line);
                assert_eq!(show(&reply), show(format!(":{count}\r\n").as_bytes()), "{line}");
            }
            if gone % 2 == 0 {
                cluster.disconnect(*client);
            } else {
                cluster.execute(*client, "RESET");
            }
        }
        assert_eq!(cluster.execute(publisher, "PUBLISH a x"), b":0\r\n");
        assert_eq!(cluster.execute(publisher, "PUBSUB CHANNELS"), b"*0\r\n");
        assert_eq!(cluster.execute(publisher, "PUBSUB NUMPAT"), b":0\r\n");
    });
}

#[test]
fn who_leaves_in_the_midst_of_subscribing_is_not_counted() {
    under_seeds(|seed| {
        let mut cluster = Cluster::new(3, seed);
        let mut random = fastrand::Rng::with_seed(seed);
        let publisher = cluster.connect(0);
        for _ in 0..20 {
            let client = cluster.connect(random.usize(..3));
            for _ in 0..4 {
                cluster.send(client, random_subscription(&mut random));
            }
            for _ in 0..random.usize(..60) {
                cluster.step();
            }
            cluster.disconnect(client);
        }
        for channel in CHANNELS {
            assert_eq!(cluster.execute(publisher, &format!("PUBLISH {channel} x")), b":0\r\n");
            assert_eq!(cluster.execute(publisher, &format!("SPUBLISH {channel} x")), b":0\r\n");
        }
    });
}

#[test]
fn a_flood_waits_for_who_delivers_and_loses_nothing() {
    under_seeds(|seed| {
        const PUBLISHERS: usize = 8;
        const MESSAGES: usize = 150;
        let mut cluster = Cluster::new(2, seed);
        let subscriber = cluster.connect(1);
        cluster.execute(subscriber, "SUBSCRIBE b a");
        let publishers: Vec<ClientId> =
            (0..PUBLISHERS).map(|number| cluster.connect(number % 2)).collect();
        let payload = "x".repeat(200_000);
        for number in 0..MESSAGES {
            for client in &publishers {
                let channel = if number % 2 == 0 { "a" } else { "b" };
                cluster.send(*client, split_line(&format!("PUBLISH {channel} {payload}")));
            }
        }
        cluster.run_until_idle();
        let received = frames(&cluster.take_replies(subscriber)).len();
        assert_eq!(received, PUBLISHERS * MESSAGES);
        for client in publishers {
            let replies = cluster.take_replies(client);
            assert_eq!(replies, b":1\r\n".repeat(MESSAGES));
        }
    });
}

#[test]
fn transactions_publish_and_subscribe() {
    for core_count in [1, 2] {
        let mut cluster = Cluster::new(core_count, 7);
        let client = cluster.connect(0);
        cluster.execute(client, "HELLO 3");
        for line in
            ["MULTI", "SUBSCRIBE a b", "PUBLISH a 1", "UNSUBSCRIBE a", "PING", "PUBLISH b 2"]
        {
            cluster.execute(client, line);
        }
        let replies = cluster.execute(client, "EXEC");
        let expected = "*5\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n\
                        >3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n:1\r\n\
                        >3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n+PONG\r\n:1\r\n";
        assert!(show(&replies).contains(&show(expected.as_bytes())), "{}", show(&replies));
        assert!(show(&replies).contains("message\\r\\n$1\\r\\nb"), "{}", show(&replies));
    }
}

#[test]
fn a_subscriber_that_speaks_resp2_may_do_little() {
    let mut cluster = Cluster::new(2, 7);
    let client = cluster.connect(0);
    let refusal = "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT \
                   / RESET are allowed in this context\r\n";
    for (line, expected) in [
        ("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"),
        ("GET x", refusal),
        ("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
        ("PING x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n"),
        ("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n"),
        ("PING", "+PONG\r\n"),
        ("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
        ("GET x", "$-1\r\n"),
    ] {
        let reply = cluster.execute(client, line);
        assert_eq!(show(&reply), show(expected.as_bytes()), "{line}");
    }
}
