//! Which keys go under each policy.

use basalt_shard::settings::MaxmemoryPolicy;

use crate::{CORE_COUNTS, Limited};

const VALUE_BYTES: usize = 1000;

/// Sets `name0` to `name(count - 1)`, with an expiry if one is given.
fn fill(server: &mut Limited, name: &str, count: usize, expiry: &str) {
    let value = "x".repeat(VALUE_BYTES);
    for number in 0..count {
        let line = format!("SET {name}{number} {value} {expiry}");
        assert_eq!(server.run(number, &line), "+OK\r\n", "{name}{number}");
    }
}

/// Lets the limit fall so far that about `share` of `count` keys has to go.
fn squeeze(server: &mut Limited, count: usize, share: f64) {
    let bytes = (count * (VALUE_BYTES + 60)) as f64 * share;
    server.set_limit(crate::used_bytes_of_this_thread() - bytes as u64);
    for client in 0..50 {
        server.run(client, "PING");
        server.cluster.advance_ms(20);
    }
}

#[test]
fn every_policy_for_all_keys_makes_room() {
    use MaxmemoryPolicy::*;
    for policy in [AllKeysLru, AllKeysLfu, AllKeysLrm, AllKeysRandom] {
        for core_count in CORE_COUNTS {
            let mut server = Limited::new(core_count, 7, policy, 500_000);
            fill(&mut server, "k", 2000, "");
            assert!(server.excess() < 0.01, "{policy:?}, {core_count} cores");
            assert!(server.evicted() > 1000, "{policy:?}, {core_count} cores");
            assert!(server.count("k", 2000) > 200, "{policy:?}, {core_count} cores");
        }
    }
}

#[test]
fn volatile_policies_take_keys_with_an_expiry_only() {
    use MaxmemoryPolicy::*;
    for policy in [VolatileLru, VolatileLfu, VolatileLrm, VolatileRandom, VolatileTtl] {
        for core_count in CORE_COUNTS {
            let mut server = Limited::new(core_count, 7, policy, 500_000);
            fill(&mut server, "stays", 100, "");
            fill(&mut server, "goes", 1000, "EX 1000");
            assert!(server.excess() < 0.01, "{policy:?}, {core_count} cores");
            assert_eq!(server.count("stays", 100), 100, "{policy:?}, {core_count} cores");
            assert!(server.evicted() > 500, "{policy:?}, {core_count} cores");
        }
    }
}

#[test]
fn what_was_used_lately_stays_under_lru() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::AllKeysLru, 2 << 20);
        fill(&mut server, "old", 500, "");
        fill(&mut server, "used", 500, "");
        server.cluster.advance_ms(60_000);
        for number in 0..500 {
            server.run(number, &format!("GET used{number}"));
        }
        squeeze(&mut server, 1000, 0.25);
        let (old, used) = (server.count("old", 500), server.count("used", 500));
        assert!(old < 300 && used >= 495, "{core_count} cores: {old} old, {used} used");
    }
}

#[test]
fn only_changes_save_a_key_under_lrm() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::AllKeysLrm, 2 << 20);
        fill(&mut server, "read", 500, "");
        fill(&mut server, "changed", 500, "");
        server.cluster.advance_ms(60_000);
        for number in 0..500 {
            server.run(number, &format!("GET read{number}"));
            server.run(number, &format!("APPEND changed{number} x"));
        }
        assert_eq!(server.run(0, "OBJECT IDLETIME read1"), ":60\r\n");
        assert_eq!(server.run(0, "OBJECT IDLETIME changed1"), ":0\r\n");
        squeeze(&mut server, 1000, 0.25);
        let (read, changed) = (server.count("read", 500), server.count("changed", 500));
        assert!(read < 300 && changed >= 495, "{core_count} cores: {read}, {changed}");
    }
}

#[test]
fn what_is_used_often_stays_under_lfu_though_not_used_lately() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::AllKeysLfu, 2 << 20);
        fill(&mut server, "often", 300, "");
        for round in 0..30 {
            for number in 0..300 {
                server.run(number + round, &format!("GET often{number}"));
            }
        }
        server.cluster.advance_ms(5_000);
        fill(&mut server, "once", 700, "");
        squeeze(&mut server, 1000, 0.4);
        let (often, once) = (server.count("often", 300), server.count("once", 700));
        assert!(often >= 297 && once < 350, "{core_count} cores: {often} often, {once} once");
    }
}

#[test]
fn the_next_to_expire_goes_first_under_volatile_ttl() {
    for core_count in CORE_COUNTS {
        let mut server = Limited::new(core_count, 7, MaxmemoryPolicy::VolatileTtl, 2 << 20);
        fill(&mut server, "late", 500, "EX 9000");
        fill(&mut server, "soon", 500, "EX 5000");
        squeeze(&mut server, 1000, 0.3);
        let (late, soon) = (server.count("late", 500), server.count("soon", 500));
        assert!(late >= 495 && soon < 250, "{core_count} cores: {late} late, {soon} soon");
    }
}

#[test]
fn object_tells_what_the_policy_records() {
    let refusal = |what: &str, record: &str| {
        format!(
            "-ERR An LFU maxmemory policy is {what}selected, {record} not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.\r\n"
        )
    };
    use MaxmemoryPolicy::*;
    for policy in [NoEviction, AllKeysLru, VolatileLrm, VolatileTtl, AllKeysRandom] {
        let mut server = Limited::new(2, 7, policy, 1 << 20);
        server.run(0, "SET k v");
        server.cluster.advance_ms(7_000);
        assert_eq!(server.run(0, "OBJECT IDLETIME k"), ":7\r\n", "{policy:?}");
        assert_eq!(server.run(0, "OBJECT FREQ k"), refusal("not ", "access frequency"));
        assert_eq!(server.run(0, "OBJECT FREQ none"), "$-1\r\n");
    }
    for policy in [AllKeysLfu, VolatileLfu] {
        let mut server = Limited::new(2, 7, policy, 1 << 20);
        server.run(0, "SET k v");
        assert_eq!(server.run(0, "OBJECT FREQ k"), ":5\r\n", "{policy:?}");
        server.cluster.advance_ms(120_000);
        assert_eq!(server.run(0, "OBJECT FREQ k"), ":3\r\n", "{policy:?}");
        assert_eq!(server.run(0, "OBJECT IDLETIME k"), refusal("", "idle time"));
        assert_eq!(server.run(0, "OBJECT IDLETIME none"), "$-1\r\n");
    }
}
