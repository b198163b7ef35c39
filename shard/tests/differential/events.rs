//! Keyspace events: the same commands lead to the same events, in the same order.
//!
//! A client on either side listens to all channels of events. After each command a mark is
//! published, so that every event is laid at the door of the command that made it.

use std::collections::BTreeMap;

use basalt_shard::event::EventClasses;
use basalt_shard::settings::Settings;

use crate::contest::{line, now_ms};
use crate::draw::Draw;
use crate::masks::Peer;
use crate::support::redis::{Listener, RealServer};
use crate::support::resp::{show, show_request, split_replies};
use crate::support::{ClientId, Cluster, Request, settings};
use crate::{FAMILIES, pipeline};

/// All classes those servers know, keys that are new and keys that are missed among them.
pub(crate) const CLASSES: &str = "KEAmn";
const CLASS_BITS: u32 = 0x7fff;

/// What is listened to, and the channel of the marks.
const PATTERN: &str = "__key*";
const MARK: &str = "__key:mark";

/// Milliseconds that pass for a client that waits.
const WAIT_MS: i64 = 2;

/// What each command led to, one after the other.
type Led = Vec<Vec<Vec<u8>>>;

fn mark() -> Request {
    line(&format!("publish {MARK} -"))
}

/// Puts events into groups, by the marks that end them.
fn by_command(messages: Vec<Vec<u8>>) -> Led {
    let is_mark = |message: &Vec<u8>| message.windows(MARK.len()).any(|at| at == MARK.as_bytes());
    let mut led = vec![Vec::new()];
    for message in messages {
        if is_mark(&message) {
            led.push(Vec::new());
        } else {
            led.last_mut().expect("there is a group").push(message);
        }
    }
    assert!(led.pop().is_some_and(|rest| rest.is_empty()), "a mark comes last");
    led
}

/// Whether it is a SET with a time, which may be past. Then Basalt and Valkey remove the key, of
/// which they tell; Redis up to 7.2 sets it and lets it expire when it is looked for.
fn sets_the_past(request: &Request) -> bool {
    let is_time =
        |word: &Vec<u8>| [&b"exat"[..], b"pxat"].iter().any(|it| word.eq_ignore_ascii_case(it));
    request[0].eq_ignore_ascii_case(b"set") && request.iter().any(is_time)
}

fn run_theirs(real: &mut RealServer, listener: &mut Listener, requests: &[Request]) -> Led {
    let sent: Vec<Request> =
        requests.iter().flat_map(|request| [request.clone(), mark()]).collect();
    real.execute_all(&sent);
    let mut messages = Vec::new();
    let mut marks = 0;
    while marks < requests.len() {
        let message = listener.next();
        marks += usize::from(message.windows(MARK.len()).any(|at| at == MARK.as_bytes()));
        messages.push(message);
    }
    by_command(messages)
}

fn run_ours(cluster: &mut Cluster, [client, listener]: [ClientId; 2], requests: &[Request]) -> Led {
    for request in requests {
        cluster.advance_ms((now_ms() - cluster.now_ms()).max(0));
        let reply = cluster.execute_request(client, request.clone());
        if reply.is_empty() && cluster.is_blocked(client) {
            cluster.pass_ms(WAIT_MS);
            cluster.take_replies(client);
        }
        cluster.execute_request(client, mark());
    }
    by_command(split_replies(&cluster.take_replies(listener)))
}

/// Runs some pipelines on both; the first difference of each command.
pub(crate) fn differences(
    real: &mut RealServer,
    peer: Peer,
    seed: u64,
    rounds: usize,
) -> Vec<String> {
    let mut listener = real.listen(PATTERN);
    real.execute_all(&[line("flushall"), line("select 0"), line("hello 2")]);
    let settings =
        Settings { notify_keyspace_events: EventClasses::from_bits(CLASS_BITS), ..settings() };
    let mut cluster = Cluster::with_settings(1, seed, settings);
    let clients = [cluster.connect(0), cluster.connect(0)];
    cluster.execute(clients[1], &format!("psubscribe {PATTERN}"));
    cluster.advance_ms(now_ms() - cluster.now_ms());
    let mut draw = Draw::new(seed, now_ms());
    let mut found = BTreeMap::new();
    for _ in 0..rounds {
        let mut requests = vec![line("select 0")];
        let is_comparable = |request: &Request| !peer.skips(request) && !sets_the_past(request);
        requests.extend(pipeline(&mut draw, &FAMILIES).into_iter().filter(is_comparable));
        let theirs = run_theirs(real, &mut listener, &requests);
        let ours = run_ours(&mut cluster, clients, &requests);
        for (request, (ours, theirs)) in requests.iter().zip(ours.iter().zip(&theirs)) {
            if !peer.agree_about_events(request, ours, theirs) {
                let name = request[0].to_ascii_lowercase();
                found.entry(name).or_insert_with(|| tell(request, ours, theirs));
            }
        }
    }
    found.into_values().collect()
}

fn tell(request: &Request, ours: &[Vec<u8>], theirs: &[Vec<u8>]) -> String {
    // Channel and payload, each behind its length.
    let text = |message: &Vec<u8>| {
        show(message).split("\\r\\n").skip(6).step_by(2).collect::<Vec<_>>().join(" ")
    };
    let text = |messages: &[Vec<u8>]| messages.iter().map(text).collect::<Vec<_>>().join(", ");
    format!("{}\n  ours   {}\n  theirs {}", show_request(request), text(ours), text(theirs))
}
