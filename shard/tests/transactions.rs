//! MULTI, EXEC and WATCH: what is queued, what is refused, what runs as one, and what is seen of it
//! while clients of all cores are at work, slots move and the whole server is visited.

mod support;

use basalt_shard::hash::HashSlot;
use support::resp::{show, split_line, split_replies};
use support::scenario::{Scenario, each};
use support::{ClientId, Cluster, seed};

const QUEUED: &str = "+QUEUED\r\n";
const BROKEN: &str = "EXECABORT Transaction discarded because of previous errors.";

/// Queues commands and runs them.
#[track_caller]
fn check_transaction(talk: &mut Scenario, commands: &[&str], expected: &str) {
    talk.check_ok("MULTI");
    for command in commands {
        talk.check(command, QUEUED);
    }
    talk.check("EXEC", expected);
}

#[test]
fn commands_run_in_their_order() {
    each(|talk| {
        check_transaction(talk, &[], "*0\r\n");
        check_transaction(
            talk,
            &["SET a 1", "INCR a", "RPUSH l x y", "GET a", "LRANGE l 0 -1", "MSET b 1 c 2"],
            "*6\r\n+OK\r\n:2\r\n:2\r\n$1\r\n2\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n+OK\r\n",
        );
        check_transaction(talk, &["MGET a b c"], "*1\r\n*3\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    });
}

#[test]
fn commands_on_the_connection_keep_their_place() {
    each(|talk| {
        check_transaction(
            talk,
            &["SET a 0", "PING", "SELECT 1", "SET a 1", "ECHO x", "SET b 1", "SELECT 0", "GET a"],
            "*8\r\n+OK\r\n+PONG\r\n+OK\r\n+OK\r\n$1\r\nx\r\n+OK\r\n+OK\r\n$1\r\n0\r\n",
        );
        talk.check_integer("EXISTS a b", 1);
        check_transaction(talk, &["SELECT 1", "GET a"], "*2\r\n+OK\r\n$1\r\n1\r\n");
        talk.check_integer("EXISTS a b", 2);
        check_transaction(
            talk,
            &["SELECT 99", "SET c 1", "CLIENT SETNAME me"],
            "*3\r\n-ERR DB index is out of range\r\n+OK\r\n+OK\r\n",
        );
        talk.check_bulk("CLIENT GETNAME", "me");
        talk.check_integer("EXISTS c", 1);
    });
}

#[test]
fn errors_while_running_stop_nothing() {
    each(|talk| {
        check_transaction(
            talk,
            &["SET a text", "INCR a", "SET b 1"],
            "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n+OK\r\n",
        );
        talk.check_bulk("GET b", "1");
    });
}

#[test]
fn errors_while_queueing_stop_everything() {
    each(|talk| {
        for (refused, error) in [
            ("NONSENSE", "ERR unknown command 'NONSENSE', with args beginning with: "),
            ("GET", "ERR wrong number of arguments for 'get' command"),
        ] {
            talk.check_ok("MULTI");
            talk.check("SET a 1", QUEUED);
            talk.check_error(refused, error);
            talk.check("SET b 1", QUEUED);
            talk.check_error("EXEC", BROKEN);
            talk.check_integer("EXISTS a b", 0);
        }
        talk.check_ok("MULTI");
        talk.check_error("MULTI", "ERR MULTI calls can not be nested");
        talk.check_error("WATCH a", "ERR WATCH inside MULTI is not allowed");
        talk.check("SET a 1", QUEUED);
        talk.check("EXEC", "*1\r\n+OK\r\n");
        talk.check_error("EXEC", "ERR EXEC without MULTI");
        talk.check_error("DISCARD", "ERR DISCARD without MULTI");
    });
}

#[test]
fn what_is_discarded_does_not_run() {
    each(|talk| {
        talk.check_ok("MULTI");
        talk.check("SET a 1", QUEUED);
        talk.check_ok("DISCARD");
        talk.check_integer("EXISTS a", 0);
        talk.check_ok("MULTI");
        talk.check("SET a 1", QUEUED);
        talk.check("RESET", "+RESET\r\n");
        talk.check_error("EXEC", "ERR EXEC without MULTI");
    });
}

#[test]
fn nothing_is_waited_for_inside() {
    each(|talk| {
        talk.check_ok("MULTI");
        for command in ["BLPOP a b 0", "BZPOPMIN a 0", "XREAD BLOCK 0 STREAMS s $", "WAIT 1 0"] {
            talk.check(command, QUEUED);
        }
        let null = if talk.is_resp3() { "_\r\n" } else { "*-1\r\n" };
        talk.check("EXEC", &format!("*4\r\n{null}{null}{null}:0\r\n"));
    });
}

#[test]
fn commands_that_see_everything_are_part_of_it() {
    each(|talk| {
        talk.run("MSET a 1 b 2 c 3");
        check_transaction(
            talk,
            &["DBSIZE", "FLUSHALL", "DBSIZE", "SET d 1", "SWAPDB 0 1", "EXISTS d", "SELECT 1"],
            "*7\r\n:3\r\n+OK\r\n:0\r\n+OK\r\n+OK\r\n:0\r\n+OK\r\n",
        );
        check_transaction(talk, &["KEYS *", "RANDOMKEY"], "*2\r\n*1\r\n$1\r\nd\r\n$1\r\nd\r\n");
        talk.run("RPUSH l 2 1");
        talk.run("MSET w_1 1 w_2 2");
        check_transaction(
            talk,
            &["INCR n", "SORT l BY w_* GET w_*"],
            "*2\r\n:1\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n",
        );
    });
}

/// Two clients: one that watches, one that interferes.
struct Pair {
    cluster: Cluster,
    watching: ClientId,
    other: ClientId,
}

fn each_pair(test: impl Fn(&mut Pair)) {
    let seed = seed();
    for core_count in [1, 2, 4] {
        let mut cluster = Cluster::new(core_count, seed);
        let watching = cluster.connect(0);
        let other = cluster.connect(usize::from(core_count) - 1);
        test(&mut Pair { cluster, watching, other });
    }
}

impl Pair {
    #[track_caller]
    fn check(&mut self, request: &str, expected: &str) {
        let reply = self.cluster.execute(self.watching, request);
        assert_eq!(show(&reply), show(expected.as_bytes()), "{request}");
    }

    fn interfere(&mut self, request: &str) {
        self.cluster.execute(self.other, request);
    }
}

#[test]
fn a_watched_key_that_changes_fails_exec() {
    each_pair(|pair| {
        for (before, change, is_failed) in [
            ("SET b 1", "SET b 2", true),
            ("SET b 1", "GET b", false),
            ("SET b 1", "DEL b", true),
            ("DEL b", "DEL b", false),
            ("DEL b", "SET b 1", true),
            ("SET b 1", "EXPIRE b 100", true),
            ("SET b 1", "RENAME b c", true),
            ("SET b 1", "FLUSHALL", true),
            ("DEL b", "FLUSHALL", false),
            ("SET b 1", "SWAPDB 0 1", true),
            ("FLUSHALL", "SWAPDB 0 1", false),
            ("SET b 1", "DEBUG MOVE-SLOT 3300 0", false),
        ] {
            pair.check("UNWATCH", "+OK\r\n");
            pair.interfere(before);
            pair.check("WATCH a b", "+OK\r\n");
            pair.check("WATCH b", "+OK\r\n");
            pair.interfere(change);
            pair.check("MULTI", "+OK\r\n");
            pair.check("SET d done", QUEUED);
            pair.check("EXEC", if is_failed { "*-1\r\n" } else { "*1\r\n+OK\r\n" });
        }
        let info = String::from_utf8(pair.cluster.execute(pair.other, "INFO clients")).unwrap();
        assert!(info.contains("total_watched_keys:0"), "{info}");
        assert!(info.contains("watching_clients:0"), "{info}");
    });
}

#[test]
fn a_watched_key_that_expires_has_changed() {
    each_pair(|pair| {
        pair.interfere("SET b 1 PX 10");
        pair.check("WATCH b", "+OK\r\n");
        pair.cluster.advance_ms(20);
        pair.check("MULTI", "+OK\r\n");
        pair.check("PING", QUEUED);
        pair.check("EXEC", "*-1\r\n");
        pair.interfere("DEBUG SET-ACTIVE-EXPIRE 0");
        pair.interfere("SET b 1 PX 10");
        pair.cluster.advance_ms(20);
        pair.check("WATCH b", "+OK\r\n");
        pair.check("MULTI", "+OK\r\n");
        pair.check("PING", QUEUED);
        pair.check("EXEC", "*1\r\n+PONG\r\n");
    });
}

#[test]
fn databases_that_change_places_touch_no_key_whose_time_is_over() {
    each_pair(|pair| {
        pair.interfere("DEBUG SET-ACTIVE-EXPIRE 0");
        pair.interfere("SET b 1 PX 10");
        pair.cluster.advance_ms(20);
        pair.check("SELECT 1", "+OK\r\n");
        pair.check("WATCH b", "+OK\r\n");
        pair.interfere("SWAPDB 0 1");
        pair.check("MULTI", "+OK\r\n");
        pair.check("PING", QUEUED);
        pair.check("EXEC", "*1\r\n+PONG\r\n");
    });
}

#[test]
fn what_is_watched_no_more_may_change() {
    each_pair(|pair| {
        for end in ["UNWATCH", "DISCARD", "RESET", "EXEC"] {
            pair.check("WATCH a b", "+OK\r\n");
            pair.check("MULTI", "+OK\r\n");
            match end {
                "EXEC" => pair.check("EXEC", "*0\r\n"),
                "RESET" => pair.check("RESET", "+RESET\r\n"),
                "DISCARD" => pair.check("DISCARD", "+OK\r\n"),
                _ => {
                    pair.check("DISCARD", "+OK\r\n");
                    pair.check("WATCH a b", "+OK\r\n");
                    pair.check("UNWATCH", "+OK\r\n");
                }
            }
            pair.interfere("SET b 1");
            pair.check("MULTI", "+OK\r\n");
            pair.check("PING", QUEUED);
            pair.check("EXEC", "*1\r\n+PONG\r\n");
        }
    });
}

#[test]
fn waiting_clients_are_served_when_all_of_it_has_run() {
    each_pair(|pair| {
        assert_eq!(show(&pair.cluster.execute(pair.other, "BLPOP list 0")), "");
        pair.check("MULTI", "+OK\r\n");
        for command in ["RPUSH list a", "LPUSH list b", "SET elsewhere 1", "LLEN list"] {
            pair.check(command, QUEUED);
        }
        pair.check("EXEC", "*4\r\n:1\r\n:2\r\n+OK\r\n:2\r\n");
        let served = pair.cluster.take_replies(pair.other);
        assert_eq!(show(&served), show(b"*2\r\n$4\r\nlist\r\n$1\r\nb\r\n"));
    });
}

const ACCOUNTS: [&str; 6] = ["a", "b", "c", "d", "{d}x", "e"];

/// Money moves between accounts of all cores, and never gets more or less.
#[test]
fn transfers_are_seen_whole() {
    let seed = seed();
    for core_count in [2, 4] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cluster = Cluster::new(core_count, seed);
        let cores = usize::from(core_count);
        let clients: Vec<ClientId> = (0..6).map(|number| cluster.connect(number % cores)).collect();
        let opening: Vec<String> = ACCOUNTS.iter().map(|name| format!("{name} 100")).collect();
        cluster.execute(clients[0], &format!("MSET {}", opening.join(" ")));
        for _ in 0..150 {
            for client in &clients[..3] {
                let from = ACCOUNTS[random.usize(..ACCOUNTS.len())];
                let to = ACCOUNTS[random.usize(..ACCOUNTS.len())];
                let amount = random.u32(1..50);
                cluster.send(*client, split_line("MULTI"));
                cluster.send(*client, split_line(&format!("DECRBY {from} {amount}")));
                if random.u32(..20) == 0 {
                    cluster.send(*client, split_line("DBSIZE"));
                }
                cluster.send(*client, split_line(&format!("INCRBY {to} {amount}")));
                cluster.send(*client, split_line("EXEC"));
            }
            cluster.send(clients[3], split_line(&format!("MGET {}", ACCOUNTS.join(" "))));
            cluster.send(clients[4], split_line("MULTI"));
            for name in ACCOUNTS {
                cluster.send(clients[4], split_line(&format!("GET {name}")));
            }
            cluster.send(clients[4], split_line("EXEC"));
            if random.u32(..4) == 0 {
                let slot = HashSlot::of_key(ACCOUNTS[random.usize(..6)].as_bytes()).number();
                let line = format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..cores));
                cluster.send(clients[5], split_line(&line));
            }
        }
        cluster.run_until_idle();
        let mut seen = 0;
        for reader in [clients[3], clients[4]] {
            for reply in split_replies(&cluster.take_replies(reader)) {
                if reply.starts_with(b"*6") {
                    assert_eq!(sum(&reply), 600, "seed {seed}: {}", show(&reply));
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 300, "seed {seed}: every reading has six balances");
    }
}

fn sum(reply: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(reply);
    text.lines().filter_map(|line| line.parse::<i64>().ok()).sum()
}

/// Clients count up by reading, watching and writing. Every success counts, and only those.
#[test]
fn watching_makes_reading_and_writing_one() {
    let seed = seed();
    for core_count in [1, 2, 4] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cluster = Cluster::new(core_count, seed);
        let cores = usize::from(core_count);
        let clients: Vec<ClientId> = (0..4).map(|number| cluster.connect(number % cores)).collect();
        cluster.execute(clients[0], "MSET n 0 m 0");
        let mut successes = 0;
        for _ in 0..60 {
            for client in &clients {
                cluster.send(*client, split_line("WATCH n m"));
                cluster.send(*client, split_line("MGET n m"));
            }
            cluster.run_until_idle();
            for client in &clients {
                let replies = split_replies(&cluster.take_replies(*client));
                let next = sum(&replies[1]) / 2 + 1;
                cluster.send(*client, split_line("MULTI"));
                cluster.send(*client, split_line(&format!("SET n {next}")));
                cluster.send(*client, split_line(&format!("SET m {next}")));
                cluster.send(*client, split_line("EXEC"));
                let slot = HashSlot::of_key(b"n").number();
                let line = format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..cores));
                cluster.send(*client, split_line(&line));
            }
            cluster.run_until_idle();
            for client in &clients {
                let replies = split_replies(&cluster.take_replies(*client));
                successes += i64::from(replies[3] == b"*2\r\n+OK\r\n+OK\r\n");
            }
        }
        let reply = cluster.execute(clients[0], "MGET n m");
        assert_eq!(sum(&reply), 2 * successes, "seed {seed}: {}", show(&reply));
        assert!(successes >= 60, "seed {seed}: somebody succeeds in every round");
    }
}
