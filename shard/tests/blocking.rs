//! Clients that wait for keys: who is served, with what, in which order, and when the wait ends,
//! wherever the keys and the clients live.
//!
//! Each test runs on one core and on several under a seed it tells when it fails.

mod support;

use basalt_shard::hash::HashSlot;
use support::resp::show;
use support::{ClientId, Cluster, seed};

/// A server with a client that feeds and others that wait, spread over its cores.
struct Hall {
    cluster: Cluster,
    feeder: ClientId,
    guests: Vec<ClientId>,
    seed: u64,
}

const GUESTS: usize = 6;

/// Holds a test with one core and with several.
fn each(test: impl Fn(&mut Hall)) {
    let seed = seed();
    for core_count in [1, 2, 5] {
        let mut cluster = Cluster::new(core_count, seed);
        let feeder = cluster.connect(0);
        let guests =
            (0..GUESTS).map(|number| cluster.connect(number % usize::from(core_count))).collect();
        test(&mut Hall { cluster, feeder, guests, seed });
    }
}

impl Hall {
    #[track_caller]
    fn check(&mut self, request: &str, expected: &str) {
        let reply = self.cluster.execute(self.feeder, request);
        assert_eq!(show(&reply), show(expected.as_bytes()), "seed {}: {request}", self.seed);
    }

    fn run(&mut self, request: &str) {
        self.cluster.execute(self.feeder, request);
    }

    /// Lets a guest begin to wait.
    #[track_caller]
    fn wait(&mut self, guest: usize, request: &str) {
        let reply = self.cluster.execute(self.guests[guest], request);
        assert_eq!(show(&reply), "", "seed {}: {request} does not wait", self.seed);
        assert!(self.cluster.is_blocked(self.guests[guest]), "seed {}: {request}", self.seed);
    }

    /// Checks what a guest has been answered by now.
    #[track_caller]
    fn check_guest(&mut self, guest: usize, expected: &str) {
        let reply = self.cluster.take_replies(self.guests[guest]);
        assert_eq!(show(&reply), show(expected.as_bytes()), "seed {}: guest {guest}", self.seed);
        assert_eq!(self.cluster.is_blocked(self.guests[guest]), expected.is_empty());
    }
}

fn array(elements: &[&str]) -> String {
    let bulk = |text: &&str| format!("${}\r\n{text}\r\n", text.len());
    format!("*{}\r\n{}", elements.len(), elements.iter().map(bulk).collect::<String>())
}

/// A client was served a key that had expired by the end of the transaction that made it, since
/// DEBUG SLEEP within it did not move the time of the turn.
#[test]
fn a_key_that_expires_within_its_transaction_serves_nobody() {
    each(|hall| {
        hall.run("DEBUG SET-ACTIVE-EXPIRE 0");
        hall.wait(0, "BLPOP k 0");
        for request in ["MULTI", "RPUSH k a", "PEXPIRE k 100", "DEBUG SLEEP 0.2"] {
            hall.run(request);
        }
        hall.check("EXEC", "*3\r\n:1\r\n:1\r\n+OK\r\n");
        hall.check_guest(0, "");
        hall.run("RPUSH k b");
        hall.check_guest(0, &array(&["k", "b"]));
    });
}

/// With several cores a client was served between the steps of a transaction that visits all cores:
/// it got an element that is not there any more when the transaction is over.
#[test]
fn nobody_is_served_between_the_steps_of_a_transaction() {
    each(|hall| {
        hall.wait(0, "BLPOP k 0");
        hall.wait(1, "BLPOP l 0");
        let requests = ["MULTI", "RPUSH k a", "RPUSH l 1", "DBSIZE", "DEL k", "LSET l 0 2"];
        for request in requests {
            hall.run(request);
        }
        hall.check("EXEC", "*5\r\n:1\r\n:1\r\n:2\r\n:1\r\n+OK\r\n");
        hall.check_guest(0, "");
        hall.check_guest(1, &array(&["l", "2"]));
    });
}

#[test]
fn what_is_there_is_taken_at_once() {
    each(|hall| {
        hall.run("RPUSH b 1 2 3 4 5 6");
        hall.check("BLPOP a b c 0", &array(&["b", "1"]));
        hall.check("BRPOP a b 0.5", &array(&["b", "6"]));
        hall.check("BLMPOP 0 2 a b LEFT COUNT 2", "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n2\r\n$1\r\n3\r\n");
        hall.check("BLMOVE b a LEFT RIGHT 0", "$1\r\n4\r\n");
        hall.check("BRPOPLPUSH b a 0", "$1\r\n5\r\n");
        hall.check("LRANGE a 0 -1", &array(&["5", "4"]));
        hall.run("ZADD z 1 one 2 two 3 three 4 four");
        hall.check("BZPOPMIN y z 0", &array(&["z", "one", "1"]));
        hall.check("BZPOPMAX y z 0", &array(&["z", "four", "4"]));
        hall.check(
            "BZMPOP 1 2 y z MAX COUNT 5",
            "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$5\r\nthree\r\n$1\r\n3\r\n*2\r\n$3\r\ntwo\r\n$1\r\n2\r\n",
        );
    });
}

#[test]
fn errors_come_before_waiting() {
    each(|hall| {
        hall.run("SET s text");
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        for (request, error) in [
            ("BLPOP a -1", "-ERR timeout is negative\r\n"),
            ("BRPOP a x", "-ERR timeout is not a float or out of range\r\n"),
            ("BLPOP a nan", "-ERR timeout is not a float or out of range\r\n"),
            ("BZPOPMIN a 1e300", "-ERR timeout is out of range\r\n"),
            ("BLPOP a 9223372036854775", "-ERR timeout is out of range\r\n"),
            ("BLMPOP x 0 a UP", "-ERR numkeys should be greater than 0\r\n"),
            ("BLMPOP -1 1 a UP", "-ERR syntax error\r\n"),
            ("BZMPOP x 1 a MIN", "-ERR timeout is not a float or out of range\r\n"),
            ("BLMOVE a b UP LEFT x", "-ERR syntax error\r\n"),
            ("BLMOVE a b LEFT LEFT x", "-ERR timeout is not a float or out of range\r\n"),
            ("BLPOP a s 0", wrong_type),
            ("BLMOVE s a LEFT LEFT 0", wrong_type),
            ("BZPOPMIN s 0", wrong_type),
        ] {
            hall.check(request, error);
        }
    });
}

#[test]
fn whoever_waits_is_served_by_what_fills_a_key() {
    each(|hall| {
        let fed = array(&["k", "v"]);
        hall.run("RPUSH source v");
        for feeding in [
            "LPUSH k v",
            "RPUSH k v",
            "COPY source k",
            "SORT source ALPHA STORE k",
            "LMOVE source k LEFT LEFT",
            "RENAME full k",
            "RENAMENX full k",
            "LINSERT k BEFORE x y",
        ] {
            hall.wait(0, "BLPOP j k 0");
            hall.run("DEL source full");
            hall.run("RPUSH source v");
            hall.run("RPUSH full v");
            hall.run(feeding);
            if feeding.starts_with("LINSERT") {
                hall.check_guest(0, "");
                hall.run("LPUSH k v");
            }
            hall.check_guest(0, &fed);
            hall.check("EXISTS k", ":0\r\n");
        }
        for feeding in
            ["ZADD k 7 m", "ZUNIONSTORE k 1 zsource", "ZRANGESTORE k zsource 0 -1", "ZINCRBY k 7 m"]
        {
            hall.wait(1, "BZPOPMAX k j 0");
            hall.run("ZADD zsource 7 m");
            hall.run(feeding);
            hall.check_guest(1, &array(&["k", "m", "7"]));
        }
    });
}

#[test]
fn keys_of_another_database_are_served_when_they_come() {
    each(|hall| {
        hall.run("SELECT 1");
        hall.run("RPUSH k one");
        hall.wait(0, "BLPOP k 0");
        hall.check("MOVE k 0", ":1\r\n");
        hall.check_guest(0, &array(&["k", "one"]));
        hall.wait(0, "BLPOP other k 0");
        hall.run("RPUSH k two");
        hall.check_guest(0, "");
        hall.check("SWAPDB 0 1", "+OK\r\n");
        hall.check_guest(0, &array(&["k", "two"]));
    });
}

#[test]
fn first_come_is_first_served() {
    each(|hall| {
        for guest in 0..4 {
            hall.wait(guest, if guest % 2 == 0 { "BLPOP a b 0" } else { "BRPOP b 0" });
        }
        hall.check("RPUSH b 1 2 3", ":3\r\n");
        hall.check_guest(0, &array(&["b", "1"]));
        hall.check_guest(1, &array(&["b", "3"]));
        hall.check_guest(2, &array(&["b", "2"]));
        hall.check_guest(3, "");
        hall.run("RPUSH a 4");
        hall.check_guest(3, "");
        hall.run("RPUSH b 5");
        hall.check_guest(3, &array(&["b", "5"]));
        hall.check("LRANGE a 0 -1", &array(&["4"]));
    });
}

#[test]
fn a_push_is_over_before_anybody_is_served() {
    each(|hall| {
        hall.wait(0, "BLPOP k 0");
        hall.check("LPUSH k 1 2 3", ":3\r\n");
        hall.check_guest(0, &array(&["k", "3"]));
        hall.wait(1, "BLMPOP 0 1 j RIGHT COUNT 10");
        hall.check("LPUSH j 1 2 3", ":3\r\n");
        hall.check_guest(1, "*2\r\n$1\r\nj\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    });
}

#[test]
fn an_element_passes_through_a_chain_of_waiting_moves() {
    each(|hall| {
        hall.wait(0, "BLMOVE a b LEFT RIGHT 0");
        hall.wait(1, "BRPOPLPUSH b c 0");
        hall.wait(2, "BLMOVE c d RIGHT LEFT 0");
        hall.wait(3, "BLPOP d 0");
        hall.check("RPUSH a token", ":1\r\n");
        for guest in 0..3 {
            hall.check_guest(guest, "$5\r\ntoken\r\n");
        }
        hall.check_guest(3, &array(&["d", "token"]));
        hall.check("EXISTS a b c d", ":0\r\n");
    });
}

#[test]
fn a_move_within_one_list_serves_its_waiter() {
    each(|hall| {
        hall.wait(0, "BLMOVE a a LEFT RIGHT 0");
        hall.wait(1, "BLPOP a 0");
        hall.check("RPUSH a 1 2", ":2\r\n");
        hall.check_guest(0, "$1\r\n1\r\n");
        hall.check_guest(1, &array(&["a", "2"]));
    });
}

#[test]
fn a_target_of_another_type_is_told_and_costs_nothing() {
    each(|hall| {
        for target in ["b", "c", "d", "e"] {
            hall.run(&format!("SET {target} text"));
            hall.wait(0, &format!("BLMOVE a {target} LEFT LEFT 0"));
            hall.wait(1, "BLPOP a 0");
            hall.check("RPUSH a 1", ":1\r\n");
            let wrong_type =
                "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
            hall.check_guest(0, wrong_type);
            hall.check_guest(1, &array(&["a", "1"]));
        }
    });
}

#[test]
fn a_key_of_another_type_is_waited_out() {
    each(|hall| {
        hall.wait(0, "BLPOP k 0");
        hall.wait(1, "BZPOPMIN k 0");
        hall.check("SET k text", "+OK\r\n");
        hall.check_guest(0, "");
        hall.run("DEL k");
        hall.check("ZADD k 1 m", ":1\r\n");
        hall.check_guest(0, "");
        hall.check_guest(1, &array(&["k", "m", "1"]));
        hall.check("RPUSH k v", ":1\r\n");
        hall.check_guest(0, &array(&["k", "v"]));
    });
}

#[test]
fn time_runs_out_to_the_millisecond() {
    each(|hall| {
        for (guest, request) in [
            (0, "BLPOP a b 0.1"),
            (1, "BLMOVE a b LEFT LEFT 0.1"),
            (2, "BZMPOP 0.1 1 z MIN"),
            (3, "BLPOP a 0.0991"),
            (4, "BRPOP a 0"),
        ] {
            hall.wait(guest, request);
        }
        hall.cluster.pass_ms(99);
        for guest in 0..5 {
            hall.check_guest(guest, "");
        }
        hall.cluster.pass_ms(1);
        for guest in 0..4 {
            hall.check_guest(guest, "*-1\r\n");
        }
        hall.check_guest(4, "");
        hall.check("RPUSH a v", ":1\r\n");
        hall.check_guest(4, &array(&["a", "v"]));
        let info = hall.cluster.execute(hall.feeder, "INFO clients");
        let info = String::from_utf8(info).expect("INFO is text");
        for gone in ["blocked_clients:0", "clients_in_timeout_table:0", "total_blocking_keys:0"] {
            assert!(info.contains(gone), "seed {}: {gone} is not in {info}", hall.seed);
        }
    });
}

/// Symptom: a client that asked for the smallest double there is (node-redis) waited for ever.
/// Cause: that is rounded to no millisecond at all, and none stands for ever. Only zero does.
#[test]
fn the_shortest_of_waits_ends() {
    each(|hall| {
        for (guest, seconds) in ["5e-324", "0.0000000001", "0.0001", "0.0"].iter().enumerate() {
            hall.wait(guest, &format!("BLPOP a {seconds}"));
        }
        hall.cluster.pass_ms(1);
        for guest in 0..3 {
            hall.check_guest(guest, "*-1\r\n");
        }
        hall.check_guest(3, "");
    });
}

#[test]
fn a_client_can_be_unblocked_by_another() {
    each(|hall| {
        for (how, answer) in [
            ("", "*-1\r\n"),
            ("TIMEOUT", "*-1\r\n"),
            ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
        ] {
            let id = hall.cluster.execute(hall.guests[1], "CLIENT ID");
            let id: u64 = show(&id).trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
            hall.wait(1, "BLPOP a b 0");
            hall.check(&format!("CLIENT UNBLOCK {id} {how}"), ":1\r\n");
            hall.check_guest(1, answer);
            hall.check(&format!("CLIENT UNBLOCK {id} {how}"), ":0\r\n");
            hall.check("RPUSH a v", ":1\r\n");
            hall.check("LPOP a", "$1\r\nv\r\n");
        }
    });
}

#[test]
fn a_client_that_left_is_not_served() {
    each(|hall| {
        hall.wait(0, "BLPOP a b 0");
        hall.wait(1, "BLPOP a b 0");
        hall.cluster.disconnect(hall.guests[0]);
        hall.check("RPUSH b v", ":1\r\n");
        hall.check_guest(1, &array(&["b", "v"]));
    });
}

#[test]
fn waiters_move_with_their_slots() {
    each(|hall| {
        hall.wait(0, "BLPOP a b 0");
        hall.wait(1, "BLMOVE b c LEFT LEFT 0");
        for (step, key) in ["a", "b", "c", "b", "a"].iter().enumerate() {
            let slot = HashSlot::of_key(key.as_bytes()).number();
            let target = step % hall.cluster.core_count();
            hall.check(&format!("DEBUG MOVE-SLOT {slot} {target}"), "+OK\r\n");
        }
        hall.check("RPUSH b 1 2", ":2\r\n");
        hall.check_guest(0, &array(&["b", "1"]));
        hall.check_guest(1, "$1\r\n2\r\n");
    });
}

#[test]
fn silent_clients_wait_in_silence() {
    each(|hall| {
        hall.run("CLIENT REPLY OFF");
        hall.cluster.execute(hall.guests[0], "CLIENT REPLY OFF");
        hall.cluster.execute(hall.guests[0], "BLPOP a 0");
        hall.run("RPUSH a v w");
        hall.cluster.execute(hall.guests[0], "CLIENT REPLY ON");
        let replies = hall.cluster.take_replies(hall.guests[0]);
        assert!(!show(&replies).contains('v'), "seed {}: {}", hall.seed, show(&replies));
        hall.run("CLIENT REPLY ON");
        hall.check("LRANGE a 0 -1", &array(&["w"]));
    });
}

/// A reply of XREAD with one entry of one field.
fn entry(stream: &str, id: &str, value: &str) -> String {
    format!("*1\r\n*2\r\n{}*1\r\n*2\r\n{}*2\r\n$1\r\nf\r\n{}", bulk(stream), bulk(id), bulk(value))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn readers_of_a_stream_all_get_what_is_new() {
    each(|hall| {
        hall.run("XADD s 1-1 f old");
        hall.wait(0, "XREAD BLOCK 0 STREAMS s t $ $");
        hall.wait(1, "XREAD BLOCK 100 STREAMS t s 5-0 1-1");
        hall.wait(2, "XREAD BLOCK 100 STREAMS s 3-0");
        hall.check("XADD s 2-1 f v", &bulk("2-1"));
        hall.check_guest(0, &entry("s", "2-1", "v"));
        hall.check_guest(1, &entry("s", "2-1", "v"));
        hall.check_guest(2, "");
        hall.wait(0, "XREAD BLOCK 0 STREAMS s t $ $");
        hall.run("XADD s 3-1 f w");
        hall.check_guest(0, &entry("s", "3-1", "w"));
        hall.check_guest(2, &entry("s", "3-1", "w"));
        hall.wait(1, "XREAD BLOCK 20 STREAMS s t $ $");
        hall.cluster.pass_ms(20);
        hall.check_guest(1, "*-1\r\n");
        hall.wait(1, "XREAD BLOCK 0 STREAMS u $");
        hall.run("DEL u");
        hall.run("SET u text");
        hall.check_guest(1, "");
        hall.run("DEL u");
        hall.run("XADD u 1-1 f v");
        hall.check_guest(1, &entry("u", "1-1", "v"));
    });
}

#[test]
fn consumers_of_a_group_share_what_is_new() {
    each(|hall| {
        hall.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
        for guest in 0..3 {
            hall.wait(guest, &format!("XREADGROUP GROUP g c{guest} COUNT 1 BLOCK 0 STREAMS s >"));
        }
        hall.run("XADD s 1-1 f v");
        hall.check_guest(0, &entry("s", "1-1", "v"));
        hall.check_guest(1, "");
        hall.run("XADD s 2-1 f w");
        hall.check_guest(1, &entry("s", "2-1", "w"));
        hall.check(
            "XPENDING s g",
            "*4\r\n:2\r\n$3\r\n1-1\r\n$3\r\n2-1\r\n*2\r\n*2\r\n$2\r\nc0\r\n$1\r\n1\r\n\
             *2\r\n$2\r\nc1\r\n$1\r\n1\r\n",
        );
        hall.check("XGROUP DESTROY s g", ":1\r\n");
        hall.check_guest(
            2,
            "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n",
        );
    });
}

/// What a read that claims answers with one entry.
fn idle_entry(key: &str, id: &str, idle_ms: i64, deliveries: i64) -> String {
    let (key_len, id_len) = (key.len(), id.len());
    format!(
        "*1\r\n*2\r\n${key_len}\r\n{key}\r\n*1\r\n*4\r\n\
         ${id_len}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n\
         :{idle_ms}\r\n:{deliveries}\r\n"
    )
}

#[test]
fn what_becomes_idle_ends_a_wait() {
    each(|hall| {
        hall.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
        hall.run("XADD s 1-1 f v");
        hall.run("XREADGROUP GROUP g other STREAMS s >");
        hall.wait(0, "XREADGROUP GROUP g c0 BLOCK 0 CLAIM 200 STREAMS s >");
        hall.wait(1, "XREADGROUP GROUP g c1 BLOCK 0 CLAIM 100 STREAMS s >");
        hall.wait(2, "XREADGROUP GROUP g c2 BLOCK 60 CLAIM 100 STREAMS s >");
        hall.wait(3, "XREADGROUP GROUP g c3 BLOCK 0 STREAMS s >");
        hall.cluster.pass_ms(99);
        hall.check_guest(0, "");
        hall.check_guest(1, "");
        hall.check_guest(2, "*-1\r\n");
        hall.cluster.pass_ms(1);
        hall.check_guest(1, &idle_entry("s", "1-1", 100, 1));
        // The other one waits on, for that was a delivery.
        hall.cluster.pass_ms(199);
        hall.check_guest(0, "");
        hall.cluster.pass_ms(1);
        hall.check_guest(0, &idle_entry("s", "1-1", 200, 2));
        hall.check_guest(3, "");
        assert_eq!(hall.cluster.next_deadline_ms(), None, "no alarm is left behind");
    });
}

#[test]
fn what_is_delivered_during_a_wait_becomes_idle_too() {
    each(|hall| {
        hall.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
        for guest in 0..2 {
            let read = format!("XREADGROUP GROUP g c{guest} BLOCK 0 CLAIM 100 STREAMS s >");
            hall.wait(guest, &read);
        }
        hall.run("XADD s 1-1 f v");
        hall.check_guest(0, &idle_entry("s", "1-1", 0, 0));
        hall.check_guest(1, "");
        hall.cluster.pass_ms(100);
        hall.check_guest(1, &idle_entry("s", "1-1", 100, 1));
        // What XCLAIM makes pending, now or in the past, counts as well.
        hall.run("XACK s g 1-1");
        hall.wait(2, "XREADGROUP GROUP g c2 BLOCK 0 CLAIM 100 STREAMS s >");
        hall.run("XCLAIM s g other 0 1-1 FORCE IDLE 70 JUSTID");
        hall.cluster.pass_ms(29);
        hall.check_guest(2, "");
        hall.cluster.pass_ms(1);
        hall.check_guest(2, &idle_entry("s", "1-1", 100, 1));
        hall.wait(3, "XREADGROUP GROUP g c3 BLOCK 0 CLAIM 100 STREAMS s >");
        hall.run("XCLAIM s g other 0 1-1 IDLE 100 JUSTID");
        hall.check_guest(3, &idle_entry("s", "1-1", 100, 2));
    });
}

#[test]
fn idle_entries_that_are_taken_or_gone_wake_nobody() {
    each(|hall| {
        for end in ["XACK s g 1-1", "XDEL s 1-1", "XTRIM s MAXLEN 0"] {
            hall.run("FLUSHALL");
            hall.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
            hall.run("XADD s 1-1 f v");
            hall.run("XREADGROUP GROUP g other STREAMS s >");
            hall.wait(0, "XREADGROUP GROUP g c BLOCK 0 CLAIM 50 STREAMS s >");
            hall.run(end);
            hall.cluster.pass_ms(50);
            hall.check_guest(0, "");
            assert_eq!(hall.cluster.next_deadline_ms(), None, "nothing is looked for in vain");
            hall.run("XADD s 2-1 f v");
            hall.check_guest(0, &idle_entry("s", "2-1", 0, 0));
        }
    });
}

#[test]
fn slots_that_move_are_looked_at_where_they_are() {
    each(|hall| {
        let slot = HashSlot::of_key(b"s").number();
        for key in ["s", "t"] {
            hall.check(&format!("XGROUP CREATE {key} g $ MKSTREAM"), "+OK\r\n");
            hall.run(&format!("XADD {key} 1-1 f v"));
            hall.run(&format!("XREADGROUP GROUP g other STREAMS {key} >"));
            hall.cluster.pass_ms(10);
        }
        hall.wait(1, "XREADGROUP GROUP g c BLOCK 0 CLAIM 100 STREAMS t s > >");
        for core in 0..hall.cluster.core_count() {
            hall.run(&format!("DEBUG MOVE-SLOT {slot} {core}"));
        }
        hall.run("CLIENT PAUSE 200 WRITE");
        hall.cluster.pass_ms(80);
        hall.check_guest(1, "");
        hall.cluster.pass_ms(121);
        let reply = hall.cluster.take_replies(hall.guests[1]);
        assert!(show(&reply).contains("1-1"), "seed {}: {}", hall.seed, show(&reply));
    });
}

#[test]
fn a_group_that_is_gone_is_not_waited_for() {
    const NO_GROUP: &str =
        "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n";
    const WRONG_TYPE: &str =
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    each(|hall| {
        for (end, error) in [
            ("DEL s", NO_GROUP),
            ("RENAME s elsewhere", NO_GROUP),
            ("FLUSHALL", NO_GROUP),
            ("FLUSHDB", NO_GROUP),
            ("SWAPDB 0 1", NO_GROUP),
            ("MOVE s 2", NO_GROUP),
            ("SET s text", WRONG_TYPE),
        ] {
            hall.run("FLUSHALL");
            hall.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
            hall.wait(0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
            hall.wait(1, "XREAD BLOCK 0 STREAMS s $");
            hall.run(end);
            hall.check_guest(0, error);
            hall.check_guest(1, "");
            hall.run("DEL s");
            hall.run("XADD s 9-1 f v");
            hall.check_guest(1, &entry("s", "9-1", "v"));
        }
        hall.run("FLUSHALL");
        hall.check("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n");
        hall.run("PEXPIRE s 50");
        hall.wait(0, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        hall.cluster.pass_ms(51);
        hall.check("EXISTS s", ":0\r\n");
        hall.check_guest(0, NO_GROUP);
    });
}
