//! DUMP, RESTORE, and what DEBUG tells of keys.

mod support;

use std::sync::Arc;

use basalt_shard::journal::JournalBoard;
use basalt_shard::rdb::payload::{seal, version_of};
use basalt_shard::rdb::value_type::RdbVersion;
use basalt_shard::settings::Settings;
use support::resp::{show, split_line};
use support::scenario::{Scenario, each};
use support::{ClientId, Cluster, Request, settings};

/// The payload in a reply to DUMP.
fn payload_of(reply: &[u8]) -> Vec<u8> {
    assert_eq!(reply[0], b'$', "{}", show(reply));
    let line_end = reply.windows(2).position(|pair| pair == b"\r\n").expect("it has a line");
    reply[line_end + 2..reply.len() - 2].to_vec()
}

/// A value with the footer of a version.
fn sealed(version: u16, value: &[u8]) -> Vec<u8> {
    let mut payload = value.to_vec();
    seal(&mut payload, version);
    payload
}

/// Bytes in the quotes that requests of tests have.
fn quoted(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{escaped}\"")
}

fn restore(key: &str, payload: &[u8], options: &str) -> String {
    format!("restore {key} 0 {} {options}", quoted(payload))
}

/// The payload of a key.
fn dump(talk: &mut Scenario, key: &str) -> Vec<u8> {
    payload_of(&talk.reply_to(&format!("dump {key}")))
}

#[test]
fn a_payload_is_what_redis_writes() {
    each(|talk| {
        talk.run("set n 10");
        // As redis-server 7.2 answers; the documentation of DUMP shows that of 10 with version 9.
        assert_eq!(dump(talk, "n")[..5], *b"\x00\xc0\x0a\x0b\x00");
        talk.run("set t hello");
        assert_eq!(dump(talk, "t")[..9], *b"\x00\x05hello\x0b\x00");
        talk.run("sadd s 1 2 300");
        let intset = b"\x0b\x0e\x02\0\0\0\x03\0\0\0\x01\0\x02\0\x2c\x01";
        assert_eq!(dump(talk, "s")[..intset.len()], *intset);
        talk.run("rpush l a 7");
        let list = b"\x12\x01\x02\x0c\x0c\0\0\0\x02\0\x81a\x02\x07\x01\xff";
        assert_eq!(dump(talk, "l")[..list.len()], *list);
        talk.check_null("dump missing");
    });
}

/// Settings of a server whose files are for Redis 7.0.
fn settings_for_7_0() -> Settings {
    Settings { rdb_version: RdbVersion::V10, ..settings() }
}

#[test]
fn payloads_are_for_older_servers_if_that_is_wanted() {
    support::scenario::each_with(&settings_for_7_0(), |talk| {
        talk.run("set n 10");
        assert_eq!(dump(talk, "n")[..5], *b"\x00\xc0\x0a\x0a\x00");
        // A listpack otherwise.
        talk.run("sadd words one");
        assert_eq!(dump(talk, "words")[..6], *b"\x02\x01\x03one");
        talk.run("sadd numbers 1");
        assert_eq!(dump(talk, "numbers")[0], 11);
        talk.run("xadd stream 1-1 field value");
        talk.run("xgroup create stream group 0");
        talk.run("xreadgroup group group consumer streams stream >");
        let stream = dump(talk, "stream");
        assert_eq!((stream[0], version_of(&stream)), (19, Some(10)));
        talk.run(&restore("again", &stream, ""));
        let digest = talk.reply_to("debug digest-value stream");
        assert_eq!(talk.reply_to("debug digest-value again"), digest);
        // Nothing older knows fields with deadlines, so that the payload says what it is.
        talk.run("hset hash field value");
        talk.run("hpexpireat hash 4000000000000 fields 1 field");
        assert_eq!(version_of(&dump(talk, "hash")), Some(12));
        talk.run("function load \"#!lua name=one\\nredis.register_function('f', function() end)\"");
        let libraries = payload_of(&talk.reply_to("function dump"));
        assert_eq!(version_of(&libraries), Some(10));
    });
}

#[test]
fn a_newer_payload_is_told_to_the_journal_in_an_older_form() {
    let library = b"#!lua name=one\nredis.register_function('f', function() end)";
    let libraries = [&[245, library.len() as u8], &library[..]].concat();
    let members = b"\x14\x0b\x0b\0\0\0\x01\0\x82ab\x03\xff";
    for (settings, version) in [(settings(), 11), (settings_for_7_0(), 10)] {
        let mut cluster = Cluster::with_settings(1, 1, settings);
        let client = cluster.connect(0);
        cluster.core(0).store.journal_mut().begin(0, Arc::new(JournalBoard::new(1)));
        let functions = format!("function restore {}", quoted(&sealed(11, &libraries)));
        for request in [restore("k", &sealed(11, members), ""), functions] {
            assert_eq!(show(&cluster.execute(client, &request)), "+OK\\r\\n");
        }
        let mut told = Vec::new();
        cluster.core(0).store.journal_mut().take(&mut told, None);
        let payload = payload_of(&cluster.execute(client, "dump k"));
        assert_eq!(version_of(&payload), Some(version));
        for payload in [payload, sealed(version, &libraries)] {
            let is_told = told.windows(payload.len()).any(|bytes| bytes == payload);
            assert!(is_told, "{} in {}", payload.escape_ascii(), told.escape_ascii());
        }
    }
}

#[test]
fn every_encoding_survives_the_way_there_and_back() {
    let longer = "x".repeat(9000);
    let wide: String = (0..600).map(|number| format!(" {number} v{number}")).collect();
    let members: String = (0..200).map(|number| format!(" m{number}")).collect();
    let numbers: String = (0..600).map(|number| format!(" {number}")).collect();
    let scored: String = (0..200).map(|number| format!(" {number}.5 m{number}")).collect();
    let makers: &[(&str, String)] = &[
        ("int", "set k -12345678901".into()),
        ("embstr", "set k text".into()),
        ("raw", format!("set k {longer}")),
        ("listpack", "rpush k a b 3 {} 4".into()),
        ("quicklist", format!("rpush k a {longer} 5 {longer}")),
        ("intset", "sadd k 1 -70000 5000000000".into()),
        ("listpack", "sadd k 1 two 3".into()),
        ("hashtable", format!("sadd k{members}")),
        ("hashtable", format!("sadd k{numbers}")),
        ("listpack", "zadd k 1 one -inf two 3.25 three 1 four".into()),
        ("skiplist", format!("zadd k{scored}")),
        ("listpack", "hset k name value 1 2".into()),
        ("hashtable", format!("hset k{wide}")),
        ("hashtable", format!("hset k long {longer}")),
        ("stream", "xadd k 5-1 name value other 7".into()),
    ];
    each(|talk| {
        for (encoding, maker) in makers {
            talk.run("del k");
            talk.run(maker);
            talk.check_bulk("object encoding k", encoding);
            let digest = talk.reply_to("debug digest-value k");
            let payload = dump(talk, "k");
            talk.run("del k");
            talk.check_ok(&restore("k", &payload, ""));
            talk.check_bulk("object encoding k", encoding);
            assert_eq!(show(&talk.reply_to("debug digest-value k")), show(&digest), "{encoding}");
        }
    });
}

#[test]
fn deadlines_of_fields_travel_along() {
    each(|talk| {
        for fill in [0, 600] {
            talk.run("del k");
            for number in 0..fill {
                talk.run(&format!("hset k f{number} v"));
            }
            talk.run("hset k a 1 b 2 c 3");
            talk.run("hpexpire k 5000 fields 1 a");
            talk.run("hpexpire k 3000 fields 1 b");
            let payload = dump(talk, "k");
            let is_table = fill > 0;
            assert_eq!(payload[0], if is_table { 24 } else { 25 });
            assert_eq!(payload[payload.len() - 10..][..2], [12, 0]);
            talk.run("del k");
            talk.check_ok(&restore("k", &payload, ""));
            talk.check("hpttl k fields 3 a b c", "*3\r\n:5000\r\n:3000\r\n:-1\r\n");
            talk.check_bulk("object encoding k", if is_table { "hashtable" } else { "listpackex" });
            talk.run("hpersist k fields 2 a b");
            assert_eq!(dump(talk, "k")[0], if is_table { 4 } else { 16 });
        }
    });
}

#[test]
fn restored_fields_expire() {
    each(|talk| {
        talk.run("hset k a 1 b 2");
        talk.run("hpexpire k 100 fields 1 a");
        let payload = dump(talk, "k");
        talk.run("del k");
        talk.cluster.advance_ms(50);
        talk.check_ok(&restore("k", &payload, ""));
        talk.check_integer("hlen k", 2);
        talk.cluster.advance_ms(51);
        talk.check_integer("hlen k", 1);
        talk.check_null("hget k a");
        // Fields that were due before they came are never seen.
        talk.run("del k");
        talk.check_ok(&restore("k", &payload, ""));
        talk.check_integer("hlen k", 1);
    });
}

#[test]
fn groups_of_streams_travel_along() {
    each(|talk| {
        for id in 1..=250 {
            talk.run(&format!("xadd s {id}-1 name {id} other x"));
        }
        talk.run("xadd s 251-0 something else");
        talk.run("xdel s 7-1 251-0");
        talk.run("xgroup create s g 100-1 entriesread 99");
        talk.run("xgroup create s empty $");
        talk.run("xgroup createconsumer s g idle");
        talk.run("xreadgroup group g one count 3 streams s >");
        talk.run("xreadgroup group g two count 2 streams s >");
        talk.run("xack s g 102-1");
        let asked = ["xinfo stream s full count 0", "xpending s g - + 10", "xinfo groups s"];
        let before: Vec<_> = asked.iter().map(|line| talk.reply_to(line)).collect();
        let payload = dump(talk, "s");
        assert_eq!(payload[0], 21);
        talk.run("del s");
        talk.check_ok(&restore("s", &payload, ""));
        for (line, before) in asked.iter().zip(before) {
            assert_eq!(show(&talk.reply_to(line)), show(&before), "{line}");
        }
    });
}

#[test]
fn a_stream_without_entries_is_a_value() {
    each(|talk| {
        talk.run("xgroup create s g $ mkstream");
        let payload = dump(talk, "s");
        talk.run("del s");
        talk.check_ok(&restore("s", &payload, ""));
        talk.check_integer("xlen s", 0);
        talk.check_integer("xgroup destroy s g", 1);
    });
}

#[test]
fn a_key_that_is_there_is_replaced_only_on_demand() {
    each(|talk| {
        talk.run("set a 1");
        let payload = dump(talk, "a");
        talk.run("rpush b x");
        talk.check_error(&restore("b", &payload, ""), "BUSYKEY Target key name already exists.");
        talk.check_error("restore b x y", "BUSYKEY Target key name already exists.");
        talk.check_ok(&restore("b", &payload, "replace"));
        talk.check_bulk("get b", "1");
        talk.run("pexpire b 100");
        talk.cluster.advance_ms(101);
        talk.check_ok(&restore("b", &payload, ""));
        talk.check_ok(&restore("{b}2", &payload, "REPLACE"));
        talk.check_integer("exists b {b}2", 2);
        talk.check_ok(&format!("restore-asking c 0 {}", quoted(&payload)));
    });
}

#[test]
fn a_restored_key_lives_as_long_as_it_is_told() {
    each(|talk| {
        let now_ms = talk.cluster.now_ms();
        talk.run("set a 1");
        let payload = quoted(&dump(talk, "a"));
        talk.check_ok(&format!("restore b 5000 {payload}"));
        talk.check_integer("pttl b", 5000);
        talk.check_ok(&format!("restore c {} {payload} absttl", now_ms + 3000));
        talk.check_integer("pttl c", 3000);
        talk.check_ok(&format!("restore d 0 {payload} absttl"));
        talk.check_integer("pttl d", -1);
        talk.check_ok(&format!("restore e 9223372036854775807 {payload}"));
        talk.check_bulk("get e", "1");
        // What is past already is not stored, and takes with it what was there.
        talk.check_ok(&format!("restore f {now_ms} {payload} absttl"));
        talk.check_integer("exists f", 0);
        talk.check_ok(&format!("restore b 1 {payload} absttl replace"));
        talk.check_integer("exists b", 0);
        talk.check_error(&format!("restore g -1 {payload}"), "ERR Invalid TTL value, must be >= 0");
        talk.check_error(
            &format!("restore g x {payload}"),
            "ERR value is not an integer or out of range",
        );
    });
}

#[test]
fn a_restored_key_is_as_idle_as_it_is_told() {
    each(|talk| {
        talk.run("set a 1");
        let payload = dump(talk, "a");
        talk.check_ok(&restore("b", &payload, "idletime 1000"));
        talk.check_integer("object idletime b", 1000);
        talk.check_ok(&restore("c", &payload, "freq 100 replace"));
        talk.check_integer("object idletime c", 0);
        talk.run("config set maxmemory-policy allkeys-lfu");
        for (options, error) in [
            ("idletime -1", "ERR Invalid IDLETIME value, must be >= 0"),
            ("idletime x", "ERR value is not an integer or out of range"),
            ("freq 256", "ERR Invalid FREQ value, must be >= 0 and <= 255"),
            ("freq -1", "ERR Invalid FREQ value, must be >= 0 and <= 255"),
            ("freq 1 idletime 1", "ERR syntax error"),
            ("idletime 1 freq 1", "ERR syntax error"),
            ("freq", "ERR syntax error"),
            ("absttl nonsense", "ERR syntax error"),
        ] {
            talk.check_error(&restore("d", &payload, options), error);
        }
    });
}

#[test]
fn a_use_counter_is_set_under_an_lfu_policy() {
    let mut settings = settings();
    settings.maxmemory_policy = basalt_shard::settings::MaxmemoryPolicy::AllKeysLfu;
    support::scenario::each_with(&settings, |talk| {
        talk.run("set a 1");
        let payload = dump(talk, "a");
        talk.check_ok(&restore("b", &payload, "freq 100"));
        talk.check_integer("object freq b", 100);
        talk.check_ok(&restore("c", &payload, "idletime 100"));
        talk.check_integer("object freq c", 5);
    });
}

const BAD_FOOTER: &str = "ERR DUMP payload version or checksum are wrong";
const BAD_FORMAT: &str = "ERR Bad data format";

#[test]
fn a_footer_that_is_wrong_is_refused() {
    each(|talk| {
        let good = sealed(11, b"\x00\x01a");
        for version in [1, 6, 9, 10, 11, 12, 16, 80, 81] {
            let payload = sealed(version, b"\x00\x01a");
            talk.check_ok(&restore("k", &payload, "replace"));
        }
        for version in [17, 79, 82, u16::MAX] {
            let payload = sealed(version, b"\x00\x01a");
            talk.check_error(&restore("k", &payload, "replace"), BAD_FOOTER);
        }
        let mut flipped = good.clone();
        flipped[2] ^= 1;
        talk.check_error(&restore("k", &flipped, "replace"), BAD_FOOTER);
        talk.check_error(&restore("k", &good[..good.len() - 1], "replace"), BAD_FOOTER);
        talk.check_error("restore k2 0 short", BAD_FOOTER);
        talk.check_error("restore k2 0 \"\"", BAD_FOOTER);
        talk.check_bulk("get k", "a");
    });
}

#[test]
fn values_of_old_types_are_read() {
    let ziplist = b"\x14\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf4\xff";
    let old: &[(u16, &[u8], &str, &str)] = &[
        (6, b"\x01\x02\x01a\xc0\x05", "lrange k 0 -1", "*2\r\n$1\r\na\r\n$1\r\n5\r\n"),
        (6, b"\x03\x01\x01m\x031.5", "zscore k m", "$3\r\n1.5\r\n"),
        (6, b"\x03\x01\x01m\xfe", "zscore k m", "$3\r\ninf\r\n"),
        (6, b"\x09\x08\x01\x01f\x01\x01v\0\xff", "hget k f", "$1\r\nv\r\n"),
        (6, b"\x0d\x11\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf4\xff", "hget k ab", "$1\r\n3\r\n"),
        (
            6,
            b"\x0c\x11\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf4\xff",
            "zscore k ab",
            "$1\r\n3\r\n",
        ),
        (
            9,
            b"\x0e\x01\x11\x11\0\0\0\x0e\0\0\0\x02\0\0\x02ab\x04\xf4\xff",
            "lindex k 1",
            "$1\r\n3\r\n",
        ),
        (80, b"\x16\x01\x01f\x01v\xff\xff\xff\xff\xff\xff\xff\xff", "hget k f", "$1\r\nv\r\n"),
    ];
    assert_eq!(ziplist.len(), 18);
    each(|talk| {
        for (version, value, question, answer) in old {
            talk.check_ok(&restore("k", &sealed(*version, value), "replace"));
            if question.starts_with("zscore") && talk.is_resp3() {
                continue;
            }
            talk.check(question, answer);
        }
        // The type that clashes means something only where Valkey wrote it.
        talk.check_error(&restore("k", &sealed(12, old[7].1), "replace"), BAD_FORMAT);
    });
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let many: &[(&str, &[u8])] = &[
        ("nothing", b""),
        ("no such type", b"\x08"),
        ("an opcode", b"\xff"),
        ("a module", b"\x07\x81\0\0\0\0\0\0\0\0\0"),
        ("an empty list", b"\x01\0"),
        ("an empty set", b"\x02\0"),
        ("an empty hash", b"\x04\0"),
        ("an empty sorted set", b"\x05\0"),
        ("a list of empty nodes", b"\x12\x01\x02\x07\x07\0\0\0\0\0\xff"),
        ("a listpack set without members", b"\x14\x07\x07\0\0\0\0\0\xff"),
        ("a member twice", b"\x02\x02\x01a\x01a"),
        ("a number twice", b"\x02\x02\xc0\x05\x015"),
        ("a member of a listpack twice", b"\x14\x0b\x0b\0\0\0\x02\0\x05\x01\x05\x01\xff"),
        ("a field twice", b"\x04\x02\x01f\x01a\x01f\x01b"),
        ("an entry twice", b"\x05\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\xf0\x3f"),
        ("half a pair", b"\x10\x09\x09\0\0\0\x01\0\x05\x01\xff"),
        ("no score", b"\x11\x0c\x0c\0\0\0\x02\0\x05\x01\x81x\x02\xff"),
        ("a score that is no number", b"\x05\x01\x01a\0\0\0\0\0\0\xf8\x7f"),
        ("more elements than bytes", b"\x01\x80\xff\xff\xff\xff\x01a"),
        ("a length in no form", b"\x00\x82"),
        ("a string in no form", b"\x00\xc4"),
        ("a compressed bomb", b"\x00\xc3\x02\x80\x7f\xff\xff\xff\x00a"),
        ("an intset out of order", b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0"),
        ("a stream that counts wrong", b"\x15\0\x01\0\0\0\0\0\0\0\0"),
        ("a deadline beyond all times", b"\x18\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x02\x01f\x01v"),
    ];
    each(|talk| {
        for (what, value) in many {
            let reply = talk.reply_to(&restore("k", &sealed(11, value), ""));
            assert_eq!(show(&reply), format!("-{BAD_FORMAT}\\r\\n"), "{what}");
        }
        talk.check_integer("exists k", 0);
    });
}

/// Runs a request whose arguments are any bytes.
fn restore_bytes(cluster: &mut Cluster, client: ClientId, payload: &[u8]) -> Vec<u8> {
    let words = [b"restore", b"k".as_slice(), b"0", payload, b"replace"];
    cluster.execute_request(client, words.iter().map(|word| word.to_vec()).collect())
}

/// Values of all types, made by one command each.
fn samples() -> Vec<Request> {
    let stream = "xadd k 5-1 name value other 7";
    let mut lines: Vec<String> = [
        "set k abcabcabcabcabcabcabcabcabcabc",
        "rpush k a bb 3 -70000 text",
        "sadd k 1 2 70000",
        "sadd k 1 two 3",
        "zadd k 1 one 2.5 two",
        "hset k name value 1 2",
        stream,
    ]
    .map(str::to_owned)
    .to_vec();
    let table: String = (0..140).map(|number| format!(" m{number}")).collect();
    lines.push(format!("sadd k{table}"));
    lines.iter().map(|line| split_line(line)).collect()
}

/// Whatever one byte becomes, there is an answer, and what is accepted can be used.
#[test]
fn damage_is_refused_or_makes_another_value() {
    let mut cluster = Cluster::new(1, 7);
    let client = cluster.connect(0);
    for sample in samples() {
        cluster.execute(client, "del k");
        cluster.execute_request(client, sample);
        let payload = payload_of(&cluster.execute(client, "dump k"));
        let value = &payload[..payload.len() - 10];
        let mut accepted = 0;
        for (index, bit) in (0..value.len()).flat_map(|index| [1, 16, 128].map(|bit| (index, bit)))
        {
            let mut damaged = value.to_vec();
            damaged[index] ^= bit;
            let reply = restore_bytes(&mut cluster, client, &sealed(11, &damaged));
            if reply == b"+OK\r\n" {
                accepted += 1;
                cluster.execute(client, "debug digest-value k");
                cluster.execute(client, "del k");
            }
        }
        assert!(accepted > 0, "a byte of text may be another");
        for length in 0..value.len() {
            let reply = restore_bytes(&mut cluster, client, &sealed(11, &value[..length]));
            assert!(reply.starts_with(b"-ERR Bad data format"), "{length}");
        }
    }
}

#[test]
fn compression_follows_its_setting() {
    let mut settings = settings();
    settings.rdbcompression = false;
    support::scenario::each_with(&settings, |talk| {
        talk.run(&format!("set k {}", "ab".repeat(50)));
        assert_eq!(dump(talk, "k")[..3], [0, 0x40, 100]);
    });
    each(|talk| {
        talk.run(&format!("set k {}", "ab".repeat(50)));
        assert_eq!(dump(talk, "k")[..2], [0, 0xc3]);
        // Twenty bytes are left alone.
        talk.run(&format!("set k {}", "a".repeat(20)));
        assert_eq!(dump(talk, "k")[..2], [0, 20]);
    });
}

#[test]
fn debug_object_describes_a_key() {
    each(|talk| {
        talk.check_error("debug object k", "ERR no such key");
        talk.run("set k text");
        let line = String::from_utf8(talk.reply_to("debug object k")).expect("it is text");
        assert!(line.starts_with("+Value at:0x"), "{line}");
        assert!(line.contains(" refcount:1 encoding:embstr serializedlength:5 lru:"), "{line}");
        assert!(line.trim_end().ends_with(" lru_seconds_idle:0"), "{line}");
        talk.run(&format!("rpush l a {}", "x".repeat(9000)));
        let line = String::from_utf8(talk.reply_to("debug object l")).expect("it is text");
        assert!(line.contains(" ql_nodes:2 ql_avg_node:1.00 ql_listpack_max:-2"), "{line}");
    });
}

#[test]
fn digests_depend_on_the_data_alone() {
    each(|talk| {
        let zero = format!("+{}\r\n", "0".repeat(40));
        talk.check("debug digest", &zero);
        talk.check("debug digest-value missing", &format!("*1\r\n{zero}"));
        talk.run("sadd s a b c");
        talk.run("hset h f v g w");
        let before = talk.reply_to("debug digest");
        talk.run("del s h");
        talk.run("hset h g w f v");
        talk.run("sadd s c b a");
        assert_eq!(talk.reply_to("debug digest"), before);
        talk.run("pexpire s 1000");
        assert_ne!(talk.reply_to("debug digest"), before);
        talk.cluster.advance_ms(1001);
        talk.run("sadd s a b c");
        assert_eq!(talk.reply_to("debug digest"), before);
        talk.run("select 1");
        talk.run("set other 1");
        assert_ne!(talk.reply_to("debug digest"), before);
    });
}
