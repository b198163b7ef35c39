//! Clients that wait for keys, over sockets: who is served, when time runs out, what ends a wait.
//! Interleavings are searched in `shard/tests/blocking.rs`; here it is about sockets and clocks.

mod support;

use std::time::{Duration, Instant};

use support::{Client, NIL, NIL_ARRAY, OK, Test, array, bulk, each, eventually};

/// Sends a command that finds nothing, and returns once the server lets its client wait.
fn wait(t: &mut Test, client: &mut Client, command: &str) {
    let before = t.info("clients").number("blocked_clients");
    client.send_command(command);
    eventually("the client waits", || t.info("clients").number("blocked_clients") > before);
}

#[test]
fn a_waiting_client_gets_what_is_pushed() {
    each(|t| {
        let mut waiting = t.connect();
        wait(t, &mut waiting, "BLPOP a b c 0");
        t.check("RPUSH b 1 2", 2);
        waiting.check_next("BLPOP", array([bulk("b"), bulk("1")]));
        wait(t, &mut waiting, "BLMOVE x y LEFT RIGHT 0");
        t.check("LPUSH x v", 1);
        waiting.check_next("BLMOVE", bulk("v"));
        t.check("LRANGE y 0 -1", array([bulk("v")]));
        t.check("EXISTS x", 0);
    });
}

#[test]
fn commands_behind_a_waiting_one_run_after_it() {
    each(|t| {
        let mut waiting = t.connect();
        wait(t, &mut waiting, "BRPOP queue 0");
        waiting.send_command("SET after done");
        waiting.send_command("GET after");
        t.check("EXISTS after", 0);
        t.check("RPUSH queue job", 1);
        waiting.check_next("BRPOP", array([bulk("queue"), bulk("job")]));
        waiting.check_next("SET", OK);
        waiting.check_next("GET", bulk("done"));
    });
}

#[test]
fn many_clients_are_served_by_one_command() {
    const CLIENTS: usize = 200;
    each(|t| {
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| t.connect()).collect();
        for client in &mut clients {
            client.send_command("XREAD BLOCK 0 STREAMS news $");
        }
        let all = CLIENTS as i64;
        eventually("all wait", || t.info("clients").number("blocked_clients") == all);
        t.check("XADD news 1-1 f v", bulk("1-1"));
        for client in &mut clients {
            let reply = client.read_bytes();
            assert!(reply.windows(3).any(|bytes| bytes == b"1-1"), "{}", reply.escape_ascii());
        }
        assert_eq!(t.info("clients").number("blocked_clients"), 0);
    });
}

#[test]
fn what_stays_idle_ends_a_wait_in_time() {
    each(|t| {
        t.check("XGROUP CREATE jobs g $ MKSTREAM", OK);
        t.check("XADD jobs 1-1 f v", bulk("1-1"));
        let begun = Instant::now();
        t.call("XREADGROUP GROUP g idler STREAMS jobs >");
        // Each counts from when the one before it has taken the entry over.
        for (idle_ms, least_ms, deliveries) in [(150, 150, 1), (200, 350, 2)] {
            let mut client = t.connect();
            let command = format!("XREADGROUP GROUP g c BLOCK 0 CLAIM {idle_ms} STREAMS jobs >");
            client.send_command(command.as_str());
            let reply = String::from_utf8(client.read_bytes()).expect("it is text");
            let passed = begun.elapsed();
            assert!(reply.contains("1-1\r\n"), "{reply}");
            assert!(reply.ends_with(&format!("\r\n:{deliveries}\r\n")), "{reply}");
            // The server counts whole milliseconds.
            assert!(passed >= Duration::from_millis(least_ms - 2), "{passed:?}");
        }
        eventually("nobody waits", || t.info("clients").number("blocked_clients") == 0);
    });
}

#[test]
fn time_runs_out_when_it_should() {
    each(|t| {
        for (command, least_ms) in [
            ("BLPOP a b 0.05", 50),
            ("BZMPOP 0.12 2 y z MIN", 120),
            ("XREAD BLOCK 30 STREAMS s $", 30),
        ] {
            let begun = Instant::now();
            t.check(command, NIL_ARRAY);
            let passed = begun.elapsed();
            assert!(passed >= Duration::from_millis(least_ms), "{command}: {passed:?}");
        }
    });
}

#[test]
fn a_client_that_hangs_up_waits_no_more() {
    each(|t| {
        let mut gone = t.connect();
        let mut waiting = t.connect();
        wait(t, &mut gone, "BLPOP a 0");
        wait(t, &mut waiting, "BLPOP a 0");
        drop(gone);
        eventually("one is left", || t.info("clients").number("blocked_clients") == 1);
        t.check("RPUSH a v", 1);
        waiting.check_next("BLPOP", array([bulk("a"), bulk("v")]));
    });
}

/// Symptom: a client that hung up right behind a command that waits was served ever after: its
/// session stayed for ever. Cause: a session that is owed a reply is let go when that arrives, but
/// the core of the key answered that it waits. Fix: whoever begins to wait is looked at again.
#[test]
fn a_client_that_hangs_up_at_once_does_not_stay() {
    each(|t| {
        for number in 0..20 {
            let mut leaving = t.connect();
            leaving.send(format!("BLPOP key{number} 0\r\n").as_bytes());
        }
        let is_over = |t: &mut Test| {
            let clients = t.info("clients");
            let left = (clients.number("connected_clients"), clients.number("blocked_clients"));
            left == (1, 0)
        };
        eventually("all have left", || is_over(t));
    });
}

/// Replies ahead of one that another core makes leave with that; not so if it may never come.
#[test]
fn what_is_answered_ahead_of_a_wait_leaves_at_once() {
    each(|t| {
        for number in 0..16 {
            let mut client = t.connect();
            client.send(format!("PING\r\nGET k\r\nBLPOP list{number} 0\r\n").as_bytes());
            client.check_next("PING", "+PONG");
            client.check_next("GET", NIL);
            t.check(format!("RPUSH list{number} a"), 1);
            let popped = array([bulk(format!("list{number}")), bulk("a")]);
            client.check_next("BLPOP", popped);
        }
    });
}
