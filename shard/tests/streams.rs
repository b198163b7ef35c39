//! Conversations about streams: what the random comparison with a real server leaves out. Ids made
//! by the clock, all that tells of time, errors, and what Redis has since 7.2.

mod support;

use basalt_shard::settings::Settings;
use support::scenario::{Scenario, each, each_with};
use support::{START_MS, settings};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "ERR syntax error";
const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const NOT_GREATER: &str =
    "ERR The ID specified in XADD is equal or smaller than the target stream top item";

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// An array of replies.
fn array(elements: &[String]) -> String {
    format!("*{}\r\n{}", elements.len(), elements.concat())
}

fn bulks(texts: &[&str]) -> String {
    array(&texts.iter().map(|text| bulk(text)).collect::<Vec<_>>())
}

fn integer(number: i64) -> String {
    format!(":{number}\r\n")
}

/// An entry with the fields of `fill`.
fn entry(id: &str) -> String {
    array(&[bulk(id), bulks(&["f", "v"])])
}

fn entries(ids: &[&str]) -> String {
    array(&ids.iter().map(|id| entry(id)).collect::<Vec<_>>())
}

/// Adds entries `1-0` to `count-0`.
fn fill(talk: &mut Scenario, key: &str, count: u32) {
    for ms in 1..=count {
        talk.check_bulk(&format!("XADD {key} {ms} f v"), &format!("{ms}-0"));
    }
}

/// What a read of one stream answers.
fn check_read(talk: &mut Scenario, request: &str, key: &str, expected: &str) {
    let resp2 = format!("*1\r\n*2\r\n{}{expected}", bulk(key));
    let resp3 = format!("%1\r\n{}{}", bulk(key), expected.replace("*-1\r\n", "_\r\n"));
    talk.check_either(request, &resp2, &resp3);
}

#[test]
fn ids_by_the_clock() {
    each(|talk| {
        talk.check_bulk("XADD s * f v", &format!("{START_MS}-0"));
        talk.check_bulk("XADD s * f v", &format!("{START_MS}-1"));
        talk.check_bulk(&format!("XADD s {START_MS}-* f v"), &format!("{START_MS}-2"));
        talk.cluster.advance_ms(5);
        talk.check_bulk("XADD s * f v", &format!("{}-0", START_MS + 5));
        let ahead = START_MS + 100_000;
        talk.check_bulk(&format!("XADD s {ahead}-7 f v"), &format!("{ahead}-7"));
        talk.check_bulk("XADD s * f v", &format!("{ahead}-8"));
        talk.check_bulk(
            &format!("XADD s {ahead}-18446744073709551615 f v"),
            &format!("{ahead}-18446744073709551615"),
        );
        talk.check_error(&format!("XADD s {ahead}-* f v"), NOT_GREATER);
        talk.check_bulk("XADD s * f v", &format!("{}-0", ahead + 1));
        talk.check_integer("XLEN s", 8);
        talk.check_bulk("XADD zero 0-* f v", "0-1");
        talk.check("TYPE s", "+stream\r\n");
        talk.check_bulk("OBJECT ENCODING s", "stream");
    });
}

#[test]
fn the_last_id_of_all() {
    each(|talk| {
        let last = "18446744073709551615-18446744073709551615";
        talk.check_bulk(&format!("XADD s {last} f v"), last);
        talk.check_error(
            "XADD s * f v",
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        );
        talk.check("XRANGE s - +", &entries(&[last]));
        talk.check_error(&format!("XRANGE s ({last} +"), "ERR invalid start ID for the interval");
        talk.check_error("XRANGE s - (0-0", "ERR invalid end ID for the interval");
        talk.check_null_array(&format!("XREAD STREAMS s {last}"));
        check_read(talk, "XREAD STREAMS s +", "s", &entries(&[last]));
    });
}

#[test]
fn adding_is_refused() {
    each(|talk| {
        talk.check_error("XADD s 0-0 f v", "ERR The ID specified in XADD must be greater than 0-0");
        talk.check_error("XADD s 1 f", "ERR wrong number of arguments for 'xadd' command");
        talk.check_error("XADD s MAXLEN 5 * f", "ERR wrong number of arguments for 'xadd' command");
        talk.check_error("XADD s foo f v", INVALID_ID);
        talk.check_error("XADD s MAXLEN x * f v", NOT_AN_INTEGER);
        talk.check_error("XADD s MAXLEN -1 * f v", "ERR The MAXLEN argument must be >= 0.");
        talk.check_error("XADD s MINID + * f v", INVALID_ID);
        talk.check_error(
            "XADD s MAXLEN ~ 1 LIMIT -1 * f v",
            "ERR The LIMIT argument must be >= 0.",
        );
        talk.check_error(
            "XADD s MAXLEN 5 MINID 1 * f v",
            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        );
        talk.check_error(
            "XADD s LIMIT 5 * f v",
            "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        );
        talk.check_error(
            "XTRIM s MAXLEN = 5 LIMIT 5",
            "ERR syntax error, LIMIT cannot be used without the special ~ option",
        );
        talk.check_error("XTRIM s KEEPREF ACKED", SYNTAX);
        talk.check_error(
            "XTRIM s LIMIT 0",
            "ERR syntax error, XTRIM must be called with a trimming strategy",
        );
        talk.check_null("XADD s NOMKSTREAM * f v");
        talk.check_integer("EXISTS s", 0);
        talk.check_bulk("XADD s 5 f v", "5-0");
        talk.check_error("XADD s 5-0 f v", NOT_GREATER);
        talk.check_error("XADD s 4-* f v", NOT_GREATER);
    });
}

#[test]
fn other_types_are_refused() {
    each(|talk| {
        talk.check_ok("SET k text");
        for request in [
            "XADD k * f v",
            "XADD k NOMKSTREAM * f v",
            "XLEN k",
            "XRANGE k - +",
            "XREVRANGE k + - COUNT 0",
            "XDEL k x",
            "XDELEX k IDS 1 1",
            "XTRIM k MAXLEN 0",
            "XSETID k 5",
            "XREAD STREAMS k 0",
            "XREADGROUP GROUP g c STREAMS k >",
            "XGROUP CREATE k g $ MKSTREAM",
            "XGROUP SETID k g $",
            "XGROUP DESTROY k g",
            "XGROUP CREATECONSUMER k g c",
            "XGROUP DELCONSUMER k g c",
            "XACK k g x",
            "XACKDEL k g IDS 1 1",
            "XPENDING k g",
            "XCLAIM k g c 0 1",
            "XAUTOCLAIM k g c 0 -",
            "XINFO STREAM k",
            "XINFO GROUPS k",
            "XINFO CONSUMERS k g",
        ] {
            talk.check_error(request, WRONG_TYPE);
        }
    });
}

#[test]
fn keys_and_groups_that_are_missing() {
    const NO_KEY: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for \
                          CREATE you may want to use the MKSTREAM option to create an empty stream \
                          automatically.";
    each(|talk| {
        for request in ["XLEN s", "XDEL s 1", "XTRIM s MAXLEN 0", "XACK s g x"] {
            talk.check_integer(request, 0);
        }
        talk.check_array("XRANGE s - + COUNT 0", &[]);
        talk.check_null_array("XREAD STREAMS s 0");
        talk.check_error("XSETID s 1", "ERR no such key");
        talk.check_error("XINFO STREAM s FULL foo", "ERR no such key");
        talk.check_error("XPENDING s g", "NOGROUP No such key 's' or consumer group 'g'");
        talk.check_error("XGROUP CREATE s g $", NO_KEY);
        talk.check_error("XGROUP CREATE s g x MKSTREAM", INVALID_ID);
        talk.check_error("XGROUP DESTROY s g", NO_KEY);
        talk.check_integer("EXISTS s", 0);
        talk.check_ok("XGROUP CREATE s g $ MKSTREAM");
        talk.check_integer("XLEN s", 0);
        talk.check_error("XGROUP CREATE s g 0", "BUSYGROUP Consumer Group name already exists");
        talk.check_error(
            "XGROUP SETID s h 0",
            "NOGROUP No such consumer group 'h' for key name 's'",
        );
        talk.check_error(
            "XGROUP CREATE s g 0 FOO",
            "ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
        );
        talk.check_error(
            "XREADGROUP GROUP h c STREAMS s >",
            "NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option",
        );
        talk.check_error("XCLAIM s h c 0 1", "NOGROUP No such key 's' or consumer group 'h'");
        talk.check_integer("XGROUP DESTROY s g", 1);
        talk.check_integer("XGROUP DESTROY s g", 0);
    });
}

#[test]
fn arguments_of_reads() {
    each(|talk| {
        fill(talk, "s", 2);
        talk.run("XGROUP CREATE s g 0");
        talk.check_error("XREAD COUNT 1 s 0", SYNTAX);
        talk.check_error(
            "XREAD STREAMS s t 0",
            "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be \
             specified.",
        );
        talk.check_error(
            "XREAD NOACK STREAMS s 0",
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
        );
        talk.check_error(
            "XREADGROUP COUNT 1 COUNT 2 NOACK STREAMS s 0",
            "ERR Missing GROUP option for XREADGROUP",
        );
        talk.check_error(
            "XREAD STREAMS s >",
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        );
        talk.check_error(
            "XREAD BLOCK x STREAMS s $",
            "ERR timeout is not an integer or out of range",
        );
        talk.check_error("XREAD BLOCK -1 STREAMS s $", "ERR timeout is negative");
        check_read(talk, "XREAD BLOCK 0 STREAMS s 1", "s", &entries(&["2-0"]));
        check_read(talk, "XREAD STREAMS s +", "s", &entries(&["2-0"]));
        talk.check_integer("XDEL s 2", 1);
        check_read(talk, "XREAD STREAMS s +", "s", &entries(&["1-0"]));
        talk.check_null_array("XREAD STREAMS s $");
    });
}

#[test]
fn a_group_reads_and_acknowledges() {
    each(|talk| {
        fill(talk, "s", 5);
        talk.check_ok("XGROUP CREATE s g 0");
        let ids = entries(&["1-0", "2-0"]);
        check_read(talk, "XREADGROUP GROUP g a COUNT 2 STREAMS s >", "s", &ids);
        talk.cluster.advance_ms(1000);
        check_read(talk, "XREADGROUP GROUP g b STREAMS s >", "s", &entries(&["3-0", "4-0", "5-0"]));
        talk.check_null_array("XREADGROUP GROUP g b STREAMS s >");
        talk.check_integer("XDEL s 2", 1);
        let gone = array(&[bulk("2-0"), "*-1\r\n".into()]);
        let history = array(&[entry("1-0"), gone]);
        check_read(talk, "XREADGROUP GROUP g a STREAMS s 0", "s", &history);
        let pending = |id: &str, name: &str, idle_ms, deliveries| {
            array(&[bulk(id), bulk(name), integer(idle_ms), integer(deliveries)])
        };
        let both = array(&[pending("1-0", "a", 0, 2), pending("2-0", "a", 1000, 1)]);
        talk.check("XPENDING s g - + 10 a", &both);
        talk.check("XPENDING s g IDLE 500 - + 10", &array(&[pending("2-0", "a", 1000, 1)]));
        talk.check_array("XPENDING s g - + 10 nobody", &[]);
        let consumers = array(&[bulks(&["a", "2"]), bulks(&["b", "3"])]);
        let summary = array(&[integer(5), bulk("1-0"), bulk("5-0"), consumers]);
        talk.check("XPENDING s g", &summary);
        talk.check_integer("XACK s g 1 1 2 9", 2);
        talk.check_integer("XGROUP DELCONSUMER s g b", 3);
        let none = "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n";
        talk.check_either("XPENDING s g", none, "*4\r\n:0\r\n_\r\n_\r\n_\r\n");
    });
}

#[test]
fn claiming() {
    each(|talk| {
        fill(talk, "s", 4);
        talk.check_ok("XGROUP CREATE s g 0");
        talk.run("XREADGROUP GROUP g a STREAMS s >");
        talk.cluster.advance_ms(100);
        talk.check_array("XCLAIM s g b 200 1 2", &[]);
        talk.check("XCLAIM s g b 100 1 IDLE 50", &entries(&["1-0"]));
        talk.check_array("XCLAIM s g b 0 2 TIME 0 RETRYCOUNT 9 JUSTID", &["2-0"]);
        talk.check_integer("XDEL s 3", 1);
        talk.check_array("XCLAIM s g b 0 3", &[]);
        let row = |id: &str, name: &str, idle_ms, deliveries| {
            array(&[bulk(id), bulk(name), integer(idle_ms), integer(deliveries)])
        };
        let rows = array(&[
            row("1-0", "b", 50, 2),
            row("2-0", "b", START_MS + 100, 9),
            row("4-0", "a", 100, 1),
        ]);
        talk.check("XPENDING s g - + 10", &rows);
        talk.check_error("XCLAIM s g b x 1", "ERR Invalid min-idle-time argument for XCLAIM");
        talk.check_error("XCLAIM s g b 0 1 IDLE x", "ERR Invalid IDLE option argument for XCLAIM");
        talk.check_error("XCLAIM s g b 0 1 foo", "ERR Unrecognized XCLAIM option 'foo'");
        talk.check_error("XAUTOCLAIM s g c 0 - COUNT 0", "ERR COUNT must be > 0");
        talk.check_integer("XDEL s 1", 1);
        let swept = array(&[bulk("4-0"), entries(&["2-0"]), bulks(&["1-0"])]);
        talk.check("XAUTOCLAIM s g c 60 - COUNT 2", &swept);
        let rest = array(&[bulk("0-0"), bulks(&["4-0"]), bulks(&[])]);
        talk.check("XAUTOCLAIM s g c 60 (2 JUSTID", &rest);
        talk.check_integer("XACK s g 4", 1);
        talk.check("XCLAIM s g d 0 4 FORCE", &entries(&["4-0"]));
        talk.check_array("XCLAIM s g d 0 9 FORCE JUSTID", &[]);
    });
}

/// An entry with the fields of `fill`, as a read answers that claims what is idle.
fn idle_entry(id: &str, idle_ms: i64, deliveries: i64) -> String {
    let fields = bulks(&["f", "v"]);
    array(&[bulk(id), fields, integer(idle_ms), integer(deliveries)])
}

#[test]
fn reading_what_is_idle() {
    let row = |id: &str, name: &str, idle_ms, deliveries| {
        array(&[bulk(id), bulk(name), integer(idle_ms), integer(deliveries)])
    };
    each(|talk| {
        fill(talk, "s", 6);
        talk.check_ok("XGROUP CREATE s g 0");
        talk.run("XREADGROUP GROUP g a COUNT 3 STREAMS s >");
        talk.cluster.advance_ms(100);
        talk.run("XREADGROUP GROUP g b COUNT 1 STREAMS s >");
        // Longest idle first, whoever has it; then what is new; all of it within COUNT.
        talk.run("XCLAIM s g b 0 2 IDLE 90");
        let read = "XREADGROUP GROUP g c COUNT 4 CLAIM 50 STREAMS s >";
        let found = [
            idle_entry("1-0", 100, 1),
            idle_entry("3-0", 100, 1),
            idle_entry("2-0", 90, 2),
            idle_entry("5-0", 0, 0),
        ];
        check_read(talk, read, "s", &array(&found));
        let rows = [
            row("1-0", "c", 0, 2),
            row("2-0", "c", 0, 3),
            row("3-0", "c", 0, 2),
            row("4-0", "b", 0, 1),
            row("5-0", "c", 0, 1),
        ];
        talk.check("XPENDING s g - + 10", &array(&rows));
        // What is read without acknowledgement is not pending; what was claimed still is.
        talk.cluster.advance_ms(10);
        talk.check_integer("XACK s g 1 2 3", 3);
        let found = [idle_entry("4-0", 10, 1), idle_entry("5-0", 10, 1), idle_entry("6-0", 0, 0)];
        let read = "XREADGROUP CLAIM 10 GROUP g a NOACK STREAMS s >";
        check_read(talk, read, "s", &array(&found));
        talk.check("XPENDING s g - + 10", &array(&[row("4-0", "a", 0, 2), row("5-0", "a", 0, 2)]));
        talk.check_null_array("XREADGROUP GROUP g a CLAIM 1 STREAMS s >");
        talk.check_null_array("XREADGROUP GROUP g a CLAIM 9223372036854775807 STREAMS s >");
        // History is told as ever.
        let history = entries(&["4-0", "5-0"]);
        check_read(talk, "XREADGROUP GROUP g a CLAIM 0 STREAMS s 0", "s", &history);
        // What is gone from the stream is passed over, stays pending, and may come again.
        talk.check_integer("XDEL s 5 6", 2);
        let found = idle_entry("4-0", 0, 3);
        check_read(talk, "XREADGROUP GROUP g b CLAIM 0 STREAMS s >", "s", &array(&[found]));
        talk.check("XPENDING s g - + 10", &array(&[row("4-0", "b", 0, 4), row("5-0", "a", 0, 3)]));
        talk.check_error(
            "XSETID s 4-9",
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        );
    });
}

#[test]
fn idle_entries_of_several_streams() {
    each(|talk| {
        for key in ["s{t}", "u{t}"] {
            fill(talk, key, 3);
            talk.run(&format!("XGROUP CREATE {key} g 0"));
            talk.run(&format!("XREADGROUP GROUP g a COUNT 2 STREAMS {key} >"));
            talk.cluster.advance_ms(20);
        }
        let both = [
            array(&[idle_entry("1-0", 40, 1), idle_entry("2-0", 40, 1), idle_entry("3-0", 0, 0)]),
            array(&[idle_entry("1-0", 20, 1), idle_entry("2-0", 20, 1), idle_entry("3-0", 0, 0)]),
        ];
        let (s, u) = (bulk("s{t}"), bulk("u{t}"));
        let resp2 = format!("*2\r\n*2\r\n{s}{}*2\r\n{u}{}", both[0], both[1]);
        let resp3 = format!("%2\r\n{s}{}{u}{}", both[0], both[1]);
        let read = "XREADGROUP GROUP g b COUNT 5 CLAIM 20 STREAMS s{t} u{t} > >";
        talk.check_either(read, &resp2, &resp3);
    });
}

#[test]
fn arguments_of_idle_reads() {
    const NO_INTEGER: &str = "ERR min-idle-time is not an integer";
    each(|talk| {
        fill(talk, "s", 1);
        talk.run("XGROUP CREATE s g 0");
        for idle in ["test", "5.5", "+10", "-0", "-5.5", "10e", "STREAMS"] {
            let read = format!("XREADGROUP GROUP g c CLAIM {idle} STREAMS s >");
            talk.check_error(&read, NO_INTEGER);
        }
        talk.check_error("XREADGROUP GROUP g c CLAIM STREAMS s >", NO_INTEGER);
        talk.check_error(
            "XREADGROUP GROUP g c CLAIM -10 STREAMS s >",
            "ERR min-idle-time must be a positive integer",
        );
        talk.check_error("XREADGROUP GROUP g CLAIM 50 c STREAMS s >", SYNTAX);
        talk.check_error(
            "XREAD CLAIM 10 STREAMS s 0",
            "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
        );
        talk.check_error(
            "XREADGROUP GROUP h c CLAIM 5 STREAMS s >",
            "NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option",
        );
    });
}

#[test]
fn times_of_consumers() {
    each(|talk| {
        fill(talk, "s", 1);
        talk.check_ok("XGROUP CREATE s g 0");
        talk.check_integer("XGROUP CREATECONSUMER s g a", 1);
        talk.check_integer("XGROUP CREATECONSUMER s g a", 0);
        talk.cluster.advance_ms(10);
        check_consumer(talk, 0, 10, -1);
        talk.run("XREADGROUP GROUP g a STREAMS s >");
        talk.cluster.advance_ms(10);
        talk.run("XREADGROUP GROUP g a STREAMS s >");
        talk.cluster.advance_ms(5);
        check_consumer(talk, 1, 5, 15);
        let reply = String::from_utf8(talk.reply_to("XINFO STREAM s FULL")).expect("text");
        let seen = format!("seen-time\r\n:{}\r\n", START_MS + 20);
        let active = format!("active-time\r\n:{}\r\n", START_MS + 10);
        assert!(reply.contains(&seen) && reply.contains(&active), "{reply}");
    });
}

/// What XINFO CONSUMERS tells of the only consumer, `a`.
fn check_consumer(talk: &mut Scenario, pending: i64, idle_ms: i64, inactive_ms: i64) {
    let numbers = [("pending", pending), ("idle", idle_ms), ("inactive", inactive_ms)];
    let pairs: String =
        numbers.iter().map(|(name, number)| bulk(name) + &integer(*number)).collect();
    let fields = format!("{}{}{pairs}", bulk("name"), bulk("a"));
    let (resp2, resp3) = (format!("*1\r\n*8\r\n{fields}"), format!("*1\r\n%4\r\n{fields}"));
    talk.check_either("XINFO CONSUMERS s g", &resp2, &resp3);
}

#[test]
fn setting_ids() {
    each(|talk| {
        fill(talk, "s", 3);
        talk.check_integer("XDEL s 2", 1);
        talk.check_error(
            "XSETID s 2",
            "ERR The ID specified in XSETID is smaller than the target stream top item",
        );
        talk.check_error("XSETID s 5 ENTRIESADDED -1", "ERR entries_added must be positive");
        talk.check_error(
            "XSETID s 5 ENTRIESADDED 1",
            "ERR The entries_added specified in XSETID is smaller than the target stream length",
        );
        talk.check_error(
            "XSETID s 5 MAXDELETEDID 6",
            "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        );
        talk.check_ok("XSETID s 5 ENTRIESADDED 9 MAXDELETEDID 4");
        talk.check_error(
            "XSETID s 3",
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        );
        talk.check_bulk("XADD s 5-* f v", "5-1");
        talk.check_error("XSETID s 9 FOO 1", SYNTAX);
    });
}

#[test]
fn deleting_by_references() {
    each(|talk| {
        fill(talk, "s", 6);
        talk.check_array_of_integers("XDELEX s IDS 2 1 9", &[1, -1]);
        talk.check_ok("XGROUP CREATE s g 0");
        talk.run("XREADGROUP GROUP g a COUNT 3 STREAMS s >");
        // 2, 3 and 4 are pending, 5 and 6 are not read yet.
        talk.check_array_of_integers("XDELEX s ACKED IDS 2 2 5", &[2, 2]);
        talk.check_array_of_integers("XDELEX s DELREF IDS 1 2", &[1]);
        talk.check_array_of_integers("XACKDEL s g ACKED IDS 3 3 5 2", &[1, -1, -1]);
        talk.check_array_of_integers("XDELEX s KEEPREF IDS 1 4", &[1]);
        talk.check("XRANGE s - +", &entries(&["5-0", "6-0"]));
        talk.check_array_of_integers("XACKDEL s g IDS 1 4", &[1]);
        talk.check_array_of_integers("XDELEX missing IDS 2 1 2", &[-1, -1]);
        talk.check_array_of_integers("XACKDEL missing g IDS 1 1", &[-1]);
        talk.check_error("XDELEX s IDS 0 1", "ERR Number of IDs must be a positive integer");
        talk.check_error(
            "XDELEX s IDS 3 1 2",
            "ERR The `numids` parameter must match the number of arguments",
        );
        talk.check_error("XDELEX s IDS 1 x", INVALID_ID);
        talk.check_error("XDELEX s ACKED 1 2", SYNTAX);
    });
}

#[test]
fn trimming_by_references() {
    let small_blocks = Settings { stream_node_max_entries: 2, ..settings() };
    each_with(&small_blocks, |talk| {
        fill(talk, "s", 6);
        talk.check_ok("XGROUP CREATE s g 4");
        talk.run("XGROUP SETID s g 0");
        talk.run("XREADGROUP GROUP g a COUNT 4 STREAMS s >");
        talk.check_integer("XACK s g 1 3 4", 3);
        // 2 is pending, 5 and 6 are not read yet.
        talk.check_integer("XTRIM s MAXLEN 5 ACKED", 1);
        talk.check_integer("XTRIM s MAXLEN ~ 0 ACKED", 0);
        talk.check_integer("XTRIM s MINID 6 ACKED", 2);
        talk.check("XRANGE s - +", &entries(&["2-0", "5-0", "6-0"]));
        talk.check_integer("XTRIM s MAXLEN ~ 2 DELREF", 1);
        talk.check("XPENDING s g - + 5", "*0\r\n");
        talk.check_bulk("XADD s DELREF MAXLEN 1 9 f v", "9-0");
        talk.check_integer("XLEN s", 1);
    });
}

#[test]
fn approximate_trimming_takes_whole_blocks() {
    let small_blocks = Settings { stream_node_max_entries: 10, ..settings() };
    each_with(&small_blocks, |talk| {
        fill(talk, "s", 45);
        talk.check_integer("XTRIM s MAXLEN ~ 38", 0);
        talk.check_integer("XTRIM s MAXLEN ~ 34 LIMIT 9", 0);
        talk.check_integer("XTRIM s MAXLEN ~ 34", 10);
        talk.check_integer("XTRIM s MINID ~ 30", 10);
        talk.check_bulk("XADD s MAXLEN ~ 5 46 f v", "46-0");
        talk.check_integer("XLEN s", 6);
        talk.check_integer("XTRIM s MAXLEN 3", 3);
        talk.check("XRANGE s - + COUNT 1", &entries(&["44-0"]));
        talk.check("XREVRANGE s + - COUNT 1", &entries(&["46-0"]));
        talk.check_integer("COPY s copy", 1);
        talk.check_integer("DEL s", 1);
        talk.check("XRANGE copy - +", &entries(&["44-0", "45-0", "46-0"]));
    });
}
