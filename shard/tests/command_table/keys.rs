//! Finding the keys of a command line.

use basalt_shard::command::{KeyShape, flag};
use proptest::prelude::*;

use crate::{words, written};

/// The keys of a line with their flags, each as `name:RW,access`; or `invalid`.
pub(crate) fn keys(line: &str) -> String {
    let args = words(line);
    let command = written::row_of_line(&args).expect("a row");
    let Ok(found) = command.keys_of(args.as_slice()) else {
        return "invalid".to_owned();
    };
    let keys = found.map(|key| {
        let flags: Vec<_> = key.flags.names().collect();
        format!("{}:{}", String::from_utf8_lossy(&args[key.index]), flags.join(","))
    });
    keys.collect::<Vec<_>>().join(" ")
}

/// The arguments that decide where a line runs.
fn routing_keys(line: &str) -> String {
    let args = words(line);
    let command = written::row_of_line(&args).expect("a row");
    let keys = command.routing_keys(args.as_slice());
    let names = keys.map(|index| String::from_utf8_lossy(&args[index]).into_owned());
    names.collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(keys(line), expected, "{line}");
    let names = expected.split(' ').filter_map(|key| key.split_once(':'));
    let names: Vec<_> = names.map(|(name, _)| name).collect();
    assert_eq!(routing_keys(line), names.join(" "), "routing of {line}");
}

#[test]
fn keys_at_fixed_places() {
    check("GET k", "k:RO,access");
    check("DEL a b c", "a:RM,delete b:RM,delete c:RM,delete");
    check("MSET a 1 b 2", "a:OW,update b:OW,update");
    check("BLPOP a b 0", "a:RW,access,delete b:RW,access,delete");
    check("RENAME a b", "a:RW,access,delete b:OW,update");
    check("BITOP AND d a b", "d:OW,update a:RO,access b:RO,access");
    check("XINFO STREAM s", "s:RO,access");
    check("PING", "");
}

/// `PFMERGE d` has no sources. Taking the empty second group for an error lost the first one too,
/// and with it the ACL check of the key that is written. An empty group is no error.
#[test]
fn a_group_may_be_empty_at_the_end_of_the_line() {
    check("PFMERGE d", "d:RW,access,insert");
}

#[test]
fn counted_keys() {
    check("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d:OW,update a:RO,access b:RO,access");
    check("SINTERCARD 2 a b LIMIT 5", "a:RO,access b:RO,access");
    check("MSETEX 2 a 1 b 2 NX", "a:OW,update b:OW,update");
    check("EVAL script 1 k arg", "k:RW,access,update");
    check("EVAL script 0 arg", "");
    check("FCALL_RO f 2 a b", "a:RO,access b:RO,access");
}

#[test]
fn counts_that_do_not_fit() {
    for line in [
        "ZUNIONSTORE d 3 a b",
        "ZUNIONSTORE d 0 a",
        "ZUNIONSTORE d -1 a",
        "ZUNIONSTORE d 01 a",
        "ZUNIONSTORE d x a",
        "ZUNIONSTORE d 99999999999999999999 a",
        "MSETEX 3 a 1 b 2",
        "EVAL script x k",
        "EVAL script 2 k",
        "SINTERCARD 1",
    ] {
        check(line, "invalid");
    }
}

#[test]
fn streams() {
    check("XREAD STREAMS a b 0 0", "a:RO,access b:RO,access");
    check("XREAD COUNT 1 BLOCK 0 streams a 0", "a:RO,access");
    check("XREADGROUP GROUP streams streams NOACK STREAMS a 0", "a:RO,access");
    check("XREADGROUP GROUP g c CLAIM 5 COUNT 2 STREAMS a b 0 0", "a:RO,access b:RO,access");
    check("XREAD STREAMS a b 0", "invalid");
    check("XREAD STREAMS", "invalid");
    check("XREAD NONSENSE STREAMS a 0", "invalid");
}

#[test]
fn commands_with_rules_of_their_own() {
    check("SORT k", "k:RO,access");
    check("SORT k BY store GET store STORE a STORE b", "k:RO,access b:OW,update");
    check("SORT k LIMIT store 1 STORE d", "k:RO,access d:OW,update");
    check("SORT k STORE", "k:RO,access");
    check("SORT_RO k BY w_*", "k:RO,access");
    check("GEORADIUS k 0 0 1 km STORE a STOREDIST b", "k:RO,access b:OW,update");
    check("GEORADIUSBYMEMBER k m 1 km", "k:RO,access");
    check("MIGRATE host 1 k 0 10", "k:RW,access,delete");
    check("MIGRATE host 1 '' 0 10 AUTH keys KEYS a b", "a:RW,access,delete b:RW,access,delete");
    check("MIGRATE host 1 k 0 10 KEYS a", "invalid");
    check("MIGRATE host 1 '' 0 10 KEYS", "invalid");
}

#[test]
fn flags_that_depend_on_arguments() {
    check("SET k v", "k:OW,update");
    check("SET k v EX 10 GeT", "k:RW,access,update");
    check("BITFIELD k GET u8 0 OVERFLOW SAT GET u8 8", "k:RO,access");
    check("BITFIELD k GET u8 0 INCRBY u8 0 1", "k:RW,access,update");
    check("BITFIELD k GET u8", "k:RW,access,update");
    check("DELEX k", "k:RM,delete");
    check("DELEX k IFEQ v", "k:RW,access,delete");
}

#[test]
fn shard_channels_route_and_are_no_keys() {
    for (line, channels) in [("SPUBLISH c m", "c"), ("SSUBSCRIBE a b", "a b"), ("SUNSUBSCRIBE", "")]
    {
        let row = written::row_of_line(&words(line)).expect("a row");
        assert!(!row.has_keys(), "{line}");
        assert_eq!(keys(line), "", "{line}");
        assert_eq!(routing_keys(line), channels, "{line}");
    }
}

#[test]
fn common_commands_have_simple_shapes() {
    let shape = |name: &str| written::row(name).expect("a row").key_shape;
    assert_eq!(shape("get"), KeyShape::FirstKey(1));
    assert_eq!(shape("set"), KeyShape::FirstKey(1));
    assert_eq!(shape("del"), KeyShape::AllFrom(1));
    assert_eq!(shape("mset"), KeyShape::Step { first: 1, step: 2 });
    assert_eq!(shape("blpop"), KeyShape::Range { first: 1, last: -2, step: 1 });
    assert_eq!(shape("rename"), KeyShape::Range { first: 1, last: 2, step: 1 });
    assert_eq!(shape("eval"), KeyShape::Counted(2));
    assert_eq!(shape("zunion"), KeyShape::Counted(1));
    assert_eq!(shape("zunionstore"), KeyShape::General);
    assert_eq!(shape("ping"), KeyShape::None);
}

fn argument() -> impl Strategy<Value = String> {
    let keywords = "keys|store|storedist|streams|get|set|by|limit|group|auth2|overflow|count";
    prop_oneof!["[a-c]", "-?[0-9]{1,3}", "[0-9]{18,22}", keywords, Just(String::new())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever the arguments, keys lie within the line; where both answers exist they agree.
    #[test]
    fn keys_lie_within_the_line(
        index in 0..written::rows().count(),
        arguments in proptest::collection::vec(argument(), 0..12),
    ) {
        let row = written::rows().nth(index).expect("an index below the count");
        let mut args: Vec<String> = row.full_name().to_string().split('|').map(str::to_owned)
            .collect();
        args.extend(arguments);
        let args: Vec<_> = args.iter().map(String::as_bytes).collect();
        let routed: Vec<_> = row.routing_keys(args.as_slice()).collect();
        prop_assert!(routed.iter().all(|index| (1..args.len()).contains(index)));
        if let Ok(keys) = row.keys_of(args.as_slice()) {
            let announced = keys.len();
            let keys: Vec<_> = keys.map(|key| key.index).collect();
            prop_assert_eq!(announced, keys.len());
            prop_assert!(keys.iter().all(|index| (1..args.len()).contains(index)));
            if row.has_keys() && row.accepts_argument_count(args.len()) {
                prop_assert_eq!(routed, keys);
            }
        } else {
            prop_assert!(
                !row.accepts_argument_count(args.len()) || row.flags.contains(flag::MOVABLEKEYS)
            );
        }
    }
}
