//! Side by side with a Redis server, where one is installed.
//!
//! Without `redis-server` on the path the test says so and passes: the same answers stand in the
//! tables of the other tests, where they were written down once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::super::{Config, SetContext};

/// Directives of Redis 7.0 that Basalt shows with another default, and why.
const OTHER_DEFAULTS: &[(&str, &str)] = &[
    ("save", "the reference is started without save points"),
    ("dir", "the working directory of each"),
    ("port", "the Redis server of this test listens elsewhere"),
    ("bind", "the Redis server of this test listens on the loopback interface only"),
    ("activedefrag", "it needs no patched allocator here, so nothing speaks against it"),
];

/// CONFIG SET pairs that both servers must answer alike.
const PAIRS: &[(&str, &str)] = &[
    ("hz", "abc"),
    ("active-expire-effort", "11"),
    ("timeout", " 1"),
    ("timeout", "01"),
    ("timeout", "+1"),
    ("timeout", "7"),
    ("maxmemory", "1kbx"),
    ("maxmemory", "-1"),
    ("maxmemory-clients", "101%"),
    ("maxmemory-clients", "x"),
    ("rdbcompression", "maybe"),
    ("shutdown-on-sigterm", "save nosave"),
    ("shutdown-on-sigterm", "now save"),
    ("shutdown-on-sigterm", "foo"),
    ("shutdown-on-sigterm", ""),
    ("maxclients", "0"),
    ("maxclients", "-1"),
    ("slowlog-max-len", "-1"),
    ("hash-max-listpack-entries", "9223372036854775808"),
    ("proto-max-bulk-len", "1"),
    ("client-query-buffer-limit", "2mb"),
    ("dir", "/"),
    ("databases", "1"),
    ("unixsocketperm", "8"),
    ("save", "1"),
    ("save", "0 1"),
    ("save", "900 1  300 10"),
    ("client-output-buffer-limit", "foo"),
    ("client-output-buffer-limit", "foo 1 2 3"),
    ("client-output-buffer-limit", "normal 1 2 x"),
    ("client-output-buffer-limit", "normal 1mb 2 3 replica 1gb 1 1"),
    ("oom-score-adj-values", "1 2"),
    ("oom-score-adj-values", "1 2 3000"),
    ("notify-keyspace-events", "KEQ"),
    ("notify-keyspace-events", "nKEg$lshzxetdm"),
    ("notify-keyspace-events", "ngK"),
    ("notify-keyspace-events", "gKx"),
    ("latency-tracking-info-percentiles", "50 101"),
    ("latency-tracking-info-percentiles", "50 x"),
    ("latency-tracking-info-percentiles", "50 99.90 99.999999"),
    ("latency-tracking-info-percentiles", ""),
    ("proc-title-template", "{foo}"),
    ("proc-title-template", "{title"),
    ("list-max-listpack-size", "x"),
    ("list-max-listpack-size", "-5"),
    ("repl-backlog-size", "0"),
    // No unknown policy: Basalt lists two more that are newer than the server compared with.
    ("maxmemory-policy", "allkeys-LRU"),
    ("replicaof", "a b"),
    ("user", "x"),
    ("lua-time-limit", "-1"),
    ("lua-time-limit", "100"),
    ("requirepass", ""),
];

struct Server {
    process: Child,
    stream: BufReader<TcpStream>,
}

impl Server {
    /// Starts a Redis server on a free port; `None` where there is no such program.
    fn start() -> Option<Server> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"])
            .args(["--loglevel", "notice", "--daemonize", "no"])
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let is_ready = output
            .lines()
            .map_while(Result::ok)
            .any(|line| line.contains("Ready to accept connections"));
        assert!(is_ready, "redis-server ended before it was ready");
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it is ready");
        Some(Server { process, stream: BufReader::new(stream) })
    }

    /// Sends a command; returns the strings of the reply, or its error.
    fn ask(&mut self, words: &[&str]) -> Result<Vec<String>, String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(request.as_bytes()).expect("a connection");
        let header = self.line();
        match header.split_at(1) {
            ("-", error) => Err(error.to_owned()),
            ("*", count) => {
                let count: usize = count.parse().expect("a count");
                Ok((0..count).map(|_| self.bulk()).collect())
            }
            ("$", length) => Ok(vec![self.bytes(length)]),
            (_, text) => Ok(vec![text.to_owned()]),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a reply");
        line.trim_end().to_owned()
    }

    fn bulk(&mut self) -> String {
        let header = self.line();
        self.bytes(&header[1..])
    }

    fn bytes(&mut self, length: &str) -> String {
        let length: usize = length.parse().expect("a length");
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).expect("a reply");
        bytes.truncate(length);
        String::from_utf8(bytes).expect("UTF-8")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that did not run should say so")]
fn redis_and_basalt_answer_alike() {
    let Some(mut server) = Server::start() else {
        eprintln!("no redis-server on the path: nothing to compare with");
        return;
    };
    let info = server.ask(&["INFO", "server"]).expect("a text").concat();
    if !info.contains("redis_version:7.0") {
        eprintln!("the redis-server on the path is no Redis 7.0: nothing to compare with");
        return;
    }
    compare_defaults(&mut server);
    for (name, value) in PAIRS {
        compare_set(&mut server, name, value);
    }
}

fn compare_defaults(server: &mut Server) {
    let config = Config::default();
    let reply = server.ask(&["CONFIG", "GET", "*"]).expect("a list");
    let theirs: BTreeMap<&str, &str> =
        reply.chunks_exact(2).map(|pair| (&*pair[0], &*pair[1])).collect();
    assert!(theirs.len() > 150, "{} directives", theirs.len());
    for (name, value) in theirs {
        let ours = config.get(name.as_bytes());
        let ours = ours.unwrap_or_else(|| panic!("Redis knows '{name}', Basalt does not"));
        if !OTHER_DEFAULTS.iter().any(|(other, _)| *other == name) {
            assert_eq!(String::from_utf8_lossy(&ours), value, "default of '{name}'");
        }
    }
}

/// Sets one directive on both, from its default, and compares what is said and what it becomes.
fn compare_set(server: &mut Server, name: &str, value: &str) {
    let mut config = Config::default();
    let theirs = server.ask(&["CONFIG", "SET", name, value]);
    let ours = config.set(&[(name.as_bytes(), value.as_bytes())], SetContext::default());
    match (&ours, &theirs) {
        (Ok(_), Ok(_)) => {
            let theirs = server.ask(&["CONFIG", "GET", name]).expect("a value");
            let ours = config.get(name.as_bytes()).expect("it was set");
            assert_eq!(theirs.get(1).map(String::as_bytes), Some(&*ours), "{name} {value:?}");
            let default = Config::default().get(name.as_bytes()).expect("it was set");
            let default = String::from_utf8(default).expect("UTF-8");
            server.ask(&["CONFIG", "SET", name, &default]).expect("the default");
        }
        (Err(ours), Err(theirs)) => assert_eq!(&ours.to_string(), theirs, "{name} {value:?}"),
        _ => panic!("{name} {value:?}: Basalt says {ours:?}, Redis {theirs:?}"),
    }
}
