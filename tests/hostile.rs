//! Hostile and careless clients: crowds of idle connections, readers that never read, garbage.
//!
//! The server has to stay correct and quick for everybody else, and to be whole afterwards.

mod support;

use std::{fs, thread};

use support::{
    Client, OK, Reply, Seeded, Server, Test, bulk, each, each_with, encode, environment_number,
    eventually, skip,
};

/// Descriptors this process may have open.
fn descriptor_limit() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").expect("a Linux /proc");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    line.split_whitespace().nth(3).and_then(|soft| soft.parse().ok()).unwrap_or(u64::MAX)
}

/// Stores and fetches through `client` and checks every reply.
fn assert_serves(client: &mut Client, round_count: usize) {
    for round in 0..round_count {
        let commands =
            (0..50).flat_map(|key| [format!("SET load:{key} {round}"), format!("GET load:{key}")]);
        for pair in client.pipeline(commands).chunks(2) {
            assert_eq!(pair[1], Reply::Bulk(round.to_string().into_bytes()));
        }
    }
}

/// 2,000 connections by default; `BASALT_TEST_CONNECTIONS=10000` for the large crowd.
#[test]
fn a_crowd_of_idle_connections_costs_nobody_anything() {
    let count = environment_number("BASALT_TEST_CONNECTIONS").unwrap_or(2_000);
    if descriptor_limit() < count + 100 {
        skip(&format!("{count} connections need a higher ulimit -n"));
        return;
    }
    each_with(&["--maxclients", "12000"], |t| {
        let mut crowd: Vec<Client> = (0..count).map(|_| t.connect()).collect();
        for client in &mut crowd {
            client.send(b"PING\r\n");
        }
        for client in &mut crowd {
            client.check_next("PING", "+PONG");
        }
        assert_eq!(t.info("clients").number("connected_clients"), count as i64 + 1);
        assert_serves(t, 50);
        for client in crowd.iter_mut().step_by(97) {
            client.check("GET load:0", bulk("49"));
        }
        drop(crowd);
        eventually("all have left", || t.info("clients").number("connected_clients") == 1);
    });
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    each(|t| {
        let before = t.info("stats").number("total_connections_received");
        for round in 0..300 {
            let mut client = t.connect();
            match round % 3 {
                0 => client.check("PING", "+PONG"),
                1 => client.send(b"*2\r\n$3\r\nGET\r\n$5\r\nab"),
                _ => client.send(b"QUIT\r\n"),
            }
        }
        eventually("all have been taken in", || {
            t.info("stats").number("total_connections_received") - before == 300
        });
        eventually("all have left", || t.info("clients").number("connected_clients") == 1);
    });
}

/// Neither side of the pair is ever read or finished; memory must stay bounded by the limits.
#[test]
fn clients_that_never_read_do_not_starve_the_others() {
    each(|t| {
        t.check(["SET", "large", &"x".repeat(1 << 20)], OK);
        let mut deaf: Vec<Client> = (0..4).map(|_| t.connect()).collect();
        for client in &mut deaf {
            client.send(&encode("GET large").repeat(15));
        }
        assert_serves(t, 50);
        drop(deaf);
        eventually("all have left", || t.info("clients").number("connected_clients") == 1);
        t.check("STRLEN large", 1 << 20);
    });
}

/// Bytes of input that wait for the largest of all clients.
fn largest_query_buffer(t: &mut Test) -> usize {
    let list = t.text("CLIENT LIST");
    let fields = list.split_whitespace().filter_map(|field| field.strip_prefix("qbuf="));
    fields.map(|number| number.parse().expect("a number of bytes")).max().unwrap_or(0)
}

/// What a client sends faster than its commands run waits at its side, not in the server's memory,
/// and costs no more the longer it is.
#[test]
fn a_stream_that_outruns_its_commands_is_taken_in_as_they_run() {
    const COMMAND_COUNT: usize = 1 << 20;
    const QUERY_BYTES_MAX: usize = 6 << 20;
    each(|t| {
        let mut stream = encode("CLIENT REPLY OFF");
        stream.extend(encode("INCR counter").repeat(COMMAND_COUNT));
        assert!(stream.len() > 4 * QUERY_BYTES_MAX);
        stream.extend(encode("CLIENT REPLY ON"));
        let mut sender = t.connect();
        thread::scope(|scope| {
            let sending = scope.spawn(|| sender.send(&stream));
            let mut largest = 0;
            while !sending.is_finished() {
                largest = largest.max(largest_query_buffer(t));
            }
            assert!(largest <= QUERY_BYTES_MAX, "{largest} bytes were taken in ahead of time");
        });
        sender.check_next("CLIENT REPLY ON", OK);
        t.check("GET counter", bulk(COMMAND_COUNT.to_string()));
    });
}

/// The server reads on from a client that is blocked, or it would not see it leave.
#[test]
fn a_blocked_client_with_a_long_stream_behind_is_seen_to_leave() {
    each(|t| {
        let mut stream = encode("INCR counter").repeat(1 << 12);
        stream.extend(encode("BLPOP nothing 0"));
        stream.extend(encode("INCR counter").repeat(1 << 16));
        let mut client = t.connect();
        client.send(&stream);
        eventually("it is blocked", || t.info("clients").number("blocked_clients") == 1);
        drop(client);
        eventually("it has left", || t.info("clients").number("connected_clients") == 1);
        t.check("GET counter", bulk((1 << 12).to_string()));
    });
}

/// A client that hangs up with thousands of commands and replies still under way.
#[test]
fn a_client_that_hangs_up_in_the_middle_of_everything() {
    each(|t| {
        for _ in 0..10 {
            let mut client = t.connect();
            // The server may notice the end of the one before; its own error is no matter.
            drop(client.try_send(&encode("INCR counter").repeat(2_000)));
        }
        eventually("all have left", || t.info("clients").number("connected_clients") == 1);
        let counted = t.integer("INCR counter");
        assert!((1..=20_001).contains(&counted), "{counted}");
    });
}

/// Bytes that look like requests for a while.
fn garbage(random: &mut Seeded) -> Vec<u8> {
    let generator = &mut random.generator;
    let mut bytes = Vec::new();
    for _ in 0..generator.usize(1..40) {
        match generator.u8(..8) {
            0 => bytes.extend_from_slice(b"*"),
            1 => bytes.extend_from_slice(b"$"),
            2 => bytes.extend_from_slice(b"\r\n"),
            3 => bytes.extend_from_slice(generator.i64(-3..70_000).to_string().as_bytes()),
            4 => bytes.extend(encode(["SET", "garbage", "v"])),
            5 => bytes.extend_from_slice(b"GET garbage \"\\x4"),
            6 => bytes.extend((0..generator.usize(..300)).map(|_| generator.u8(..))),
            _ => bytes.extend(encode("PING")),
        }
    }
    bytes
}

#[test]
fn random_bytes_never_hurt_the_server() {
    each(|t| {
        let mut random = Seeded::announced("garbage");
        t.check("SET witness unharmed", OK);
        for round in 0..100 {
            let bytes = garbage(&mut random);
            let mut client = t.server.connect_plain();
            // The server may hang up before it has taken everything.
            drop(client.try_send(&bytes));
            client.finish_sending_if_connected();
            drop(client.drain());
            if round % 20 == 0 {
                t.check("GET witness", bulk("unharmed"));
            }
        }
        assert_serves(t, 2);
        t.check("GET witness", bulk("unharmed"));
    });
}

#[test]
fn valid_commands_with_random_arguments_never_hurt_the_server() {
    each(|t| {
        let mut random = Seeded::announced("random arguments");
        let names: Vec<String> = t
            .call("COMMAND LIST")
            .texts()
            .into_iter()
            .filter(|name| !name.contains('|') && !is_out_of_bounds(name))
            .collect();
        let mut client = t.connect();
        for _ in 0..500 {
            let command = random_command(&mut random, &names);
            client.send_command(&command[..]);
            // Without a blocking command among them every command is answered.
            let reply = client.read_reply();
            assert!(!matches!(reply, Reply::Push(_)), "{command:?} gave {reply:?}");
        }
        t.check("PING", "+PONG");
        t.check("CONFIG RESETSTAT", OK);
    });
}

/// Commands that end, block, silence or take over the connection or the server.
fn is_out_of_bounds(name: &str) -> bool {
    const EXACT: [&str; 24] = [
        "client",
        "config",
        "debug",
        "failover",
        "hello",
        "monitor",
        "multi",
        "psubscribe",
        "psync",
        "quit",
        "replconf",
        "replicaof",
        "reset",
        "shutdown",
        "slaveof",
        "ssubscribe",
        "subscribe",
        "sync",
        "wait",
        "waitaof",
        "auth",
        "acl",
        "save",
        "bgsave",
    ];
    let is_blocking = name.starts_with('b') && name.contains("pop") || name.starts_with("blmove");
    EXACT.contains(&name)
        || is_blocking
        || [
            "xread",
            "xreadgroup",
            "bgrewriteaof",
            "migrate",
            "module",
            "cluster",
            "pfselftest",
            "swapdb",
        ]
        .contains(&name)
        || name.contains("unsubscribe")
}

fn random_command(random: &mut Seeded, names: &[String]) -> Vec<Vec<u8>> {
    let generator = &mut random.generator;
    let mut command = vec![names[generator.usize(..names.len())].clone().into_bytes()];
    for _ in 0..generator.usize(..6) {
        command.push(match generator.u8(..6) {
            0 => b"k".to_vec(),
            1 => generator.i64(..).to_string().into_bytes(),
            2 => generator.i64(-2..3).to_string().into_bytes(),
            3 => [&b"NX"[..], b"EX", b"GET", b"COUNT", b"MATCH", b"REPLACE", b"HELP"]
                [generator.usize(..7)]
            .to_vec(),
            4 => (0..generator.usize(..40)).map(|_| generator.u8(..)).collect(),
            _ => format!("{:e}", generator.f64() * 1e10).into_bytes(),
        });
    }
    command
}

/// The server still stands when its listener is knocked at faster than it answers.
#[test]
fn a_burst_of_connections_is_accepted_in_the_end() {
    each(|t| {
        let server: &Server = t.server;
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        server.connect_plain().check("PING", "+PONG");
                    }
                });
            }
        });
        eventually("all have left", || alone(t));
    });
}

fn alone(t: &mut Test) -> bool {
    t.info("clients").number("connected_clients") == 1
}
