//! What a server does about too many clients, strangers, and those who do not read.

mod support;

use std::net::SocketAddr;

use support::{
    Client, Expect, NIL, OK, Reply, Resp, Test, bulk, each, each_with, encode, eventually,
    outside_address,
};

const REFUSED: &str = "-ERR max number of clients reached\r\n";

#[test]
fn connections_beyond_maxclients_are_told_and_closed() {
    each_with(&["--maxclients", "5"], |t| {
        eventually("alone", || t.info("clients").number("connected_clients") == 1);
        let mut inside: Vec<Client> = (0..4).map(|_| t.connect()).collect();
        for client in &mut inside {
            client.check("PING", "+PONG");
        }
        for _ in 0..3 {
            let mut refused = t.server.connect_plain();
            assert_eq!(refused.read_until_closed(), REFUSED.as_bytes());
        }
        assert_eq!(t.info("stats").number("rejected_connections"), 3);
        inside.pop();
        eventually("a place is free", || {
            let mut client = t.server.connect_plain();
            client.try_send(b"PING\r\n").is_ok()
                && client.read_line_if_any().as_deref() == Some(b"+PONG\r\n")
        });
    });
}

#[test]
fn maxclients_changes_at_run_time() {
    each(|t| {
        eventually("alone", || t.info("clients").number("connected_clients") == 1);
        t.with_config("maxclients", "2", |t| {
            let mut second = t.connect();
            second.check("PING", "+PONG");
            assert_eq!(t.server.connect_plain().read_until_closed(), REFUSED.as_bytes());
        });
        t.connect().check("PING", "+PONG");
    });
}

#[test]
fn protected_mode_explains_itself_to_outsiders() {
    let Some(address) = outside_address() else {
        support::skip("this machine has no address besides loopback");
        return;
    };
    each_with(&["--bind", "*"], |t| {
        let outside = SocketAddr::new(address, t.server.port());
        let mut client = Client::connect(outside).expect("a connection from outside");
        // The name of the product and its file differ; the shape and the advice must not.
        let text = String::from_utf8(client.read_until_closed()).expect("plain text");
        let start = "-DENIED ";
        let beginning = " is running in protected mode because protected mode is enabled and no \
            password is set for the default user. In this mode connections are only accepted from \
            the loopback interface. If you want to connect from external computers to ";
        assert!(text.starts_with(start) && text.contains(beginning), "{text}");
        for advice in [
            "1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' \
                from the loopback interface",
            "2) Alternatively you can just disable the protected mode by editing the ",
            "3) If you started the server manually just for testing, restart it with the \
                '--protected-mode no' option.",
            " authentication password for the default user. NOTE: You only need to do one of the \
                above things in order for the server to start accepting connections from the \
                outside.\r\n",
        ] {
            assert!(text.contains(advice), "{advice:?} in {text}");
        }
        t.check("CONFIG SET protected-mode no", OK);
        let mut client = Client::connect(outside).expect("a connection from outside");
        client.check("PING", "+PONG");
        t.check("CONFIG SET protected-mode yes", OK);
        t.check("CONFIG SET requirepass secret", OK);
        let mut client = Client::connect(outside).expect("a connection from outside");
        client.check("AUTH secret", OK);
        client.check("PING", "+PONG");
    });
}

const LARGE_BYTES: usize = 1 << 20;

/// Asks for `count` replies of one megabyte and reads none of them.
fn ask_without_reading(t: &mut Test, count: usize) -> Client {
    t.check(["SET", "large", &"x".repeat(LARGE_BYTES)], OK);
    let mut client = t.connect();
    client.send(&encode("GET large").repeat(count));
    client
}

#[test]
fn a_client_over_its_output_limit_is_cut() {
    each(|t| {
        let limit = "normal 8mb 0 0";
        t.check(["CONFIG", "SET", "client-output-buffer-limit", limit], OK);
        let mut client = ask_without_reading(t, 200);
        let disconnections = "client_output_buffer_limit_disconnections";
        // Older servers do not count it; there the shorter reply stream is the proof.
        if t.info("stats").get(disconnections).is_some() {
            eventually("the client is cut", || t.info("stats").number(disconnections) > 0);
        } else {
            let id_line = client.local_address();
            eventually("the client is cut", || !t.text("CLIENT LIST").contains(&id_line));
        }
        let received = client.read_until_closed();
        assert!(received.len() < 200 * LARGE_BYTES, "{} bytes arrived", received.len());
        t.check("CONFIG SET client-output-buffer-limit 'normal 0 0 0'", OK);
        t.check("PING", "+PONG");
    });
}

#[test]
fn a_slow_reader_delays_nobody_and_loses_nothing() {
    each(|t| {
        const REPLY_COUNT: usize = 40;
        let mut slow = ask_without_reading(t, REPLY_COUNT);
        for number in 1..=500 {
            t.check("INCR counter", number);
        }
        for _ in 0..REPLY_COUNT {
            let reply = slow.read_reply();
            assert!(matches!(&reply, Reply::Bulk(bytes) if bytes.len() == LARGE_BYTES));
        }
        slow.check("PING", "+PONG");
    });
}

/// Reads replies only now and then; the server has to stop and go on many times.
#[test]
fn a_reader_in_small_sips_gets_every_byte() {
    each(|t| {
        let mut slow = ask_without_reading(t, 8);
        let expected = Expect::Bulk(vec![b'x'; LARGE_BYTES]).render(Resp::Two).repeat(8);
        let mut received = Vec::new();
        while received.len() < expected.len() {
            let sip = (expected.len() - received.len()).min(70_001);
            received.extend(slow.read_exactly(sip));
            t.check("PING", "+PONG");
        }
        assert!(received == expected, "the stream came changed");
    });
}

#[test]
fn a_request_over_the_query_buffer_limit_ends_its_connection() {
    each_with(&["--client-query-buffer-limit", "1mb"], |t| {
        let mut client = t.connect();
        // The server may hang up while bytes are still on their way.
        drop(client.try_send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n"));
        drop(client.try_send(&vec![b'x'; 5_000_000]));
        assert_eq!(client.read_until_closed(), b"");
        t.check("GET k", NIL);
        let fields = t.info("stats");
        if fields.get("client_query_buffer_limit_disconnections").is_some() {
            assert_eq!(fields.number("client_query_buffer_limit_disconnections"), 1);
        }
    });
}

#[test]
fn idle_clients_leave_after_the_timeout() {
    each_with(&["--timeout", "1"], |t| {
        let mut idle = t.connect();
        idle.check("PING", "+PONG");
        // The test's own connection stays busy meanwhile.
        let address = idle.local_address();
        eventually("the idle client is gone", || !t.text("CLIENT LIST").contains(&address));
        assert_eq!(idle.read_until_closed(), b"");
    });
}

#[test]
fn maxmemory_refuses_writes_and_serves_reads() {
    each(|t| {
        t.check("SET k v", OK);
        t.with_config("maxmemory", "1", |t| {
            let refusal = "-OOM command not allowed when used memory > 'maxmemory'.";
            t.check("SET k w", refusal);
            t.check("APPEND k w", refusal);
            t.check("INCR n", refusal);
            t.check("MSET a 1 b 2", refusal);
            t.check("GET k", bulk("v"));
            t.check("EXPIRE k 100", 1);
            t.check("DEL k", 1);
        });
        t.check("SET k w", OK);
    });
}

#[test]
fn keys_are_evicted_under_an_allkeys_policy() {
    each_with(&["--maxmemory-policy", "allkeys-lru"], |t| {
        let used = t.info("memory").number("used_memory");
        let limit = (used + (4 << 20)).to_string();
        t.check(["CONFIG", "SET", "maxmemory", &limit], OK);
        let value = "x".repeat(10_000);
        for number in 0..1500 {
            t.check(["SET", &format!("k{number}"), &value], OK);
        }
        let stats = t.info("stats");
        assert!(stats.number("evicted_keys") > 500, "{}", stats.text("evicted_keys"));
        assert!(t.integer("DBSIZE") < 1000);
        assert_eq!(t.integer("EXISTS k1499"), 1, "the newest key must not be the victim");
    });
}
