//! Keyspace events of newer servers: values that are replaced whole, and the fields of hashes that
//! events are about. Each command is told with what a listener gets of it, in order.

mod support;

use std::collections::BTreeSet;

use support::{Client, OK, Reply, Test, bulk, each, each_core_count, eventually};

/// Ends what one command leads to.
const MARK: &str = "__key:mark";

fn listener(t: &Test<'_>) -> Client {
    let mut listening = t.connect();
    listening.call("PSUBSCRIBE __*");
    listening
}

/// What arrives up to the next mark, as `channel payload`.
fn up_to_mark(listening: &mut Client) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        let parts = listening.read_reply().texts();
        assert_eq!(&parts[..2], ["pmessage", "__*"]);
        if parts[2] == MARK {
            return heard;
        }
        heard.push(format!("{} {}", parts[2], parts[3]));
    }
}

/// What one command leads to.
#[track_caller]
fn led_to(t: &mut Test<'_>, listening: &mut Client, command: &str) -> Vec<String> {
    let reply = format!("{:?}", t.call(command));
    assert!(!reply.starts_with("Error"), "{command}: {reply}");
    t.call(["PUBLISH", MARK, "-"]);
    up_to_mark(listening)
}

/// Runs `body` with some events on: on one core, and wherever else tests run, in both protocols.
fn each_with_events(classes: &str, body: impl Fn(&mut Test<'_>, &mut Client)) {
    let run = |t: &mut Test<'_>| {
        if t.since("8.8") {
            t.with_config("notify-keyspace-events", classes, |t| {
                let mut listening = listener(t);
                body(t, &mut listening);
            });
        }
    };
    each_core_count(&[1], run);
    each(run);
}

/// The events of one command on keys, as `event key`.
#[track_caller]
fn events(t: &mut Test<'_>, listening: &mut Client, command: &str) -> Vec<String> {
    let heard = led_to(t, listening, command);
    let short = |line: &String| line.strip_prefix("__keyevent@0__:").map(str::to_owned);
    heard.iter().map(|line| short(line).expect("a channel of an event")).collect()
}

/// Keys of three types, and sources for whatever stores results. The tags take them to two cores.
const SOURCES: [&str; 9] = [
    "SET string{a} 1",
    "SET other{b} 2",
    "RPUSH list{a} 2 1",
    "SADD set{a} 1 2",
    "SADD set{b} 2 3",
    "ZADD zset{a} 1 a 2 b",
    "ZADD zset{b} 2 a 2 c",
    "HSET hash{a} f 1",
    "GEOADD geo{b} 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
];

/// Commands that make `target{a}` whole anew, with the event each reports; some of them tell of the
/// replacement first, some last.
const BEFORE: [(&str, &[&str]); 25] = [
    ("SET target{a} x", &["set"]),
    ("SET target{a} x XX", &["set"]),
    ("SET target{a} x EX 100", &["set", "expire"]),
    ("SET target{a} x KEEPTTL", &["set"]),
    ("SETEX target{a} 100 x", &["set", "expire"]),
    ("PSETEX target{a} 100000 x", &["set", "expire"]),
    ("MSET target{a} x", &["set"]),
    ("MSETEX 1 target{a} x EX 100", &["set", "expire"]),
    ("BITOP OR target{a} string{a} other{b}", &["set"]),
    ("BITOP NOT target{a} other{b}", &["set"]),
    ("SORT list{a} STORE target{a}", &["sortstore"]),
    ("SUNIONSTORE target{a} set{a} set{b}", &["sunionstore"]),
    ("SINTERSTORE target{a} set{a} set{b}", &["sinterstore"]),
    ("SDIFFSTORE target{a} set{a} set{b}", &["sdiffstore"]),
    ("ZUNIONSTORE target{a} 2 zset{a} zset{b}", &["zunionstore"]),
    ("ZINTERSTORE target{a} 2 zset{a} zset{b}", &["zinterstore"]),
    ("ZDIFFSTORE target{a} 2 zset{a} zset{b}", &["zdiffstore"]),
    ("ZRANGESTORE target{a} zset{b} 0 -1", &["zrangestore"]),
    ("GEOSEARCHSTORE target{a} geo{b} FROMLONLAT 15 37 BYRADIUS 200 km", &["geosearchstore"]),
    (
        "GEOSEARCHSTORE target{a} geo{b} FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST",
        &["geosearchstore"],
    ),
    ("GEORADIUS geo{b} 15 37 200 km STORE target{a}", &["georadiusstore"]),
    ("GEORADIUS geo{b} 15 37 200 km STOREDIST target{a}", &["georadiusstore"]),
    ("GEORADIUSBYMEMBER geo{b} Palermo 200 km STORE target{a}", &["georadiusstore"]),
    ("EVAL \"redis.call('set',KEYS[1],'x')\" 1 target{a}", &["set"]),
    ("SET target{a} x GET", &["set"]),
];

/// The type of `target{a}` before: one that SET .. GET takes, and one that nothing here makes.
fn make_target(t: &mut Test<'_>, command: &str) -> &'static str {
    t.call("DEL target{a}");
    if command.ends_with("GET") {
        t.check("SET target{a} old", OK);
        return "string";
    }
    t.call("XADD target{a} 1-1 field value");
    "stream"
}

fn type_of_target(t: &mut Test<'_>) -> String {
    t.text("TYPE target{a}")
}

/// `event target{a}` for each event.
fn of_target<'e>(names: impl IntoIterator<Item = &'e &'e str>) -> Vec<String> {
    names.into_iter().map(|name| format!("{name} target{{a}}")).collect()
}

#[test]
fn what_is_replaced_whole_is_told_before_the_event_of_the_command() {
    each_with_events("EAoc", |t, listening| {
        for command in SOURCES {
            led_to(t, listening, command);
        }
        for (command, own) in BEFORE {
            let before = make_target(t, command);
            led_to(t, listening, "PING");
            let expected: &[&str] = match before {
                "stream" => &["overwritten", "type_changed"],
                _ => &["overwritten"],
            };
            let first = events(t, listening, command);
            assert_eq!(first, of_target(expected.iter().chain(own)), "{command}");
            // Again, of the same type now.
            let again = events(t, listening, command);
            assert_eq!(again, of_target(["overwritten"].iter().chain(own)), "{command}");
            assert_ne!(type_of_target(t), "stream", "{command}");
            // And once more, where nothing is.
            t.call("DEL target{a}");
            led_to(t, listening, "PING");
            if !command.ends_with("XX") {
                assert_eq!(events(t, listening, command), of_target(own), "{command}");
            }
        }
    });
}

#[test]
fn a_key_that_takes_the_place_of_another_is_told_after_the_event_of_the_command() {
    each_with_events("EAoc", |t, listening| {
        let alike = ["overwritten target{a}"].as_slice();
        let unlike = ["overwritten target{a}", "type_changed target{a}"].as_slice();
        for (old, told) in [("SET", alike), ("RPUSH", unlike)] {
            t.call("SET source{b} x");
            let remake = format!("{old} target{{a}} old");
            t.call("DEL target{a}");
            led_to(t, listening, &remake);
            let copied = events(t, listening, "COPY source{b} target{a} REPLACE");
            assert_eq!(copied, [&["copy_to target{a}"], told].concat());
            t.call("DEL target{a}");
            led_to(t, listening, &remake);
            let renamed = events(t, listening, "RENAME source{b} target{a}");
            let own = ["rename_from source{b}", "rename_to target{a}"];
            assert_eq!(renamed, [own.as_slice(), told].concat());
        }
        // Where nothing was, nothing is replaced.
        t.call("DEL target{a}");
        led_to(t, listening, "SET source{b} x");
        let copied = events(t, listening, "COPY source{b} target{a} REPLACE");
        assert_eq!(copied, ["copy_to target{a}"]);
    });
}

#[test]
fn restoring_over_a_key_replaces_it() {
    each_with_events("Egoc", |t, listening| {
        t.check("SET source x", OK);
        let payload = match t.call("DUMP source") {
            Reply::Bulk(bytes) => bytes,
            other => panic!("no payload but {other:?}"),
        };
        for (old, told) in [("SET", 1), ("SADD", 2)] {
            t.call("DEL target{a}");
            led_to(t, listening, &format!("{old} target{{a}} old"));
            let parts: [&[u8]; 5] = [b"RESTORE", b"target{a}", b"0", &payload, b"REPLACE"];
            t.check(parts.as_slice(), OK);
            let heard = events(t, listening, "PING");
            let all = ["restore", "overwritten", "type_changed"];
            assert_eq!(heard, of_target(&all[..1 + told]));
        }
    });
}

#[test]
fn changes_in_place_replace_nothing() {
    each_with_events("Eoc", |t, listening| {
        for command in [
            "SET string 1",
            "INCR string",
            "INCRBYFLOAT string 0.5",
            "APPEND string 5",
            "SETRANGE string 0 9",
            "SETBIT string 0 1",
            "GETEX string EX 100",
            "SETNX string 1",
            "PFADD counted a",
            "PFADD counted b",
            "PFMERGE counted counted",
            "RENAMENX string fresh",
            "HSET hash f 1",
            "HSET hash f 2",
            "SINTERSTORE fresh hash2 hash3",
        ] {
            assert_eq!(led_to(t, listening, command), [""; 0], "{command}");
        }
        t.check("SET string 1", OK);
        t.check("GETSET string 2", bulk("1"));
        assert_eq!(events(t, listening, "PING"), ["overwritten string"]);
        // A value whose time is over is no value.
        t.check("SET string 1 PX 1", OK);
        assert_eq!(events(t, listening, "PING"), ["overwritten string"]);
        eventually("its time is over", || t.integer("EXISTS string") == 0);
        assert_eq!(events(t, listening, "SET string 2"), [""; 0]);
    });
}

/// What each command on a hash says in the form `S`, one after the other on `hash`.
const FIELD_EVENTS: [(&str, &[&str]); 27] = [
    ("HSET hash a 1 b 2 a 3", &["hset|1:a,1:b,1:a"]),
    ("HMSET hash c 3 d 4", &["hset|1:c,1:d"]),
    ("HSETNX hash e 5", &["hset|1:e"]),
    ("HSETNX hash e 6", &[]),
    ("HINCRBY hash a 2", &["hincrby|1:a"]),
    ("HINCRBYFLOAT hash a 0.5", &["hincrbyfloat|1:a"]),
    ("HDEL hash nothing", &[]),
    ("HDEL hash e nothing e", &["hdel|1:e"]),
    ("HEXPIRE hash 100 FIELDS 3 a nothing b", &["hexpire|1:a,1:b"]),
    ("HPEXPIRE hash 100000 NX FIELDS 2 a c", &["hexpire|1:c"]),
    ("HPERSIST hash FIELDS 3 a d nothing", &["hpersist|1:a"]),
    ("HPERSIST hash FIELDS 1 a", &[]),
    ("HEXPIREAT hash 33177117420 FIELDS 1 a", &["hexpire|1:a"]),
    ("HPEXPIREAT hash 33177117420000 FIELDS 1 d", &["hexpire|1:d"]),
    ("HGETEX hash PERSIST FIELDS 3 a nothing d", &["hpersist|1:a,1:d"]),
    ("HGETEX hash EX 100 FIELDS 2 d nothing", &["hexpire|1:d"]),
    ("HGETEX hash FIELDS 1 d", &[]),
    ("HGETEX hash PXAT 1 FIELDS 2 d nothing", &["hdel|1:d"]),
    ("HSETEX hash FIELDS 2 x 1 y 2", &["hset|1:x,1:y"]),
    ("HSETEX hash EX 100 FIELDS 2 x 1 z 2", &["hset|1:x,1:z", "hexpire|1:x,1:z"]),
    ("HSETEX hash FNX FIELDS 1 x 1", &[]),
    ("HGETDEL hash FIELDS 2 nothing z", &["hdel|1:z"]),
    ("HGETDEL hash FIELDS 1 z", &[]),
    ("HEXPIRE hash 0 FIELDS 3 nothing x y", &["hdel|1:x,1:y"]),
    ("EVAL \"redis.call('hset',KEYS[1],'l',1)\" 1 hash", &["hset|1:l"]),
    ("HGET hash a", &[]),
    ("HDEL hash a b c l", &["hdel|1:a,1:b,1:c,1:l"]),
];

#[test]
fn fields_are_named_by_every_command_that_changes_them() {
    each_with_events("SAn", |t, listening| {
        for (command, told) in FIELD_EVENTS {
            let expected: Vec<String> =
                told.iter().map(|payload| format!("__subkeyspace@0__:hash {payload}")).collect();
            assert_eq!(led_to(t, listening, command), expected, "{command}");
        }
        assert_eq!(t.integer("EXISTS hash"), 0);
    });
}

#[test]
fn every_form_of_channel_comes_in_one_order() {
    each_with_events("KEASTIV", |t, listening| {
        let told = led_to(t, listening, "HSET hash one 1 two, 2");
        let expected = [
            "__keyspace@0__:hash hset",
            "__keyevent@0__:hset hash",
            "__subkeyspace@0__:hash hset|3:one,4:two,",
            "__subkeyevent@0__:hset 4:hash|3:one,4:two,",
            "__subkeyspaceitem@0__:hash\none hset",
            "__subkeyspaceitem@0__:hash\ntwo, hset",
            "__subkeyspaceevent@0__:hset|hash 3:one,4:two,",
        ];
        assert_eq!(told, expected);
        // The end of the key comes behind all that is said of its fields, and names none.
        let told = led_to(t, listening, "HGETDEL hash FIELDS 2 two, one");
        assert_eq!(told.len(), expected.len() + 2);
        assert_eq!(told[5], "__subkeyspaceitem@0__:hash\none hdel");
        assert_eq!(told[6], "__subkeyspaceevent@0__:hdel|hash 4:two,,3:one");
        assert_eq!(told[7..], ["__keyspace@0__:hash del", "__keyevent@0__:del hash"]);
        // Another database, and a key whose name would be mistaken for one with a field.
        t.check("SELECT 3", OK);
        t.check(["HSET", "odd\nkey", "f", "1"], 1);
        let told = led_to(t, listening, "SELECT 0");
        assert_eq!(
            told,
            [
                "__keyspace@3__:odd\nkey hset",
                "__keyevent@3__:hset odd\nkey",
                "__subkeyspace@3__:odd\nkey hset|1:f",
                "__subkeyevent@3__:hset 7:odd\nkey|1:f",
                "__subkeyspaceevent@3__:hset|odd\nkey 1:f",
            ]
        );
    });
}

#[test]
fn fields_need_their_class_and_their_form() {
    for (classes, count) in [("STIV", 0), ("STIV$", 0), ("KEh", 2), ("Th", 1), ("Vh", 1)] {
        each_with_events(classes, |t, listening| {
            assert_eq!(led_to(t, listening, "HSET hash f 1").len(), count, "{classes}");
            assert_eq!(led_to(t, listening, "HDEL hash f").len(), count, "{classes}");
        });
    }
}

#[test]
fn fields_that_expire_are_named_together() {
    each_with_events("KShg", |t, listening| {
        // More of them than one lookup reclaims where nobody asks for names.
        let names: Vec<String> = (0..300).map(|number| format!("field{number}")).collect();
        let pairs: Vec<&str> = names.iter().flat_map(|name| [name.as_str(), "1"]).collect();
        t.check([&["HSET", "hash", "kept", "1"], pairs.as_slice()].concat().as_slice(), 301);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let head = ["HPEXPIRE", "hash", "1", "FIELDS", "300"];
        t.call([head.as_slice(), &names].concat().as_slice());
        // Time, or a lookup, ends them.
        eventually("they are gone", || t.integer("HLEN hash") == 1);
        let heard = led_to(t, listening, "PING");
        let ends =
            heard.iter().filter_map(|line| line.strip_prefix("__subkeyspace@0__:hash hexpired|"));
        let ends: Vec<BTreeSet<&str>> = ends.map(|list| list.split(',').collect()).collect();
        let expected = names.iter().map(|name| format!("{}:{name}", name.len()));
        let expected: Vec<String> = expected.collect();
        assert_eq!(ends, [expected.iter().map(String::as_str).collect()]);
        // The last field takes the key along, and is named.
        t.call("HPEXPIRE hash 1 FIELDS 1 kept");
        eventually("the key is gone", || t.integer("EXISTS hash") == 0);
        let expected = [
            "__keyspace@0__:hash hexpire",
            "__subkeyspace@0__:hash hexpire|4:kept",
            "__keyspace@0__:hash hexpired",
            "__subkeyspace@0__:hash hexpired|4:kept",
            "__keyspace@0__:hash del",
        ];
        assert_eq!(led_to(t, listening, "PING"), expected);
    });
}

#[test]
fn clients_may_listen_to_one_field() {
    each_with_events("Ih", |t, _| {
        let mut one = t.connect();
        one.call(["SUBSCRIBE", "__subkeyspaceitem@0__:hash\nwanted"]);
        t.check("HSET hash other 1 wanted 2", 2);
        t.check("HDEL hash other", 1);
        t.check("HDEL hash wanted", 1);
        for event in ["hset", "hdel"] {
            let parts = one.read_reply().texts();
            assert_eq!(parts, ["message", "__subkeyspaceitem@0__:hash\nwanted", event]);
        }
    });
}

#[test]
fn config_shows_letters_in_the_order_of_redis() {
    each(|t| {
        if !t.since("8.8") {
            return;
        }
        for (given, shown) in [
            ("o", "o"),
            ("c", "c"),
            ("co", "oc"),
            ("Kag", "gaK"),
            ("VTISEKmcon", "nocKEmSTIV"),
            ("KEAoc", "AKE"),
            ("STIVAm", "AmSTIV"),
            ("", ""),
        ] {
            t.check(["CONFIG", "SET", "notify-keyspace-events", given], OK);
            let found = t.call("CONFIG GET notify-keyspace-events");
            let found = found.field("notify-keyspace-events").expect("a directive").text();
            assert_eq!(found, shown, "{given}");
        }
        let reply = t.call("CONFIG SET notify-keyspace-events KEU");
        assert!(reply.error().contains("Invalid event class character"), "{reply:?}");
    });
}
