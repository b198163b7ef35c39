//! CONFIG at run time: reading, changing, rewriting, resetting. Files are in `config_file.rs`.

mod support;

use std::collections::BTreeMap;

use support::{Expect, OK, Test, bulk, each, map};

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

fn refused(name: &str, reason: &str) -> Expect {
    format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}").into()
}

/// CONFIG GET as a table; the order of directives is nobody's contract.
fn config(t: &mut Test, command: &str) -> BTreeMap<String, String> {
    t.call(command).pairs().iter().map(|(name, value)| (name.text(), value.text())).collect()
}

#[test]
fn get_by_name_and_pattern() {
    each(|t| {
        t.check("CONFIG GET maxmemory-policy", map([("maxmemory-policy", bulk("noeviction"))]));
        // A name without wildcards comes back as it was asked for.
        t.check("CONFIG GET MaxMemory-Policy", map([("MaxMemory-Policy", bulk("noeviction"))]));
        t.check("CONFIG GET nosuch", map([]));
        let two = config(t, "CONFIG GET port timeout");
        assert_eq!(two.len(), 2);
        assert_eq!(two["port"], t.server.port().to_string());
        let matching = config(t, "CONFIG GET maxmemory* hz");
        for name in ["maxmemory", "maxmemory-policy", "maxmemory-samples", "hz"] {
            assert!(matching.contains_key(name), "{name} in {matching:?}");
        }
        let once = config(t, "CONFIG GET port p?rt");
        assert_eq!(once.len(), 1);
        t.check("CONFIG GET", wrong_arity("config|get"));
    });
}

/// What operators and test suites read, with the defaults of Redis.
#[test]
fn directives_tools_depend_on_have_their_defaults() {
    each(|t| {
        let all = config(t, "CONFIG GET *");
        for (name, value) in [
            ("appendonly", "no"),
            ("client-query-buffer-limit", "1073741824"),
            ("cluster-enabled", "no"),
            ("databases", "16"),
            ("dbfilename", "dump.rdb"),
            ("hash-max-listpack-entries", "512"),
            ("hash-max-ziplist-entries", "512"),
            ("lfu-decay-time", "1"),
            ("lfu-log-factor", "10"),
            ("lua-time-limit", "5000"),
            ("maxmemory", "0"),
            ("maxmemory-policy", "noeviction"),
            ("notify-keyspace-events", ""),
            ("proto-max-bulk-len", "536870912"),
            ("protected-mode", "yes"),
            ("replica-read-only", "yes"),
            ("requirepass", ""),
            ("save", ""),
            ("slave-read-only", "yes"),
            ("slowlog-log-slower-than", "10000"),
            ("slowlog-max-len", "128"),
            ("tcp-backlog", "511"),
            ("tcp-keepalive", "300"),
            ("timeout", "0"),
        ] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
    });
}

#[test]
fn set_and_read_back() {
    each(|t| {
        for (name, value, shown) in [
            ("timeout", "300", "300"),
            ("maxmemory", "100mb", "104857600"),
            ("maxmemory", "1k", "1000"),
            ("maxmemory", "1kb", "1024"),
            ("maxmemory", "2GB", "2147483648"),
            ("maxmemory-policy", "allkeys-lru", "allkeys-lru"),
            ("maxmemory-policy", "VOLATILE-TTL", "volatile-ttl"),
            ("slowlog-max-len", "64", "64"),
            ("lazyfree-lazy-expire", "YES", "yes"),
            ("notify-keyspace-events", "KEA", "AKE"),
            ("notify-keyspace-events", "Kg$", "g$K"),
            ("client-output-buffer-limit", "normal 1mb 2mb 3", ""),
            ("save", "60 1000 300 10", "60 1000 300 10"),
            ("loglevel", "warning", "warning"),
        ] {
            if !t.builds(name, value) {
                continue;
            }
            let old = t.call(["CONFIG", "GET", name]).field(name).expect("a directive").text();
            t.check(["CONFIG", "SET", name, value], OK);
            if !shown.is_empty() {
                t.check(["CONFIG", "GET", name], map([(name, bulk(shown))]));
            }
            t.check(["CONFIG", "SET", name, &old], OK);
        }
    });
}

#[test]
fn output_buffer_limits_change_class_by_class() {
    each(|t| {
        let name = "client-output-buffer-limit";
        let old = t.call(["CONFIG", "GET", name]).field(name).expect("a directive").text();
        assert_eq!(old, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
        t.check(["CONFIG", "SET", name, "normal 1mb 2mb 3 replica 0 0 0"], OK);
        let expected = "normal 1048576 2097152 3 slave 0 0 0 pubsub 33554432 8388608 60";
        t.check(["CONFIG", "GET", name], map([(name, bulk(expected))]));
        t.check(["CONFIG", "SET", name, &old], OK);
        t.check(
            ["CONFIG", "SET", name, "foo 0 0 0"],
            refused(name, "Invalid client class specified in buffer limit configuration."),
        );
    });
}

#[test]
fn set_several_at_once_or_none() {
    each(|t| {
        t.check("CONFIG SET timeout 7 slowlog-max-len 9", OK);
        let both = config(t, "CONFIG GET timeout slowlog-max-len");
        assert_eq!((both["timeout"].as_str(), both["slowlog-max-len"].as_str()), ("7", "9"));
        t.check(
            "CONFIG SET timeout 8 maxmemory-policy nosuch",
            refused(
                "maxmemory-policy",
                "argument(s) must be one of the following: volatile-lru, volatile-lfu, \
                    volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, \
                    noeviction, volatile-lrm, allkeys-lrm",
            ),
        );
        t.check("CONFIG GET timeout", map([("timeout", bulk("7"))]));
        t.check("CONFIG SET timeout 0 slowlog-max-len 128", OK);
    });
}

#[test]
fn aliases_name_the_same_directive() {
    each(|t| {
        t.check("CONFIG SET hash-max-ziplist-entries 77", OK);
        t.check(
            "CONFIG GET hash-max-listpack-entries",
            map([("hash-max-listpack-entries", bulk("77"))]),
        );
        t.check("CONFIG SET hash-max-listpack-entries 512", OK);
    });
}

#[test]
fn set_errors() {
    each(|t| {
        t.check("CONFIG SET", wrong_arity("config|set"));
        t.check("CONFIG SET timeout", wrong_arity("config|set"));
        t.check("CONFIG SET timeout 1 hz", "-ERR syntax error");
        let unknown = "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'";
        t.check("CONFIG SET nosuch 1", unknown);
        t.check("CONFIG SET timeout 1 nosuch 1", unknown);
        let integer = "argument couldn't be parsed into an integer";
        t.check("CONFIG SET timeout x", refused("timeout", integer));
        let range = "argument must be between 0 and 2147483647 inclusive";
        t.check("CONFIG SET timeout -1", refused("timeout", range));
        t.check("CONFIG SET maxmemory x", refused("maxmemory", "argument must be a memory value"));
        t.check("CONFIG SET appendonly x", refused("appendonly", "argument must be 'yes' or 'no'"));
        t.check("CONFIG SET timeout 1 timeout 2", refused("timeout", "duplicate parameter"));
        let immutable = "can't set immutable config";
        t.check("CONFIG SET databases 4", refused("databases", immutable));
        t.check("CONFIG SET daemonize yes", refused("daemonize", immutable));
        let limits = "argument must be between 1048576 and 9223372036854775807 inclusive";
        t.check("CONFIG SET proto-max-bulk-len 1", refused("proto-max-bulk-len", limits));
        t.check("CONFIG SET save x", refused("save", "Invalid save parameters"));
        t.check("CONFIG SET save '10 x'", refused("save", "Invalid save parameters"));
        t.check("CONFIG GET timeout", map([("timeout", bulk("0"))]));
    });
}

#[test]
fn rewrite_needs_a_file() {
    each(|t| {
        t.check("CONFIG REWRITE", "-ERR The server is running without a config file");
        t.check("CONFIG REWRITE x", wrong_arity("config|rewrite"));
    });
}

#[test]
fn resetstat_clears_the_counters() {
    each(|t| {
        t.check("GET missing", Expect::Nil);
        t.check("nosuch", "-ERR unknown command 'nosuch', with args beginning with: ");
        t.check("CONFIG RESETSTAT", OK);
        let stats = t.info("stats");
        assert_eq!(stats.number("keyspace_misses"), 0);
        assert_eq!(stats.number("total_error_replies"), 0);
        assert!(stats.number("total_commands_processed") <= 1);
        assert_eq!(t.info("errorstats").names().len(), 0);
        t.check("CONFIG RESETSTAT x", wrong_arity("config|resetstat"));
    });
}

#[test]
fn changes_reach_every_connection() {
    each(|t| {
        let mut others: Vec<_> = (0..16).map(|_| t.connect()).collect();
        t.check("CONFIG SET slowlog-max-len 33", OK);
        for other in &mut others {
            other.check("CONFIG GET slowlog-max-len", map([("slowlog-max-len", bulk("33"))]));
        }
        t.check("CONFIG SET slowlog-max-len 128", OK);
    });
}

#[test]
fn help() {
    each(|t| {
        // The last line was reworded between versions.
        let help = t.call("CONFIG HELP").texts();
        assert_eq!(help[0], "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        for subcommand in ["GET", "SET", "RESETSTAT", "REWRITE", "HELP"] {
            assert!(help.iter().any(|line| line.starts_with(subcommand)), "{subcommand}: {help:?}");
        }
    });
}
