//! Memory that deleted keys leave in small pieces is put together and given back.

mod support;

use support::{OK, Test, each_with, eventually};

const KEYS: usize = 40_000;

/// Keys of which one in so many is kept.
const KEPT_SHARE: usize = 8;

fn key(number: usize) -> String {
    format!("key:{number:08}")
}

/// Deletes all but every eighth key, and hashes likewise.
fn thin_out(t: &mut Test) {
    let gone: Vec<usize> = (0..KEYS).filter(|number| !number.is_multiple_of(KEPT_SHARE)).collect();
    for numbers in gone.chunks(500) {
        let mut command = vec!["DEL".to_owned()];
        command.extend(numbers.iter().map(|number| key(*number)));
        command.extend(numbers.iter().map(|number| format!("hash:{number}")));
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        t.call(words.as_slice());
    }
}

fn fill(t: &mut Test) {
    let all: Vec<usize> = (0..KEYS).collect();
    for numbers in all.chunks(500) {
        let commands: Vec<String> = numbers
            .iter()
            .map(|number| match number % 2 {
                0 => format!("SET {} value:{number:020}", key(*number)),
                _ => format!("HSET hash:{} field value:{number:020}", number - 1),
            })
            .collect();
        t.pipeline(commands.iter().map(String::as_str));
    }
}

fn check_all(t: &mut Test) {
    let kept: Vec<usize> = (0..KEYS).step_by(KEPT_SHARE).collect();
    for numbers in kept.chunks(500) {
        let gets = numbers.iter().map(|number| format!("GET {}", key(*number)));
        let fields = numbers.iter().map(|number| format!("HGET hash:{number} field"));
        let commands: Vec<String> = gets.chain(fields).collect();
        let replies = t.pipeline(commands.iter().map(String::as_str));
        let values = numbers.iter().map(|number| format!("value:{number:020}"));
        let field_values = numbers.iter().map(|number| format!("value:{:020}", number + 1));
        for (reply, value) in replies.iter().zip(values.chain(field_values)) {
            assert_eq!(reply.text(), value);
        }
    }
}

#[test]
fn what_deleted_keys_leave_is_put_together() {
    let settings = [
        "--active-defrag-ignore-bytes",
        "1",
        "--active-defrag-cycle-min",
        "20",
        "--activedefrag",
        "no",
    ];
    each_with(&settings, |t| {
        fill(t);
        thin_out(t);
        let wasted = |t: &mut Test| t.info("memory").number("allocator_frag_bytes");
        let before = wasted(t);
        assert!(before > 500_000, "{before} bytes lie in thin pages");
        assert_eq!(t.info("stats").number("active_defrag_hits"), 0);
        t.check("CONFIG SET activedefrag yes", OK);
        eventually("much of it is put together", || wasted(t) < before / 4 * 3);
        let stats = t.info("stats");
        assert!(stats.number("active_defrag_key_hits") > 0);
        assert!(stats.number("active_defrag_hits") >= stats.number("active_defrag_key_hits"));
        t.check("DBSIZE", (2 * KEYS / KEPT_SHARE) as i64);
        check_all(t);
        t.check("CONFIG SET activedefrag no", OK);
        eventually("it stops", || t.info("memory").number("active_defrag_running") == 0);
    });
}
