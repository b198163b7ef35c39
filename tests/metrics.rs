//! The metrics endpoint: what it tells, in a form that a strict reader takes, and what it does
//! about strangers.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use support::{OK, Server, two_core_configs};

/// One sample: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// A port nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A server with the endpoint, and its port.
fn started() -> (Server, u16) {
    let port = free_port();
    let config = two_core_configs().remove(0);
    let server = Server::start(&config, &["--metrics-port", &port.to_string()]);
    (server, port)
}

/// Sends `request` and reads until the other side closes.
fn exchange(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    stream.write_all(request).expect("it is taken");
    let mut text = String::new();
    // A peer that is cut off may see that as an error; what came before counts.
    let _ = stream.read_to_string(&mut text);
    text
}

/// The status line and the body of an answer whose head is right.
fn get(port: u16, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let text = exchange(port, request.as_bytes());
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.lines().next().expect("a status line").to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    assert_eq!(length, Some(body.len().to_string().as_str()));
    (status, body.to_owned())
}

fn is_name(text: &str) -> bool {
    let is_start = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    text.starts_with(is_start)
        && text.chars().all(|letter| is_start(letter) || letter.is_ascii_digit())
}

/// Takes `name="value",...}` apart; returns what stands behind it.
fn labels(mut text: &str) -> (BTreeMap<String, String>, &str) {
    let mut labels = BTreeMap::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect("a label");
        assert!(is_name(name), "{name}");
        let mut value = String::new();
        let mut letters = rest.char_indices();
        let end = loop {
            let (at, letter) = letters.next().expect("a label ends");
            match letter {
                '"' => break at,
                '\\' => match letters.next().expect("an escape ends").1 {
                    'n' => value.push('\n'),
                    other @ ('"' | '\\') => value.push(other),
                    other => panic!("\\{other} is no escape"),
                },
                other => value.push(other),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} twice");
        text = &rest[end + 1..];
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return (labels, text.strip_prefix('}').expect("labels end")),
        }
    }
}

/// Reads the text format strictly: every family has one HELP and one TYPE before its samples,
/// families do not mix, no series comes twice, counters are not negative.
fn parse(text: &str) -> Vec<Sample> {
    assert!(text.ends_with('\n'));
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeSet::new());
    let (mut family, mut kind) = (String::new(), String::new());
    let mut seen = BTreeSet::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').expect("a help text");
            assert!(helped.insert(name.to_owned()), "{name} is helped twice");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').expect("a type");
            assert!(is_name(name) && helped.contains(name), "{name}");
            assert!(typed.insert(name.to_owned()), "{name} is typed twice");
            assert!(matches!(of, "counter" | "gauge" | "summary"), "{of}");
            (family, kind) = (name.to_owned(), of.to_owned());
            continue;
        }
        let end = line.find(['{', ' ']).expect("a sample");
        let (name, rest) = line.split_at(end);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest),
            None => (BTreeMap::new(), rest),
        };
        let value = rest.strip_prefix(' ').expect("a value");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let suffix = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{line}"));
        let is_part = kind == "summary" && matches!(suffix, "_sum" | "_count");
        assert!(suffix.is_empty() || is_part, "{line} is of no family");
        assert!(kind != "counter" || value >= 0.0, "{line}");
        assert!(seen.insert((name.to_owned(), labels.clone())), "{line} comes twice");
        samples.push((name.to_owned(), labels, value));
    }
    samples
}

fn value(samples: &[Sample], name: &str, label: (&str, &str)) -> f64 {
    let has_label = |labels: &BTreeMap<String, String>| {
        label.0.is_empty() || labels.get(label.0).is_some_and(|text| text == label.1)
    };
    let found = samples.iter().find(|(of, labels, _)| of == name && has_label(labels));
    found.unwrap_or_else(|| panic!("no {name} {label:?}")).2
}

#[test]
fn everything_info_tells_is_a_metric() {
    let (server, port) = started();
    let mut client = server.connect_plain();
    client.check("SET k v", OK);
    client.check("SET gone v EX 1000", OK);
    client.check("GET k", support::bulk("v"));
    client.check("GET nosuch", support::NIL);
    client.check("CONFIG SET maxmemory-clients 100mb", OK);
    client.call(["EVAL", "return redis.error_reply('A\"B x')", "0"]);
    let (status, body) = get(port, "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let samples = parse(&body);
    let plain = |name| value(&samples, name, ("", ""));
    assert_eq!(plain("redis_up"), 1.0);
    assert_eq!(plain("redis_connected_clients"), 1.0);
    assert_eq!(plain("redis_keyspace_hits_total"), 1.0);
    assert_eq!(plain("redis_keyspace_misses_total"), 1.0);
    assert_eq!(plain("redis_rdb_last_bgsave_status"), 1.0);
    assert_eq!(plain("redis_loading_dump_file"), 0.0);
    assert!(plain("redis_memory_used_bytes") > 1e5);
    assert!(plain("redis_cpu_user_seconds_total") >= 0.0);
    let with = |name, label| value(&samples, name, label);
    assert_eq!(with("redis_db_keys", ("db", "db0")), 2.0);
    assert_eq!(with("redis_db_keys_expiring", ("db", "db0")), 1.0);
    assert!(with("redis_db_avg_ttl_seconds", ("db", "db0")) > 900.0);
    assert_eq!(with("redis_db_keys", ("db", "db15")), 0.0);
    assert_eq!(with("redis_commands_total", ("cmd", "set")), 2.0);
    assert_eq!(with("redis_commands_total", ("cmd", "config|set")), 1.0);
    assert!(with("redis_commands_duration_seconds_total", ("cmd", "get")) < 1.0);
    assert_eq!(with("redis_latency_percentiles_usec_count", ("cmd", "get")), 2.0);
    assert!(with("redis_latency_percentiles_usec", ("quantile", "0.999")) >= 0.0);
    assert_eq!(with("redis_instance_info", ("role", "master")), 1.0);
    assert_eq!(with("redis_errors_total", ("err", "A\"B")), 1.0);
    for core in ["0", "1"] {
        assert!(with("basalt_core_busy_seconds_total", ("core", core)) > 0.0);
        assert_eq!(with("basalt_core_slots", ("core", core)), 8192.0);
        assert_eq!(with("basalt_core_lent_slots", ("core", core)), 0.0);
    }
}

#[test]
fn health_is_told_without_asking_the_cores() {
    let (server, port) = started();
    let (status, body) = get(port, "/health");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let begin = "{\"status\":\"ok\",\"version\":\"";
    assert!(body.starts_with(begin) && body.ends_with("\"aof_last_bgrewrite_status\":\"ok\"}\n"));
    assert!(body.contains("\"loading\":false,\"rdb_last_bgsave_status\":\"ok\""), "{body}");
    // A core that is stopped changes nothing.
    let mut client = server.connect_plain();
    client.send_command("DEBUG SLEEP 2");
    assert_eq!(get(port, "/health").0, "HTTP/1.1 200 OK");
    client.check_next("DEBUG SLEEP", OK);
}

#[test]
fn strangers_get_short_answers_and_nobody_waits_for_them() {
    let (server, port) = started();
    let status =
        |request: &[u8]| exchange(port, request).lines().next().unwrap_or_default().to_owned();
    assert_eq!(status(b"GET /nosuch HTTP/1.1\r\n\r\n"), "HTTP/1.1 404 Not Found");
    assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(status(b"*1\r\n$4\r\nPING\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    assert_eq!(status(b"\xff\x00\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    let head = exchange(port, b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let long = [b"GET /metrics HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 9000]].concat();
    let said = status(&long);
    let refused = "HTTP/1.1 431 Request Header Fields Too Large";
    assert!(said == refused || said.is_empty(), "{said}");
    // As many as there are threads begin a request and do not end it, or do not read the answer.
    let connect = || TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let mut slow: Vec<TcpStream> = (0..6).map(|_| connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /metrics HT").expect("it is taken");
    }
    let deaf = connect();
    (&deaf).write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("it is taken");
    deaf.shutdown(Shutdown::Read).expect("an open socket");
    let mut client = server.connect_plain();
    client.check("PING", "+PONG");
    assert_eq!(get(port, "/metrics").0, "HTTP/1.1 200 OK");
}

#[test]
fn a_scrape_while_clients_work_tells_one_moment() {
    let (server, port) = started();
    let mut t = server.connect_plain();
    for number in 0..200 {
        t.check(["SET", &format!("k{number}"), "v"], OK);
        if number % 20 == 0 {
            let samples = parse(&get(port, "/metrics").1);
            let keys = value(&samples, "redis_db_keys", ("db", "db0"));
            assert_eq!(keys, f64::from(number + 1));
        }
    }
}
