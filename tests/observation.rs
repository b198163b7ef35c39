//! What an operator sees: SLOWLOG, LATENCY, MONITOR.

mod support;

use support::{OK, Test, array, bulk, each, eventually};

const NO_SCRIPT: &str = "-NOSCRIPT No matching script. Please use EVAL.";

/// Reads lines a monitor is sent until one contains `text`.
fn line_with(monitor: &mut support::Client, text: &str) -> String {
    loop {
        let line = String::from_utf8(monitor.read_bytes()).expect("lines are text");
        if line.contains(text) {
            return line;
        }
    }
}

fn with_slow_log(t: &mut Test, body: impl FnOnce(&mut Test)) {
    t.check("CONFIG SET slowlog-log-slower-than 50000", OK);
    t.check("SLOWLOG RESET", OK);
    body(t);
    t.check("CONFIG SET slowlog-log-slower-than 10000", OK);
}

#[test]
fn slow_commands_are_logged_wherever_they_run() {
    each(|t| {
        with_slow_log(t, |t| {
            t.check("CLIENT SETNAME me", OK);
            t.check("DEBUG SLEEP 0.06", OK);
            t.check("MULTI", OK);
            t.check("DEBUG SLEEP 0.06", "+QUEUED");
            t.check("EXEC", [OK]);
            t.check("SLOWLOG LEN", 2);
            t.check("COMMANDLOG LEN slow", 2);
            let log = t.call("SLOWLOG GET");
            let [newest, oldest] = log.elements() else { panic!("{log:?}") };
            assert!(newest.elements()[0].integer() > oldest.elements()[0].integer());
            for entry in [newest, oldest] {
                let entry = entry.elements();
                assert!(entry[2].integer() >= 60_000, "{entry:?}");
                assert_eq!(entry[3].texts(), ["DEBUG", "SLEEP", "0.06"]);
                assert_eq!(entry[5].text(), "me");
            }
            t.check("SLOWLOG RESET", OK);
            t.check("SLOWLOG GET", array::<support::Expect>([]));
        });
    });
}

#[test]
fn large_requests_and_replies_are_logged_wherever_they_run() {
    each(|t| {
        t.check("CONFIG SET commandlog-request-larger-than 20000", OK);
        t.check("CONFIG SET commandlog-reply-larger-than 20000", OK);
        for kind in ["large-request", "large-reply"] {
            t.check(["COMMANDLOG", "RESET", kind], OK);
        }
        let long = "v".repeat(20_000);
        // The keys are those of several cores; what a script calls is logged like the script.
        for key in ["a", "b", "c", "d"] {
            t.check(["SET", key, &long], OK);
            t.check(["GET", key], bulk(long.as_str()));
        }
        t.check("EVAL \"return redis.call('get', KEYS[1])\" 1 a", bulk(long.as_str()));
        t.check("MGET a b", array([bulk(long.as_str()), bulk(long.as_str())]));
        t.check(["ECHO", &long], bulk(long.as_str()));
        t.check("SET short v", OK);
        let entries = |t: &mut Test, kind: &str| -> Vec<(i64, String)> {
            let log = t.call(["COMMANDLOG", "GET", "-1", kind]);
            let of = |entry: &support::Reply| {
                let entry = entry.elements();
                (entry[2].integer(), entry[3].texts()[..2].join(" "))
            };
            log.elements().iter().rev().map(of).collect()
        };
        let requests = entries(t, "large-request");
        let names: Vec<&str> = requests.iter().map(|(_, line)| &line[..5]).collect();
        assert_eq!(names, ["SET a", "SET b", "SET c", "SET d", "ECHO "]);
        let headers = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$20000\r\n\r\n".len() as i64;
        assert_eq!(requests[0].0, 20_000 + headers);
        let replies = entries(t, "large-reply");
        let names: Vec<&str> = replies.iter().map(|(_, line)| &line[..4]).collect();
        assert_eq!(names, ["GET ", "GET ", "GET ", "GET ", "get ", "EVAL", "MGET", "ECHO"]);
        assert_eq!(replies[0].0, 20_000 + "$20000\r\n\r\n".len() as i64);
        t.check("COMMANDLOG LEN large-reply", 8);
        t.check("COMMANDLOG RESET large-reply", OK);
        t.check("COMMANDLOG LEN large-reply", 0);
        t.check("COMMANDLOG LEN large-request", 5);
        t.check("CONFIG SET commandlog-request-larger-than -1", OK);
        t.check("CONFIG SET commandlog-reply-larger-than -1", OK);
        t.check("GET a", bulk(long.as_str()));
        t.check(["SET", "a", &long], OK);
        t.check("COMMANDLOG LEN large-reply", 0);
        t.check("COMMANDLOG LEN large-request", 5);
        t.check("CONFIG SET commandlog-request-larger-than 1048576", OK);
        t.check("CONFIG SET commandlog-reply-larger-than 1048576", OK);
    });
}

#[test]
fn the_slow_log_keeps_secrets_and_shortens() {
    each(|t| {
        t.check("CONFIG SET slowlog-log-slower-than 0", OK);
        t.check("SLOWLOG RESET", OK);
        t.call("AUTH nobody secret");
        t.check("ACL SETUSER alice >secret", OK);
        t.check(
            "CONFIG SET requirepass x requirepass y",
            "-ERR CONFIG SET failed (possibly \
            related to argument 'requirepass') - duplicate parameter",
        );
        t.check(["SADD".to_owned(), "k".to_owned(), "x".repeat(200)], 1);
        t.check("CONFIG SET slowlog-log-slower-than 10000", OK);
        let log = t.call("SLOWLOG GET -1");
        let lines: Vec<String> =
            log.elements().iter().map(|entry| entry.elements()[3].texts().join(" ")).collect();
        let wanted = [
            "AUTH (redacted) (redacted)",
            "ACL SETUSER (redacted) (redacted)",
            "CONFIG SET requirepass (redacted) requirepass (redacted)",
            &format!("SADD k {}... (72 more bytes)", "x".repeat(128)),
        ];
        for line in wanted {
            assert!(lines.iter().any(|known| known == line), "{line} in {lines:?}");
        }
        t.check("ACL DELUSER alice", 1);
        t.check("DEL k", 1);
    });
}

#[test]
fn latency_is_watched() {
    each(|t| {
        t.check("CONFIG SET latency-monitor-threshold 50", OK);
        t.check("LATENCY RESET command nosuch", 0);
        t.check("DEBUG SLEEP 0.06", OK);
        let latest = t.call("LATENCY LATEST");
        let command = &latest.elements()[0].elements();
        assert_eq!(command[0].text(), "command");
        assert!(command[2].integer() >= 60, "{latest:?}");
        assert_eq!(t.call("LATENCY HISTORY command").elements().len(), 1);
        t.check("LATENCY HISTORY nosuch", array::<support::Expect>([]));
        assert!(t.text("LATENCY GRAPH command").starts_with("command - high "));
        t.check("LATENCY GRAPH nosuch", "-ERR No samples available for event 'nosuch'");
        assert!(t.text("LATENCY DOCTOR").contains("command: 1 samples"));
        t.check("LATENCY RESET", 1);
        t.check("CONFIG SET latency-monitor-threshold 0", OK);
        let histogram = t.call("LATENCY HISTOGRAM debug nosuch");
        let debug = histogram.field("debug").expect("it ran");
        assert!(debug.field("calls").expect("a count").integer() >= 1);
    });
}

#[test]
fn a_monitor_sees_what_all_cores_run_in_order() {
    each(|t| {
        let mut monitor = t.server.connect_plain();
        monitor.check("MONITOR", OK);
        // Clients spread over the cores; each one's own commands stay in order.
        let mut clients: Vec<_> = (0..4).map(|_| t.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.check(format!("SET key{number} \"a\\nb\"").as_str(), OK);
            client.check("MULTI", OK);
            client.check(format!("INCR count{number}").as_str(), "+QUEUED");
            client.check("nosuch", "-ERR unknown command 'nosuch', with args beginning with: ");
            client.call("DISCARD");
            client.check(format!("GET key{number}").as_str(), bulk("a\nb"));
        }
        let mut lines = Vec::new();
        while lines.iter().filter(|line: &&String| line.contains("\"GET\"")).count() < 4 {
            lines.push(line_with(&mut monitor, "\""));
        }
        for number in 0..4 {
            let own: Vec<&String> =
                lines.iter().filter(|line| line.contains(&format!("key{number}"))).collect();
            assert!(own[0].contains(&format!("\"SET\" \"key{number}\" \"a\\nb\"")), "{own:?}");
            assert!(own[1].contains(&format!("\"GET\" \"key{number}\"")), "{own:?}");
        }
        assert!(!lines.iter().any(|line| line.contains("INCR") || line.contains("nosuch")));
        assert!(lines[0].starts_with('+') && lines[0].contains(" [0 127.0.0.1:"), "{}", lines[0]);
        eventually("flags tell", || t.text("CLIENT LIST").contains(" flags=O "));
        monitor.check("RESET", "+RESET");
        t.check("DEL key0 key1 key2 key3", 4);
        monitor.check("PING", "+PONG");
    });
}

#[test]
fn a_monitor_sees_transactions_as_they_run() {
    each(|t| {
        let mut monitor = t.server.connect_plain();
        monitor.check("MONITOR", OK);
        t.check("MULTI", OK);
        t.check("SET k 1", "+QUEUED");
        t.check("SET another 2", "+QUEUED");
        t.check("EXEC", [OK, OK]);
        for text in ["\"MULTI\"", "\"SET\" \"k\"", "\"SET\" \"another\"", "\"exec\""] {
            let line = line_with(&mut monitor, "\"");
            assert!(line.contains(text), "{line} instead of {text}");
        }
        t.check("DEL k another", 2);
    });
}

#[test]
fn a_monitor_sees_scripts_and_what_they_run() {
    each(|t| {
        let mut monitor = t.server.connect_plain();
        monitor.check("MONITOR", OK);
        t.check(["EVAL", "return redis.call('SET', KEYS[1], 'v')", "1", "k"], OK);
        t.check(["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"], NO_SCRIPT);
        t.check("MULTI", OK);
        t.check("EVAL 'return 1' 0", "+QUEUED");
        t.check("EXEC", array([1]));
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains("\"exec\"")) {
            lines.push(line_with(&mut monitor, "\""));
        }
        let expected =
            ["\"EVAL\" \"return redis", " lua] \"SET\" \"k\"", "\"EVALSHA\"", "\"MULTI\""];
        // What a script runs at another core may be told before the script.
        for text in expected {
            assert!(lines.iter().any(|line| line.contains(text)), "{text} in {lines:?}");
        }
        let place = |text: &str| lines.iter().position(|line| line.contains(text));
        assert!(place("\"EVAL\" \"return 1\"") > place("\"MULTI\""), "{lines:?}");
        assert_eq!(lines.len(), 6, "{lines:?}");
        t.check("DEL k", 1);
    });
}

#[test]
fn what_loops_do_is_told_to_those_who_ask_for_it() {
    each(|t| {
        for all in ["INFO", "INFO all", "INFO everything"] {
            assert!(!t.text(all).contains("eventloop_duration_max"), "{all}");
        }
        eventually("something is done unasked", || {
            t.info("debug").number("eventloop_duration_cron_sum") > 0
        });
        let info = t.info("debug");
        assert!(info.number("eventloop_duration_max") > 0);
        assert!(info.number("eventloop_cmd_per_cycle_max") > 0);
        assert_eq!(info.number("eventloop_duration_aof_sum"), 0);
    });
}
