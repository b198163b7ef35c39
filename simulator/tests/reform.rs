//! CONFIG SET while a core stands still: whoever knows of the change is followed by nobody who does
//! not.

use basalt_shard::hash::HashSlot;
use basalt_simulator::cluster::{ClientId, Cluster};
use basalt_simulator::op::Form;
use basalt_simulator::reform::{INITIAL, Look, PROBES, set};
use basalt_simulator::resp::{split_line, split_replies};
use basalt_simulator::under_seeds;
use basalt_simulator::value::Value;

const CORES: u16 = 3;

/// Steps in which a core stands still.
const STILL: u64 = 12_000;

/// Steps after which somebody else looks.
const ROUND: u64 = 600;

/// A cluster and a client at each core.
struct Server {
    cluster: Cluster,
    clients: Vec<ClientId>,
}

impl Server {
    fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(CORES, seed);
        let clients = (0..usize::from(CORES)).map(|core| cluster.connect(core)).collect();
        Self { cluster, clients }
    }

    /// Looks by a client; what it saw if it is answered within some steps.
    fn look(&mut self, client: ClientId, look: Look, steps: u64) -> Option<String> {
        look.requests().into_iter().for_each(|request| self.cluster.send(client, request));
        (0..steps).for_each(|_| self.cluster.step());
        let reply = self.cluster.take_replies(client);
        let replies = split_replies(&reply);
        let last = replies.get(look.requests().len() - 1)?;
        let (value, _) = Value::parse(last).expect("a reply is whole");
        Some(format!("{:?}", look.seen(&value).expect("settings are shown")))
    }
}

/// A change that is under way, as clients see it that look one after the other: first by CONFIG
/// GET, then by what is done to keys.
fn look_meanwhile(server: &mut Server, still: usize) {
    server.cluster.execute_request(server.clients[0], set(INITIAL));
    server.cluster.stall(still, STILL);
    let asker = server.clients[(still + 1) % server.clients.len()];
    server.cluster.send(asker, set(7));
    let mut is_new = false;
    for round in 0..STILL / ROUND {
        let place = round as usize;
        let look = match round % 2 {
            0 => Look::Shown,
            _ => Look::Probed(place / 2 % PROBES.len(), Form::Transaction),
        };
        // Each with a client of its own, since some wait until the change is over.
        let client = server.cluster.connect(place % usize::from(CORES));
        let Some(seen) = server.look(client, look, ROUND) else { continue };
        assert!(seen == "[Setting(7)]" || !is_new, "{seen} by {look:?}, behind 7");
        is_new |= seen == "[Setting(7)]";
    }
    server.cluster.run_until_idle();
    let client = server.cluster.connect(2);
    let seen = server.look(client, Look::Together(0), STILL);
    assert_eq!(seen.as_deref(), Some("[Setting(7), Setting(7)]"));
}

#[test]
fn nobody_knows_of_settings_that_some_core_does_not_have() {
    under_seeds(|seed| {
        let mut server = Server::new(seed);
        (0..usize::from(CORES)).for_each(|still| look_meanwhile(&mut server, still));
    });
}

/// A key of a core.
fn key_of(core: u16) -> String {
    let owner = |key: &String| HashSlot::of_key(key.as_bytes()).number() / (16_384 / CORES);
    (0..).map(|number| format!("k{number}")).find(|key| owner(key) == core).expect("there are many")
}

/// Two changes under way, one of them in a transaction at the first core, and a command on keys of
/// the others while the last one stands still: it keeps a slot of the middle one away. If the
/// transaction comes first, then whoever asks there behind somebody who knows of the other change
/// is told of that one.
fn look_behind_a_transaction(seed: u64, steps_before_command: u64, steps_before_still: u64) {
    let mut server = Server::new(seed);
    server.cluster.execute_request(server.clients[0], set(INITIAL));
    let transaction = [split_line("MULTI"), set(5), split_line("EXEC")];
    transaction.into_iter().for_each(|request| server.cluster.send(server.clients[0], request));
    server.cluster.send(server.clients[1], set(7));
    (0..steps_before_command).for_each(|_| server.cluster.step());
    let command = format!("MSET {} 1 {} 1", key_of(1), key_of(2));
    let [writer, asker, follower, last] = [1, 0, 1, 0].map(|core| server.cluster.connect(core));
    server.cluster.send(writer, split_line(&command));
    (0..steps_before_still).for_each(|_| server.cluster.step());
    server.cluster.stall(2, STILL);
    let later = Some("[Setting(7)]".to_owned());
    let is_known = server.look(asker, Look::Shown, STILL / 2) == later;
    let told = server.look(follower, Look::Shown, STILL);
    server.cluster.run_until_idle();
    if is_known && server.look(last, Look::Shown, STILL) == later {
        assert_eq!(told, later, "seed {seed}, {steps_before_command}, {steps_before_still}");
    }
}

/// Symptom: a client of the first core saw users or settings before other cores had them. Cause:
/// the end of a transaction that had changed settings, whose client was at the first core, let
/// clients of all cores go on while a tour was under way that had waited for the transaction.
#[test]
fn a_transaction_that_ends_lets_nobody_see_what_the_next_change_brings() {
    under_seeds(|seed| {
        for steps_before_command in (10..=50).step_by(5) {
            for steps_before_still in (36..=60).step_by(4) {
                let seed = seed.wrapping_add(steps_before_command * 100 + steps_before_still);
                look_behind_a_transaction(seed, steps_before_command, steps_before_still);
            }
        }
    });
}
