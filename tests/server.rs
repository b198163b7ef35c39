//! The server about itself: INFO, TIME, LOLWUT, the DEBUG subset suites use, SHUTDOWN.

mod support;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::{
    Expect, NIL, OK, Reply, Resp, Test, bulk, double, each, each_with, eventually, is_basalt, set,
    verbatim,
};

const SYNTAX: &str = "-ERR syntax error";

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

/// Whether the server knows a subcommand of DEBUG; a missing one is a stated reason to skip.
fn has_debug(t: &mut Test, subcommand: &str) -> bool {
    let reply = format!("{:?}", t.call(["DEBUG", subcommand]));
    let is_known = !reply.contains("unknown subcommand");
    if !is_known {
        support::skip(&format!("the server has no DEBUG {subcommand}"));
    }
    is_known
}

fn unknown_debug(subcommand: &str) -> Expect {
    format!(
        "-ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try DEBUG HELP."
    )
    .into()
}

/// Section headings of an INFO reply, in order.
fn headings(text: &str) -> Vec<&str> {
    text.split("\r\n").filter_map(|line| line.strip_prefix("# ")).collect()
}

#[test]
fn info_sections_on_request() {
    each(|t| {
        let all = t.text("INFO");
        for heading in
            ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Cluster"]
        {
            assert!(headings(&all).contains(&heading), "{heading} in {:?}", headings(&all));
        }
        assert!(!headings(&all).contains(&"Commandstats"));
        assert_eq!(headings(&t.text("INFO server")), ["Server"]);
        assert_eq!(headings(&t.text("INFO CPU Server")), ["Server", "CPU"]);
        assert_eq!(headings(&t.text("INFO keyspace")), ["Keyspace"]);
        assert_eq!(t.text("INFO nosuch"), "");
        assert!(headings(&t.text("INFO all")).contains(&"Commandstats"));
        assert!(headings(&t.text("INFO everything")).contains(&"Commandstats"));
        assert_eq!(headings(&t.text("INFO default")), headings(&all));
    });
}

#[test]
fn info_is_framed_as_text() {
    each(|t| {
        let reply = t.call("INFO server");
        match t.resp() {
            Resp::Two => assert!(matches!(reply, Reply::Bulk(_)), "{reply:?}"),
            Resp::Three => assert!(matches!(reply, Reply::Verbatim(_)), "{reply:?}"),
        }
        let text = reply.text();
        assert!(text.starts_with("# Server\r\nredis_version:") && text.ends_with("\r\n"));
        t.check("INFO keyspace", verbatim("# Keyspace\r\n"));
    });
}

#[test]
fn info_fields_tools_read() {
    each(|t| {
        let info = t.info("");
        for name in [
            "redis_version",
            "redis_mode",
            "os",
            "arch_bits",
            "process_id",
            "run_id",
            "tcp_port",
            "uptime_in_seconds",
            "uptime_in_days",
            "hz",
            "executable",
            "config_file",
            "connected_clients",
            "maxclients",
            "blocked_clients",
            "used_memory",
            "used_memory_human",
            "used_memory_rss",
            "used_memory_peak",
            "maxmemory",
            "maxmemory_policy",
            "mem_fragmentation_ratio",
            "mem_allocator",
            "loading",
            "rdb_changes_since_last_save",
            "rdb_bgsave_in_progress",
            "rdb_last_save_time",
            "rdb_last_bgsave_status",
            "aof_enabled",
            "total_connections_received",
            "total_commands_processed",
            "instantaneous_ops_per_sec",
            "total_net_input_bytes",
            "total_net_output_bytes",
            "rejected_connections",
            "expired_keys",
            "evicted_keys",
            "keyspace_hits",
            "keyspace_misses",
            "pubsub_channels",
            "total_error_replies",
            "role",
            "connected_slaves",
            "master_replid",
            "master_repl_offset",
            "repl_backlog_active",
            "used_cpu_sys",
            "used_cpu_user",
            "cluster_enabled",
        ] {
            assert!(info.get(name).is_some(), "INFO has no {name}");
        }
        assert_eq!(info.number("process_id"), i64::from(t.server.process().id()));
        assert_eq!(info.number("tcp_port"), i64::from(t.server.port()));
        assert_eq!((info.text("redis_mode"), info.text("role")), ("standalone", "master"));
        assert_eq!(info.text("run_id").len(), 40);
        if is_basalt() {
            assert!(["io_uring", "epoll"].contains(&info.text("io_backend")));
        }
    });
}

#[test]
fn info_counts_what_happens() {
    each(|t| {
        t.check("CONFIG RESETSTAT", OK);
        t.check("SET k v", OK);
        t.check("GET k", bulk("v"));
        t.check("GET k", bulk("v"));
        t.check("GET missing", NIL);
        t.check("GET", wrong_arity("get"));
        t.check("SET k v nonsense", SYNTAX);
        let stats = t.info("stats");
        assert_eq!((stats.number("keyspace_hits"), stats.number("keyspace_misses")), (2, 1));
        assert_eq!(stats.number("total_error_replies"), 2);
        assert!(stats.number("total_commands_processed") >= 5);
        assert_eq!(t.info("errorstats").text("errorstat_ERR"), "count=2");
        let commands = t.info("commandstats");
        let get = commands.text("cmdstat_get");
        assert!(get.starts_with("calls=3,usec="), "{get}");
        assert!(get.contains(",rejected_calls=1,failed_calls=0"), "{get}");
        let set = commands.text("cmdstat_set");
        assert!(set.starts_with("calls=2,") && set.contains("rejected_calls=0,failed_calls=1"));
    });
}

#[test]
fn info_counts_connections() {
    each(|t| {
        let mut others = [t.connect(), t.connect()];
        for other in &mut others {
            other.check("PING", "+PONG");
        }
        eventually("three connections", || t.info("clients").number("connected_clients") == 3);
        drop(others);
        eventually("one connection", || t.info("clients").number("connected_clients") == 1);
    });
}

#[test]
fn info_counts_memory() {
    each(|t| {
        // The buffers of the client before this one go with it.
        eventually("one connection", || t.info("clients").number("connected_clients") == 1);
        let before = t.info("memory").number("used_memory");
        let value = "x".repeat(4 << 20);
        t.check(["SET", "big", &value], OK);
        // Without a limit cores count their memory ten times a second.
        eventually("the value is counted", || {
            t.info("memory").number("used_memory") - before >= 4 << 20
        });
        t.check("DEL big", 1);
        eventually("memory comes back", || {
            t.info("memory").number("used_memory") < before + (2 << 20)
        });
    });
}

/// Symptom: a script that waits for TIME to move (redis-rs' tests have one) never ended. Cause: it
/// was told the time at which its turn began.
#[test]
fn time_goes_on_within_a_script() {
    each(|t| {
        let script = "local first = redis.call('TIME')[2] \
                      repeat local now = redis.call('TIME')[2] until now ~= first return 1";
        t.check(format!("EVAL \"{script}\" 0").as_str(), 1);
    });
}

#[test]
fn time_is_now() {
    each(|t| {
        let reply = t.call("TIME").texts();
        let seconds: u64 = reply[0].parse().expect("seconds");
        let microseconds: u64 = reply[1].parse().expect("microseconds");
        assert!(microseconds < 1_000_000);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        assert!(now.abs_diff(seconds) <= 5, "{seconds} is not about {now}");
        t.check("TIME x", wrong_arity("time"));
    });
}

#[test]
fn lolwut_is_text_that_ends_with_the_version() {
    each(|t| {
        for command in ["LOLWUT", "LOLWUT VERSION 1", "LOLWUT x", "LOLWUT VERSION 5 10 10 10"] {
            let reply = t.call(command);
            assert_eq!(matches!(reply, Reply::Verbatim(_)), t.resp() == Resp::Three);
            assert!(reply.text().contains(" ver. "), "{command}: {reply:?}");
        }
        t.check("LOLWUT VERSION x", "-ERR value is not an integer or out of range");
    });
}

#[test]
fn debug_sleep_stops_the_world() {
    each(|t| {
        let start = Instant::now();
        t.check("DEBUG SLEEP 0.15", OK);
        assert!(start.elapsed() >= Duration::from_millis(150));
        t.check("DEBUG SLEEP 0", OK);
    });
}

#[test]
fn debug_object_line() {
    each(|t| {
        t.check("SET object value", OK);
        if matches!(t.call("DEBUG OBJECT object"), Reply::Error(_)) {
            return support::skip("the server has no DEBUG OBJECT");
        }
        t.check("SET k value", OK);
        let line = t.text("DEBUG OBJECT k");
        let fields: Vec<&str> = line.split(' ').collect();
        assert_eq!(fields[0], "Value");
        assert!(fields[1].starts_with("at:0x"), "{line}");
        assert_eq!(fields[2..4], ["refcount:1", "encoding:embstr"]);
        assert!(fields[4].starts_with("serializedlength:"), "{line}");
        assert!(fields[5].starts_with("lru:") && fields[6].starts_with("lru_seconds_idle:"));
        t.check("DEBUG OBJECT missing", "-ERR no such key");
    });
}

#[test]
fn debug_for_test_suites() {
    each(|t| {
        t.check("DEBUG SET-ACTIVE-EXPIRE 0", OK);
        t.check("DEBUG SET-ACTIVE-EXPIRE 1", OK);
        if has_debug(t, "CHANGE-REPL-ID") {
            let old = t.info("replication").text("master_replid").to_owned();
            t.check("DEBUG CHANGE-REPL-ID", OK);
            assert_ne!(t.info("replication").text("master_replid"), old);
        }
        t.check("DEBUG ERROR oops", "-oops");
        t.check("DEBUG LOG marker", OK);
        t.check("DEBUG POPULATE 10", OK);
        t.check("DBSIZE", 10);
        t.check("GET key:9", bulk("value:9"));
        t.check("DEBUG POPULATE 2 name", OK);
        t.check("GET name:1", bulk("value:1"));
        t.check("DEBUG POPULATE 1 padded 10", OK);
        t.check("GET padded:0", bulk("value:0\0\0\0"));
        t.check("DEBUG", wrong_arity("debug"));
        for subcommand in ["nosuch", "SLEEP", "OBJECT", "SET-ACTIVE-EXPIRE", "POPULATE"] {
            t.check(["DEBUG", subcommand], unknown_debug(subcommand));
        }
        if !has_debug(t, "HELP") {
            return;
        }
        let help = t.call("DEBUG HELP").texts();
        assert_eq!(help[0], "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    });
}

#[test]
fn debug_digest_depends_on_content_only() {
    each(|t| {
        if !has_debug(t, "DIGEST") {
            return;
        }
        let empty = "0".repeat(40);
        t.check("DEBUG DIGEST", Expect::Line(format!("+{empty}")));
        t.check("MSET a 1 b 2 c 3", OK);
        let digest = t.text("DEBUG DIGEST");
        assert_ne!(digest, empty);
        t.check("FLUSHALL", OK);
        t.check("SET c 3", OK);
        t.check("MSET b 2 a 1", OK);
        assert_eq!(t.text("DEBUG DIGEST"), digest);
        t.check("SET a 2", OK);
        assert_ne!(t.text("DEBUG DIGEST"), digest);
    });
}

#[test]
fn debug_protocol_shows_every_type() {
    each(|t| {
        t.check("DEBUG PROTOCOL string", bulk("Hello World"));
        t.check("DEBUG PROTOCOL integer", 12_345);
        t.check("DEBUG PROTOCOL double", double("3.141"));
        t.check("DEBUG PROTOCOL null", NIL);
        t.check("DEBUG PROTOCOL array", [0, 1, 2]);
        t.check("DEBUG PROTOCOL set", set([0, 1, 2]));
        t.check("DEBUG PROTOCOL verbatim", verbatim("This is a verbatim\nstring"));
        let bignum = "1234567999999999999999999999999999999";
        if t.resp() == Resp::Three {
            t.check_bytes(b"DEBUG PROTOCOL map\r\n", b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n");
            t.check_bytes(b"DEBUG PROTOCOL true\r\n", b"#t\r\n");
            t.check_bytes(b"DEBUG PROTOCOL false\r\n", b"#f\r\n");
            t.check_bytes(b"DEBUG PROTOCOL bignum\r\n", format!("({bignum}\r\n").as_bytes());
            t.check_bytes(
                b"DEBUG PROTOCOL attrib\r\n",
                b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n\
                $39\r\nSome real reply following the attribute\r\n",
            );
            // Later versions hold pushes back until the reply of the command is out.
            t.send(b"DEBUG PROTOCOL push\r\n");
            let mut received = [t.read_bytes(), t.read_bytes()];
            received.sort();
            let reply = b"$40\r\nSome real reply following the push reply\r\n".to_vec();
            assert_eq!(received, [reply, b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n".to_vec()]);
        } else {
            t.check("DEBUG PROTOCOL map", [0, 0, 1, 1, 2, 0]);
            t.check("DEBUG PROTOCOL true", 1);
            t.check("DEBUG PROTOCOL false", 0);
            t.check("DEBUG PROTOCOL bignum", bulk(bignum));
            t.check("DEBUG PROTOCOL attrib", bulk("Some real reply following the attribute"));
            t.check("DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command");
        }
        t.check(
            "DEBUG PROTOCOL nosuch",
            "-ERR Wrong protocol type name. Please use one of the following: string|integer|double|\
            bignum|null|array|set|map|attrib|push|verbatim|true|false",
        );
    });
}

#[test]
fn debug_is_refused_unless_enabled() {
    each_with(&["--enable-debug-command", "no"], |t| {
        t.check(
            "DEBUG SLEEP 0",
            "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \
            \"local\", you can run it from a local connection, otherwise you need to set this \
            option in the configuration file, and then restart the server.",
        );
    });
}

#[test]
fn role_of_a_lone_server() {
    each(|t| {
        let replication = t.info("replication");
        assert_eq!(replication.text("role"), "master");
        assert_eq!(replication.number("connected_slaves"), 0);
    });
}

fn assert_shutdown(t: &mut Test, command: &str) {
    t.send_command(command);
    assert_eq!(t.read_until_closed(), b"", "{command}");
    let status = t.server.process().wait_for_exit();
    assert_eq!(status.code(), Some(0), "{command}");
    t.server.wait_for_log("ready to exit, bye bye");
}

#[test]
fn shutdown() {
    each_with(&[], |t| assert_shutdown(t, "SHUTDOWN"));
}

#[test]
fn shutdown_nosave_now_force() {
    each_with(&[], |t| assert_shutdown(t, "SHUTDOWN NOSAVE NOW FORCE"));
}

#[test]
fn shutdown_hangs_up_on_everyone() {
    each_with(&[], |t| {
        let mut other = t.connect();
        other.check("SET k v", OK);
        assert_shutdown(t, "shutdown nosave");
        assert_eq!(other.read_until_closed(), b"");
    });
}

#[test]
fn shutdown_errors() {
    each(|t| {
        t.check("SHUTDOWN x", SYNTAX);
        t.check("SHUTDOWN SAVE NOSAVE", SYNTAX);
        t.check("SHUTDOWN ABORT NOW", SYNTAX);
        t.check("SHUTDOWN ABORT", "-ERR No shutdown in progress.");
    });
}
