//! SCAN: options, errors, and its one promise.
//!
//! *Every key present from the start to the end of a full iteration is returned*, whatever else is
//! inserted, deleted, or, in Basalt, moved between cores meanwhile. Duplicates are allowed,
//! inventions are not: what is returned must have existed during the iteration.

mod support;

use std::collections::{BTreeSet, HashSet};

use support::{OK, Seeded, Test, each, each_core_count, is_basalt};

const SYNTAX: &str = "-ERR syntax error";
const BAD_CURSOR: &str = "-ERR invalid cursor";

/// One call: the next cursor and the keys.
fn scan_once(t: &mut Test, cursor: &str, options: &str) -> (String, Vec<String>) {
    let reply = t.call(format!("SCAN {cursor} {options}"));
    let [next, keys] = reply.elements() else { panic!("two elements, not {reply:?}") };
    (next.text(), keys.texts())
}

/// A full iteration; `between` runs after every call. Panics when it does not end.
fn scan_all(t: &mut Test, options: &str, mut between: impl FnMut(&mut Test)) -> Vec<String> {
    const CALL_COUNT_MAX: usize = 100_000;
    let mut cursor = String::from("0");
    let mut all = Vec::new();
    for _ in 0..CALL_COUNT_MAX {
        let (next, keys) = scan_once(t, &cursor, options);
        all.extend(keys);
        if next == "0" {
            return all;
        }
        cursor = next;
        between(t);
    }
    panic!("SCAN did not come to an end");
}

fn store_keys(t: &mut Test, prefix: &str, count: usize) {
    t.pipeline((0..count).map(|number| format!("SET {prefix}:{number} v")));
}

fn assert_complete(found: &[String], prefix: &str, count: usize) {
    let found: HashSet<&str> = found.iter().map(String::as_str).collect();
    let missing: Vec<String> = (0..count)
        .map(|number| format!("{prefix}:{number}"))
        .filter(|key| !found.contains(key.as_str()))
        .collect();
    assert!(missing.is_empty(), "{} keys lost, such as {}", missing.len(), missing[0]);
}

#[test]
fn an_empty_database_ends_at_once() {
    each(|t| {
        assert_eq!(scan_once(t, "0", ""), ("0".to_owned(), Vec::new()));
    });
}

#[test]
fn every_count_gives_every_key_once() {
    each(|t| {
        store_keys(t, "key", 400);
        for options in ["", "COUNT 1", "COUNT 7", "COUNT 100", "COUNT 1000000"] {
            let mut keys = scan_all(t, options, |_| {});
            keys.sort();
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "nothing changed meanwhile");
            assert_complete(&keys, "key", 400);
            assert_eq!(keys.len(), 400);
        }
    });
}

#[test]
fn one_call_goes_on_over_all_cores() {
    each(|t| {
        store_keys(t, "key", 40);
        let (next, keys) = scan_once(t, "0", "COUNT 10000");
        assert_eq!((next.as_str(), keys.len()), ("0", 40));
    });
}

#[test]
fn cursors_are_plain_numbers() {
    each(|t| {
        store_keys(t, "key", 500);
        let mut cursors = HashSet::new();
        let mut cursor = String::from("0");
        loop {
            assert!(cursors.insert(cursor.clone()), "cursor {cursor} came twice");
            let (next, _) = scan_once(t, &cursor, "COUNT 10");
            assert!(next.parse::<u64>().is_ok(), "{next:?} is no number");
            if next == "0" {
                break;
            }
            cursor = next;
        }
    });
}

#[test]
fn match_and_type_filter() {
    each(|t| {
        store_keys(t, "apple", 200);
        store_keys(t, "pear", 200);
        let apples = scan_all(t, "MATCH apple:*", |_| {});
        assert_eq!(apples.len(), 200);
        assert_complete(&apples, "apple", 200);
        let one = scan_all(t, "match pear:7 count 50", |_| {});
        assert_eq!(one, ["pear:7"]);
        assert!(scan_all(t, "MATCH nothing*", |_| {}).is_empty());
        assert_eq!(scan_all(t, "TYPE string MATCH apple:1? COUNT 20", |_| {}).len(), 10);
        assert!(scan_all(t, "TYPE list", |_| {}).is_empty());
        assert_eq!(scan_all(t, "TYPE STRING", |_| {}).len(), 400);
        store_keys(t, "{tag}", 50);
        assert_eq!(scan_all(t, "MATCH {tag}:*", |_| {}).len(), 50);
    });
}

#[test]
fn scan_stays_in_its_database() {
    each(|t| {
        store_keys(t, "zero", 100);
        t.check("SELECT 1", OK);
        store_keys(t, "one", 100);
        let keys = scan_all(t, "COUNT 13", |_| {});
        assert_eq!(keys.len(), 100);
        assert_complete(&keys, "one", 100);
    });
}

#[test]
fn errors() {
    each(|t| {
        t.check("SCAN x", BAD_CURSOR);
        t.check("SCAN 1x", BAD_CURSOR);
        t.check("SCAN 18446744073709551616", BAD_CURSOR);
        t.check("SCAN 0 COUNT 0", SYNTAX);
        t.check("SCAN 0 COUNT -1", SYNTAX);
        t.check("SCAN 0 COUNT x", "-ERR value is not an integer or out of range");
        t.check("SCAN 0 COUNT", SYNTAX);
        t.check("SCAN 0 MATCH", SYNTAX);
        t.check("SCAN 0 TYPE", SYNTAX);
        t.check("SCAN 0 nonsense 1", SYNTAX);
        t.check("SCAN", "-ERR wrong number of arguments for 'scan' command");
    });
}

#[test]
fn any_cursor_is_accepted() {
    each(|t| {
        store_keys(t, "key", 100);
        let mut random = Seeded::announced("foreign cursors");
        for _ in 0..200 {
            let cursor = random.generator.u64(..);
            let (next, keys) = scan_once(t, &cursor.to_string(), "COUNT 10");
            assert!(next.parse::<u64>().is_ok() && keys.iter().all(|key| key.starts_with("key:")));
        }
    });
}

/// What may happen between two calls of SCAN.
struct Turmoil {
    random: Seeded,
    /// Temporary keys that exist now, by number.
    temporary: BTreeSet<u32>,
    core_count: u32,
}

impl Turmoil {
    fn new(core_count: u32) -> Turmoil {
        let random = Seeded::announced(&format!("scan under change, {core_count} cores"));
        Turmoil { random, temporary: BTreeSet::new(), core_count }
    }

    /// A burst of insertions and deletions, then a few slot moves.
    fn stir(&mut self, t: &mut Test) {
        let commands: Vec<String> = (0..20).map(|_| self.change()).collect();
        t.pipeline(commands);
        if is_basalt() && self.core_count > 1 {
            for _ in 0..self.random.generator.u8(..4) {
                let slot = self.random.generator.u32(..16_384);
                let core = self.random.generator.u32(..self.core_count);
                t.check(format!("DEBUG MOVE-SLOT {slot} {core}"), OK);
            }
        }
    }

    fn change(&mut self) -> String {
        let generator = &mut self.random.generator;
        let number = generator.u32(..50_000);
        // Growing phases and shrinking phases, so that tables are resized both ways.
        let is_growing = self.temporary.len() < 2_000 || generator.u8(..100) < 45;
        if is_growing {
            self.temporary.insert(number);
            return format!("SET temporary:{number} v");
        }
        let victim = self.temporary.range(number..).next().or(self.temporary.iter().next());
        let victim = *victim.expect("there are thousands");
        self.temporary.remove(&victim);
        format!("DEL temporary:{victim}")
    }
}

#[test]
fn keys_present_throughout_are_never_lost() {
    const LASTING_COUNT: usize = 600;
    each_core_count(&[1, 2, 8], |t| {
        let core_count = match t.server.config() {
            support::ServerConfig::Reference => 1,
            support::ServerConfig::Basalt { core_count, .. } => *core_count,
        };
        let mut turmoil = Turmoil::new(core_count);
        store_keys(t, "lasting", LASTING_COUNT);
        for options in ["COUNT 10", "COUNT 100", "COUNT 1000 MATCH *"] {
            let found = scan_all(t, options, |t| turmoil.stir(t));
            assert_complete(&found, "lasting", LASTING_COUNT);
            let is_known =
                |key: &String| key.starts_with("lasting:") || key.starts_with("temporary:");
            assert!(found.iter().all(is_known), "SCAN returned what never was");
        }
    });
}

/// All keys under one hash tag share a slot: growth inside a single table.
#[test]
fn keys_of_one_slot_survive_its_growth() {
    each_core_count(&[2], |t| {
        store_keys(t, "{one}lasting", 500);
        let mut inserted = 0;
        let found = scan_all(t, "COUNT 5", |t| {
            if inserted < 10_000 {
                let burst = inserted..inserted + 400;
                t.pipeline(burst.map(|number| format!("SET {{one}}more:{number} v")));
                inserted += 400;
            }
        });
        assert_complete(&found, "{one}lasting", 500);
    });
}

#[test]
fn keys_survive_mass_deletion_around_them() {
    each_core_count(&[2], |t| {
        store_keys(t, "lasting", 300);
        store_keys(t, "victim", 20_000);
        let mut deleted = 0;
        let found = scan_all(t, "COUNT 50", |t| {
            if deleted < 20_000 {
                let burst = deleted..deleted + 500;
                t.pipeline(burst.map(|number| format!("DEL victim:{number}")));
                deleted += 500;
            }
        });
        assert_complete(&found, "lasting", 300);
    });
}
