//! What the server tells of its memory, and how it keeps it within a limit over real sockets.

mod support;

use support::{OK, Test, bulk, each, each_with, eventually};

/// Sets `count` keys of `bytes` each, named by number.
fn fill(t: &mut Test, name: &str, count: usize, bytes: usize) {
    let value = "x".repeat(bytes);
    for number in 0..count {
        t.check(["SET", &format!("{name}{number}"), &value], OK);
    }
}

#[test]
fn used_memory_follows_the_data() {
    each(|t| {
        // The buffers of the client before this one go with it.
        eventually("one connection", || t.info("clients").number("connected_clients") == 1);
        let before = t.info("memory").number("used_memory");
        fill(t, "k", 300, 10_000);
        let mut full = before;
        // Without a limit cores count their memory ten times a second.
        eventually("the values are counted", || {
            full = t.info("memory").number("used_memory");
            (2_500_000..5_000_000).contains(&(full - before))
        });
        t.check("FLUSHALL SYNC", OK);
        eventually("the memory is given back", || {
            t.info("memory").number("used_memory") < before + 500_000
        });
        let fields = t.info("memory");
        assert!(fields.number("used_memory_peak") >= full);
        // The allocator's own figure has in it what lies in the caches of threads.
        let (used, allocated) =
            (fields.number("used_memory"), fields.number("allocator_allocated"));
        assert!(used.abs_diff(allocated) < 16 << 20, "{used} of {allocated}");
    });
}

#[test]
fn peaks_stay_near_the_limit_under_every_policy() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-lrm", "allkeys-random"] {
        each_with(&["--maxmemory-policy", policy], |t| {
            let limit = t.info("memory").number("used_memory") + (3 << 20);
            t.check(["CONFIG", "SET", "maxmemory", &limit.to_string()], OK);
            fill(t, "k", 1000, 10_000);
            let used = t.info("memory").number("used_memory");
            assert!(used < limit + limit / 100, "{policy}: {used} over {limit}");
            let stats = t.info("stats");
            assert!(stats.number("evicted_keys") > 500, "{policy}");
            assert!(t.integer("DBSIZE") > 100, "{policy}");
            t.check("CONFIG SET maxmemory 0", OK);
        });
    }
}

#[test]
fn a_limit_that_falls_is_reached_without_further_commands() {
    each_with(&["--maxmemory-policy", "allkeys-lru"], |t| {
        fill(t, "k", 500, 10_000);
        let limit = t.info("memory").number("used_memory") - 3_000_000;
        t.check(["CONFIG", "SET", "maxmemory", &limit.to_string()], OK);
        eventually("enough is evicted", || t.info("memory").number("used_memory") <= limit);
        assert!(t.integer("DBSIZE") < 300);
        // Each core finds out by itself.
        eventually("the limit is kept everywhere", || {
            t.info("stats").number("current_eviction_exceeded_time") == 0
        });
        t.check("CONFIG SET maxmemory 0", OK);
    });
}

#[test]
fn keys_without_expiry_outlive_volatile_policies() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        each_with(&["--maxmemory-policy", policy], |t| {
            fill(t, "stays", 50, 10_000);
            let limit = t.info("memory").number("used_memory") + (2 << 20);
            t.check(["CONFIG", "SET", "maxmemory", &limit.to_string()], OK);
            let value = "x".repeat(10_000);
            for number in 0..400 {
                t.check(["SET", &format!("goes{number}"), &value, "EX", "1000"], OK);
            }
            for number in 0..50 {
                t.check(["EXISTS", &format!("stays{number}")], 1);
            }
            assert!(t.info("stats").number("evicted_keys") > 100, "{policy}");
            t.check("CONFIG SET maxmemory 0", OK);
        });
    }
}

#[test]
fn info_tells_the_average_time_to_live() {
    each(|t| {
        fill(t, "stays", 10, 10);
        for number in 0..100 {
            t.check(["SET", &format!("goes{number}"), "v", "PX", "100000"], OK);
        }
        let line = t.info("keyspace").text("db0").to_owned();
        let ttl = line.split(',').find_map(|field| field.strip_prefix("avg_ttl="));
        let ttl: u64 = ttl.expect("the field is there").parse().expect("a number");
        assert!((60_000..=100_000).contains(&ttl), "{line}");
    });
}

#[test]
fn memory_stats_add_up() {
    each(|t| {
        fill(t, "k", 1000, 100);
        t.check("SELECT 3", OK);
        t.check("SET other v", OK);
        let reply = t.call("MEMORY STATS");
        let number =
            |name: &str| reply.field(name).unwrap_or_else(|| panic!("no field {name}")).integer();
        assert_eq!(number("keys.count"), 1001);
        assert!(number("dataset.bytes") > 100_000);
        let parts = number("dataset.bytes") + number("overhead.total");
        assert_eq!(parts, number("total.allocated"));
        assert!(number("peak.allocated") >= number("total.allocated"));
        assert!(reply.field("db.0").is_some() && reply.field("db.3").is_some());
        assert!(reply.field("db.1").is_none());
        assert!(t.text("MEMORY DOCTOR").contains("too little data"));
        t.check("SELECT 0", OK);
    });
}

#[test]
fn big_values_are_freed_in_the_background_where_that_is_asked_for() {
    for (directive, command) in [
        ("lazyfree-lazy-user-del", "DEL big"),
        ("lazyfree-lazy-server-del", "SET big small"),
        ("lazyfree-lazy-expire", "PEXPIRE big -1"),
    ] {
        each(|t| {
            let big = "x".repeat(1_000_000);
            for (setting, freed) in [("no", 0), ("yes", 1)] {
                t.check(["CONFIG", "SET", directive, setting], OK);
                t.check("CONFIG RESETSTAT", OK);
                t.check(["SET", "big", &big], OK);
                t.call(command);
                let count = t.info("memory").number("lazyfreed_objects");
                assert_eq!(count, freed, "{directive} {setting}");
            }
            t.check(["CONFIG", "SET", directive, "no"], OK);
        });
    }
}

#[test]
fn policies_have_their_names() {
    each(|t| {
        for policy in ["volatile-lrm", "allkeys-lrm", "volatile-ttl", "noeviction"] {
            t.check(["CONFIG", "SET", "maxmemory-policy", policy], OK);
            assert_eq!(t.info("memory").text("maxmemory_policy"), policy);
            t.check("SET k v", OK);
            // A second may have begun in between.
            assert!(t.integer("OBJECT IDLETIME k") < 10);
            t.check("GET k", bulk("v"));
        }
        let refusal = t.call("CONFIG SET maxmemory-policy oldest");
        assert!(refusal.error().starts_with("ERR CONFIG SET failed"), "{refusal:?}");
    });
}

/// Far more than have room in 100 KB, however little each takes.
const SMALL_KEYS_MAX: usize = 30_000;

/// As in the test suite of Redis: a limit with 100 KB of room, and small keys.
#[test]
fn a_narrow_limit_is_honoured_to_a_few_kilobytes() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        each(|t| {
            t.check(["CONFIG", "SET", "maxmemory-policy", policy], OK);
            let limit = t.info("memory").number("used_memory") + 100 * 1024;
            t.check(["CONFIG", "SET", "maxmemory", &limit.to_string()], OK);
            let evicted = |t: &mut Test| t.info("stats").number("evicted_keys");
            let evicted_before = evicted(t);
            // Room that is still being freed comes on top of the limit's.
            let mut keys = 0..SMALL_KEYS_MAX;
            while evicted(t) == evicted_before {
                for _ in 0..50 {
                    let some = keys.by_ref().take(10);
                    let command = |number: usize| format!("SETEX key{number} 10000 x");
                    let replies = t.pipeline(some.map(command).collect::<Vec<_>>());
                    assert!(replies.iter().all(|reply| reply.text() == "OK"), "{policy}");
                }
                assert!(!keys.is_empty(), "{policy}: nothing is evicted");
            }
            let used = t.info("memory").number("used_memory");
            assert!(used < limit + 4096, "{policy}: {used} over {limit}");
            t.check("CONFIG SET maxmemory 0", OK);
            t.check("CONFIG SET maxmemory-policy noeviction", OK);
        });
    }
}

#[test]
fn a_limit_that_was_passed_and_taken_away_evicts_nothing() {
    each(|t| {
        fill(t, "k", 30, 100);
        t.check("CONFIG SET maxmemory 1", OK);
        t.check("SET k0 v", "-OOM command not allowed when used memory > 'maxmemory'.");
        t.check("CONFIG SET maxmemory 0 maxmemory-policy allkeys-lru", OK);
        let cycles = t.info("stats").number("eventloop_cycles");
        eventually("cores have turned", || {
            let now = t.info("stats").number("eventloop_cycles");
            now > cycles + 100
        });
        assert_eq!(t.integer("DBSIZE"), 30);
        assert_eq!(t.info("stats").number("evicted_keys"), 0);
        t.check("CONFIG SET maxmemory-policy noeviction", OK);
    });
}
