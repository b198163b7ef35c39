//! Where `OOM` is answered and where it is not.

use basalt::memory::used_bytes_of_this_thread;
use basalt_shard::settings::{MaxmemoryPolicy, Settings};

use crate::support::{seed, settings};
use crate::{CORE_COUNTS, Limited};

const REFUSAL: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

#[test]
fn without_a_policy_writes_are_refused_on_every_way_and_reads_are_served() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::NoEviction, 1 << 20);
        for number in 0..20 {
            server.run(number, &format!("SET k{number} v"));
        }
        server.set_limit(1);
        for number in 0..20 {
            assert_eq!(server.run(number, &format!("SET k{number} w")), REFUSAL);
            assert_eq!(server.run(0, &format!("APPEND k{number} w")), REFUSAL);
            assert_eq!(server.run(0, &format!("GET k{number}")), "$1\r\nv\r\n");
        }
        // Slots of several cores.
        assert_eq!(server.run(0, "MSET a 1 b 2 c 3 d 4"), REFUSAL);
        assert_eq!(server.run(0, "SINTERSTORE x k0 k1"), REFUSAL);
        assert_eq!(server.run(0, "EXPIRE k0 100"), ":1\r\n");
        assert_eq!(server.run(0, "DEL k0 k1 k2 k3"), ":4\r\n");
        server.set_limit(0);
        assert_eq!(server.run(0, "MSET a 1 b 2 c 3 d 4"), "+OK\r\n");
        assert_eq!(server.evicted(), 0);
        let refused: u64 = (0..usize::from(core_count))
            .map(|core| server.cluster.core(core).stats.errors.get("OOM").copied().unwrap_or(0))
            .sum();
        assert_eq!(refused, 42);
    }
}

#[test]
fn memory_that_fills_while_a_command_is_under_way_refuses_it_where_it_runs() {
    for core_count in [2, 8] {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::NoEviction, 400_000);
        let client = server.clients[0];
        let value = vec![b'x'; 10_000];
        for number in 0..300 {
            let name = format!("key{number}").into_bytes();
            server.cluster.send(client, vec![b"SET".to_vec(), name, value.clone()]);
        }
        server.cluster.run_until_idle();
        let replies = String::from_utf8(server.cluster.take_replies(client)).expect("text");
        assert_eq!(replies.matches("+OK").count() + replies.matches(REFUSAL).count(), 300);
        assert!(replies.matches("+OK").count() < 60, "{} cores", core_count);
        assert_eq!(server.integer("DBSIZE"), replies.matches("+OK").count() as i64);
    }
}

#[test]
fn what_cannot_be_evicted_refuses_writes_until_something_can() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::VolatileLru, 1 << 20);
        let value = "x".repeat(40_000);
        for number in 0..10 {
            assert_eq!(server.run(number, &format!("SET k{number} {value}")), "+OK\r\n");
        }
        server.set_limit(used_bytes_of_this_thread() - 200_000);
        // Cores that do not know yet that they have nothing are asked before anybody is refused.
        for _ in 0..3 {
            server.run(0, "SET other v");
        }
        for number in 0..10 {
            assert_eq!(server.run(number, "SET other v"), REFUSAL, "{core_count} cores");
        }
        for number in 0..8 {
            assert_eq!(server.run(number, &format!("EXPIRE k{number} 1000")), ":1\r\n");
        }
        assert_eq!(server.run(1, "SET other v"), "+OK\r\n", "{core_count} cores");
        assert!(server.count("k", 8) < 8);
        assert_eq!(server.integer("EXISTS k8 k9"), 2);
    }
}

#[test]
fn the_limit_holds_under_load_whatever_the_interleaving() {
    let seed = seed();
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, seed, MaxmemoryPolicy::AllKeysLru, 4 << 20);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut peak: f64 = -1.0;
        for _ in 0..400 {
            for client in server.clients.clone() {
                let word = |random: &mut fastrand::Rng| format!("key{}", random.u32(..20_000));
                let value = vec![b'x'; random.usize(10..2000)];
                let mut request = vec![b"SET".to_vec(), word(&mut random).into(), value.clone()];
                if random.u8(..4) == 0 {
                    request[0] = b"MSET".to_vec();
                    request.extend([word(&mut random).into_bytes(), value]);
                }
                server.cluster.send(client, request);
            }
            for _ in 0..20 {
                server.cluster.step();
                peak = peak.max(server.excess());
            }
        }
        server.cluster.run_until_idle();
        for client in server.clients.clone() {
            server.cluster.take_replies(client);
        }
        let message = format!("{core_count} cores, seed {seed}");
        assert!(peak < 0.01, "{:.2} % over the limit; {message}", peak * 100.0);
        let counted = server.integer("DBSIZE");
        let keys = server.run(0, "KEYS *").lines().filter(|line| line.starts_with("key")).count();
        assert_eq!(counted, keys as i64, "{message}");
    }
}

#[test]
fn big_values_that_wait_to_be_freed_make_no_room_twice() {
    let settings = Settings {
        maxmemory_policy: MaxmemoryPolicy::AllKeysRandom,
        lazyfree_lazy_eviction: true,
        ..settings()
    };
    let mut server = Limited::with_settings(1, 7, settings, 3 << 20);
    let value = "x".repeat(200_000);
    for number in 0..40 {
        assert_eq!(server.run(0, &format!("SET k{number} {value}")), "+OK\r\n");
    }
    let left = server.integer("DBSIZE");
    assert!((8..=15).contains(&left), "{left} keys are left");
    assert!(server.cluster.core(0).store.stats.lazy_freed > 20);
}

/// Clients above `maxmemory-clients` are ended when their core next ends a turn. Until then memory
/// was over the limit, and any core that ran a command evicted keys to make room for what was about
/// to be free. What such clients hold now counts as free, unless they may not be ended.
#[test]
fn keys_do_not_go_for_clients_that_are_about_to() {
    for core_count in CORE_COUNTS {
        let settings = Settings {
            maxmemory_policy: MaxmemoryPolicy::AllKeysLru,
            maxmemory_clients_bytes: 200_000,
            ..settings()
        };
        let mut server = Limited::with_settings(core_count, 7, settings, 1 << 30);
        for number in 0..40 {
            server.run(number, &format!("SET k{number} {}", "x".repeat(20_000)));
        }
        let last = usize::from(core_count) - 1;
        let heavy = server.cluster.connect(last);
        server.cluster.execute_in_turns(heavy, "MULTI");
        let held = format!("SET held {}", "x".repeat(3 << 20));
        assert_eq!(server.cluster.execute_in_turns(heavy, &held), b"+QUEUED\r\n");
        weigh(&mut server, last, false);
        server.set_limit(used_bytes_of_this_thread() - (1 << 20));
        for number in 0..40 {
            assert_eq!(server.run(number, &format!("STRLEN k{number}")), ":20000\r\n");
            assert_eq!(server.run(number, "SET short v"), "+OK\r\n");
        }
        assert_eq!(server.evicted(), 0, "{core_count} cores");
        weigh(&mut server, last, true);
        server.run(0, "SET short v");
        assert!(server.evicted() > 0, "{core_count} cores");
    }
}

/// Weighs the clients of a core, as the server does at the end of a turn, after it was said whether
/// they must stay.
fn weigh(server: &mut Limited, core: usize, no_evict: bool) {
    let core = server.cluster.core(core);
    let ids: Vec<_> = core.sessions().map(|(id, _)| id).collect();
    for id in ids {
        core.session_mut(id).expect("it is open").no_evict = no_evict;
        core.weigh(id);
    }
}
