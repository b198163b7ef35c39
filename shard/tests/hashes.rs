//! Hashes by exact replies: every command, its options and errors, in every form a hash has, in
//! both versions of the protocol, on one core and on several.

mod support;

use basalt_shard::settings::Settings;

use support::resp::{show, split_replies};
use support::{ClientId, Cluster, settings};

/// Seed of the scheduler: nothing here is about interleaving.
const SEED: u64 = 11;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

/// A client and what it talks to.
struct Talk {
    cluster: Cluster,
    client: ClientId,
    is_resp3: bool,
    is_packed: bool,
}

/// Holds a conversation with every kind of server, with hashes packed and not.
fn each(talk: impl Fn(&mut Talk)) {
    for is_packed in [true, false] {
        let fields_max = if is_packed { 512 } else { 0 };
        let settings = Settings { hash_max_listpack_entries: fields_max, ..settings() };
        for core_count in [1, 3] {
            for is_resp3 in [false, true] {
                let mut cluster = Cluster::with_settings(core_count, SEED, settings.clone());
                let client = cluster.connect(0);
                if is_resp3 {
                    cluster.execute(client, "HELLO 3");
                }
                talk(&mut Talk { cluster, client, is_resp3, is_packed });
            }
        }
    }
}

impl Talk {
    fn run(&mut self, request: &str) -> Vec<u8> {
        self.cluster.execute(self.client, request)
    }

    /// Checks a reply in short: elements in brackets, maps in braces, errors with their dash.
    #[track_caller]
    fn check(&mut self, request: &str, expected: &str) {
        let reply = self.run(request);
        let (text, rest) = shorten(&reply);
        assert!(rest.is_empty(), "{request}: more than one reply in {}", show(&reply));
        assert_eq!(text, expected, "{request}");
    }

    /// Checks a reply that RESP3 has another form for.
    #[track_caller]
    fn check_either(&mut self, request: &str, resp2: &str, resp3: &str) {
        let expected = if self.is_resp3 { resp3 } else { resp2 };
        self.check(request, expected);
    }

    #[track_caller]
    fn check_error(&mut self, request: &str, expected: &str) {
        self.check(request, &format!("-{expected}"));
    }

    /// The bulk strings of a reply, sorted.
    fn sorted(&mut self, request: &str) -> Vec<String> {
        let reply = self.run(request);
        let mut texts: Vec<String> = String::from_utf8(reply)
            .expect("replies are text here")
            .split("\r\n")
            .filter(|line| !line.is_empty() && !line.starts_with(['*', '$', '%', '~']))
            .map(str::to_owned)
            .collect();
        texts.sort();
        texts
    }
}

/// A reply in short, and the bytes behind it.
fn shorten(reply: &[u8]) -> (String, &[u8]) {
    let line_end = reply.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
    let line = std::str::from_utf8(&reply[1..line_end]).expect("a line is text");
    let mut rest = &reply[line_end + 2..];
    let count = line.parse::<i64>().unwrap_or(0);
    let (open, close, elements) = match reply[0] {
        b'*' if count >= 0 => ("[", "]", count),
        b'%' => ("{", "}", 2 * count),
        b'$' if count >= 0 => {
            let text = String::from_utf8_lossy(&rest[..count as usize]).into_owned();
            return (text, &rest[count as usize + 2..]);
        }
        b'_' | b'$' | b'*' => return ("nil".into(), rest),
        b'-' => return (format!("-{line}"), rest),
        _ => return (line.to_owned(), rest),
    };
    let mut texts = Vec::new();
    for _ in 0..elements {
        let (text, after) = shorten(rest);
        texts.push(text);
        rest = after;
    }
    (format!("{open}{}{close}", texts.join(" ")), rest)
}

#[test]
fn fields_are_written_read_and_removed() {
    each(|talk| {
        talk.check("HSET h a 1 b two a 3", "2");
        talk.check("HSET h b 2 c \"\"", "1");
        talk.check("HGET h a", "3");
        talk.check("HGET h c", "");
        talk.check("HGET h x", "nil");
        talk.check("HGET missing x", "nil");
        talk.check("HMGET h a x b", "[3 nil 2]");
        talk.check("HMGET missing a x", "[nil nil]");
        talk.check("HLEN h", "3");
        talk.check("HLEN missing", "0");
        talk.check("HSTRLEN h a", "1");
        talk.check("HSTRLEN h x", "0");
        talk.check("HEXISTS h a", "1");
        talk.check("HEXISTS h x", "0");
        talk.check("HSETNX h a 9", "0");
        talk.check("HSETNX h d 4", "1");
        talk.check("HDEL h a a x", "1");
        talk.check("HMSET h e 5", "OK");
        assert_eq!(talk.sorted("HKEYS h"), ["b", "c", "d", "e"]);
        assert_eq!(talk.sorted("HVALS h"), ["2", "4", "5"]);
        talk.check("TYPE h", "hash");
        talk.check("HDEL h b c d e", "4");
        talk.check("EXISTS h", "0");
        talk.check("HDEL h b", "0");
    });
}

#[test]
fn everything_is_a_map_in_resp3() {
    each(|talk| {
        talk.run("HSET h a 1");
        talk.check_either("HGETALL h", "[a 1]", "{a 1}");
        talk.check_either("HGETALL missing", "[]", "{}");
        talk.check("HKEYS missing", "[]");
        talk.check("HVALS missing", "[]");
    });
}

#[test]
fn other_types_and_bad_arguments_are_refused() {
    each(|talk| {
        talk.run("SET s 1");
        for request in [
            "HSET s a 1",
            "HSETNX s a 1",
            "HMSET s a 1",
            "HGET s a",
            "HMGET s a",
            "HGETALL s",
            "HKEYS s",
            "HVALS s",
            "HLEN s",
            "HSTRLEN s a",
            "HEXISTS s a",
            "HDEL s a",
            "HINCRBY s a 1",
            "HINCRBYFLOAT s a 1",
            "HRANDFIELD s",
            "HRANDFIELD s 1",
            "HSCAN s 0",
            "HEXPIRE s 1 FIELDS 1 a",
            "HTTL s FIELDS 1 a",
            "HPERSIST s FIELDS 1 a",
            "HGETEX s FIELDS 1 a",
            "HSETEX s FIELDS 1 a b",
            "HGETDEL s FIELDS 1 a",
        ] {
            talk.check_error(request, WRONG_TYPE);
        }
        for name in ["hset", "hmset"] {
            let expected = format!("ERR wrong number of arguments for '{name}' command");
            talk.check_error(&format!("{name} h a"), &expected);
            talk.check_error(&format!("{name} h a 1 b"), &expected);
        }
        talk.run("HSET h a x");
        talk.check_error("GET h", WRONG_TYPE);
        talk.check("SET h 1", "OK");
        talk.check("GET h", "1");
    });
}

#[test]
fn fields_count() {
    each(|talk| {
        talk.check("HINCRBY h a 5", "5");
        talk.check("HINCRBY h a -7", "-2");
        talk.check("HSET h text x big 9223372036854775807 spaced \" 1\"", "3");
        talk.check_error("HINCRBY h text 1", "ERR hash value is not an integer");
        talk.check_error("HINCRBY h spaced 1", "ERR hash value is not an integer");
        talk.check_error("HINCRBY h big 1", "ERR increment or decrement would overflow");
        talk.check_error("HINCRBY h a 1.5", NOT_AN_INTEGER);
        talk.check("HINCRBYFLOAT h a 0.1", "-1.9");
        talk.check("HINCRBYFLOAT h new 5.0e3", "5000");
        talk.check_error("HINCRBYFLOAT h text 1", "ERR hash value is not a float");
        talk.check_error("HINCRBYFLOAT h a x", "ERR value is not a valid float");
        talk.check_error("HINCRBYFLOAT h a inf", "ERR value is NaN or Infinity");
        talk.check_error("HINCRBY missing a x", NOT_AN_INTEGER);
        talk.check("EXISTS missing", "0");
    });
}

#[test]
fn encodings_change_where_redis_changes_them() {
    let settings =
        Settings { hash_max_listpack_entries: 3, hash_max_listpack_value_bytes: 5, ..settings() };
    let mut cluster = Cluster::with_settings(1, SEED, settings);
    let client = cluster.connect(0);
    let mut encoding = |request: &str| {
        cluster.execute(client, "DEL h");
        cluster.execute(client, "HSET h a 1");
        cluster.execute(client, request);
        String::from_utf8(cluster.execute(client, "OBJECT ENCODING h")).expect("text")
    };
    let (packed, timed, table) =
        ("$8\r\nlistpack\r\n", "$10\r\nlistpackex\r\n", "$9\r\nhashtable\r\n");
    assert_eq!(encoding("HSET h b 12345 c 1"), packed);
    assert_eq!(encoding("HSET h b 1 c 1 d 1"), table);
    assert_eq!(encoding("HSET h b 123456"), table);
    assert_eq!(encoding("HSET h longer 1"), table);
    assert_eq!(encoding("HSETNX h longer 1"), table);
    assert_eq!(encoding("HINCRBY h b 123456"), table);
    assert_eq!(encoding("HINCRBYFLOAT h b 1.23456"), table);
    assert_eq!(encoding("HEXPIRE h 10 FIELDS 1 a"), timed);
    assert_eq!(encoding("HEXPIRE h 10 FIELDS 1 x"), packed);
    assert_eq!(encoding("HSETEX h EX 10 FIELDS 1 b 1"), timed);
    assert_eq!(encoding("HSETEX h EX 10 FIELDS 1 b 123456"), table);
}

#[test]
fn random_fields_come_in_the_shape_asked_for() {
    each(|talk| {
        talk.run("HSET h a 1 b 2 c 3");
        let name = talk.sorted("HRANDFIELD h");
        assert!(["a", "b", "c"].contains(&name[0].as_str()));
        talk.check("HRANDFIELD missing", "nil");
        talk.check("HRANDFIELD missing 5", "[]");
        talk.check("HRANDFIELD h 0", "[]");
        assert_eq!(talk.sorted("HRANDFIELD h 2").len(), 2);
        assert_eq!(talk.sorted("HRANDFIELD h 100"), ["a", "b", "c"]);
        assert_eq!(talk.sorted("HRANDFIELD h -10").len(), 10);
        assert_eq!(talk.sorted("HRANDFIELD h -10 WITHVALUES").len(), 20);
        assert_eq!(talk.sorted("HRANDFIELD h 3 WITHVALUES"), ["1", "2", "3", "a", "b", "c"]);
        talk.run("HSET one a 1");
        talk.check_either("HRANDFIELD one -2 withvalues", "[a 1 a 1]", "[[a 1] [a 1]]");
        talk.check_either("HRANDFIELD one 2 withvalues", "[a 1]", "[[a 1]]");
        talk.check_error("HRANDFIELD h x", NOT_AN_INTEGER);
        talk.check_error("HRANDFIELD h 1 x", "ERR syntax error");
        talk.check_error("HRANDFIELD h 1 withvalues x", "ERR syntax error");
        talk.check_error(
            "HRANDFIELD h -9223372036854775808",
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        );
        let too_many = "HRANDFIELD h 4611686018427387904 withvalues";
        talk.check_error(too_many, "ERR value is out of range");
        talk.check_error("HRANDFIELD h -99999999999", "ERR value is out of range");
    });
}

#[test]
fn scans_visit_every_field_while_the_hash_grows() {
    each(|talk| {
        for number in 0..200 {
            talk.run(&format!("HSET h field:{number} {number}"));
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = "0".to_owned();
        let mut calls = 0;
        loop {
            let texts = talk.run(&format!("HSCAN h {cursor} COUNT 10 NOVALUES"));
            let (page, _) = shorten(&texts);
            let mut words = page.trim_matches(['[', ']']).split([' ', '[']);
            words.next().expect("a cursor").clone_into(&mut cursor);
            seen.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
            talk.run(&format!("HSET h more:{calls} x"));
            calls += 1;
            if cursor == "0" {
                break;
            }
        }
        assert!((0..200).all(|number| seen.contains(&format!("field:{number}"))));
        assert_eq!(calls == 1, talk.is_packed);
    });
}

#[test]
fn scans_take_the_options_of_scans() {
    each(|talk| {
        talk.run("HSET h a 1");
        talk.check("HSCAN h 0", "[0 [a 1]]");
        talk.check("HSCAN h 0 MATCH b*", "[0 []]");
        talk.check("HSCAN h 0 match a* count 1000 novalues", "[0 [a]]");
        // No pattern fits an empty name, and yet `*` means all.
        talk.run("HSET e \"\" v");
        assert_eq!(talk.run("HSCAN e 0 MATCH *"), talk.run("HSCAN e 0"));
        talk.check("HSCAN e 0 MATCH **", "[0 []]");
        talk.check("HSCAN missing 0", "[0 []]");
        talk.check("HSCAN missing 0 nonsense", "[0 []]");
        talk.check_error("HSCAN h x", "ERR invalid cursor");
        talk.check_error("HSCAN missing x", "ERR invalid cursor");
        talk.check_error("HSCAN h 0 TYPE hash", "ERR syntax error");
        talk.check_error("HSCAN h 0 COUNT 0", "ERR syntax error");
        talk.check_error("HSCAN h 0 COUNT", "ERR syntax error");
        talk.check_error("HSCAN h 0 COUNT x", NOT_AN_INTEGER);
    });
}

#[test]
fn fields_have_a_time_to_live() {
    each(|talk| {
        talk.run("HSET h a 1 b 2 c 3");
        talk.check("HEXPIRE h 10 FIELDS 3 a b x", "[1 1 -2]");
        talk.check("HTTL h FIELDS 3 a c x", "[10 -1 -2]");
        talk.check("HPTTL h FIELDS 1 a", "[10000]");
        let at_ms = talk.cluster.now_ms() + 10_000;
        talk.check("HPEXPIRETIME h FIELDS 1 a", &format!("[{at_ms}]"));
        talk.check("HEXPIRETIME h FIELDS 1 a", &format!("[{}]", at_ms / 1000));
        talk.check("HPEXPIRE h 9500 FIELDS 1 a", "[1]");
        talk.check("HTTL h FIELDS 1 a", "[10]");
        talk.check(&format!("HEXPIREAT h {} FIELDS 1 c", at_ms / 1000), "[1]");
        talk.check(&format!("HPEXPIREAT h {} FIELDS 1 c", at_ms + 1), "[1]");
        talk.check("HPERSIST h FIELDS 3 c c x", "[1 -1 -2]");
        talk.check("HTTL missing FIELDS 2 a b", "[-2 -2]");
        talk.check("HEXPIRE missing 10 FIELDS 2 a b", "[-2 -2]");
        talk.check("HPERSIST missing FIELDS 2 a b", "[-2 -2]");
        talk.cluster.advance_ms(9_500);
        talk.check("HMGET h a b c", "[1 2 3]");
        talk.cluster.advance_ms(1);
        talk.check("HMGET h a b c", "[nil 2 3]");
        talk.check("HLEN h", "2");
        talk.cluster.advance_ms(500);
        talk.check("HKEYS h", "[c]");
        talk.check("HSET h a new", "1");
    });
}

#[test]
fn conditions_decide_which_fields_get_a_deadline() {
    each(|talk| {
        talk.run("HSET h a 1 b 2");
        talk.check("HEXPIRE h 10 NX FIELDS 1 a", "[1]");
        talk.check("HEXPIRE h 20 NX FIELDS 2 a b", "[0 1]");
        talk.check("HPERSIST h FIELDS 1 b", "[1]");
        talk.check("HEXPIRE h 20 XX FIELDS 2 a b", "[1 0]");
        talk.check("HEXPIRE h 20 GT FIELDS 2 a b", "[0 0]");
        talk.check("HEXPIRE h 21 GT FIELDS 2 a b", "[1 0]");
        talk.check("HEXPIRE h 21 LT FIELDS 2 a b", "[0 1]");
        talk.check("HTTL h FIELDS 2 a b", "[21 21]");
        talk.check("HEXPIRE h 0 GT FIELDS 1 a", "[0]");
        talk.check("HEXPIRE h 0 FIELDS 2 a x", "[2 -2]");
        talk.check("HPEXPIREAT h 1 FIELDS 1 b", "[2]");
        talk.check("EXISTS h", "0");
    });
}

#[test]
fn commands_on_deadlines_check_their_arguments() {
    let missing = "ERR Mandatory argument FIELDS is missing or not at the right position";
    let mismatch = "ERR The `numfields` parameter must match the number of arguments";
    let not_positive = "ERR Number of fields must be a positive integer";
    each(|talk| {
        talk.run("HSET h a 1");
        for (start, bad_count) in [
            ("HEXPIRE h 10", "ERR Parameter `numFields` should be greater than 0"),
            ("HPEXPIREAT h 10 XX", "ERR Parameter `numFields` should be greater than 0"),
            ("HTTL h", not_positive),
            ("HPERSIST h", not_positive),
            ("HGETDEL h", not_positive),
            ("HGETEX h", not_positive),
            ("HGETEX h EX 10", not_positive),
        ] {
            talk.check_error(&format!("{start} FIELDX 1 a"), missing);
            talk.check_error(&format!("{start} FIELDS 0 a"), bad_count);
            talk.check_error(&format!("{start} FIELDS x a"), bad_count);
            talk.check_error(&format!("{start} FIELDS 2 a"), mismatch);
            talk.check_error(&format!("{start} FIELDS 1 a b"), mismatch);
        }
        let (negative, too_late) = ("ERR invalid expire time, must be >= 0", 1_i64 << 46);
        talk.check_error("HEXPIRE h -1 FIELDS 1 a", negative);
        talk.check_error("HEXPIRE h x FIELDS 1 a", NOT_AN_INTEGER);
        talk.check_error("HGETEX h PX -1 FIELDS 1 a", negative);
        talk.check_error("HSETEX h PXAT -1 FIELDS 1 a b", negative);
        for (name, rest) in [("hpexpireat", "FIELDS 1 a"), ("hpexpire", "FIELDS 1 a")] {
            let expected = format!("ERR invalid expire time in '{name}' command");
            talk.check_error(&format!("{name} h {too_late} {rest}"), &expected);
        }
        talk.check("HPTTL h FIELDS 1 a", "[-1]");
        talk.check(&format!("HPEXPIREAT h {} FIELDS 1 a", too_late - 1), "[1]");
    });
}

#[test]
fn fields_are_read_with_a_new_deadline() {
    each(|talk| {
        talk.run("HSET h a 1 b 2 c 3");
        talk.check("HGETEX h FIELDS 2 a x", "[1 nil]");
        talk.check("HGETEX h EX 10 FIELDS 3 a b x", "[1 2 nil]");
        talk.check("HTTL h FIELDS 3 a b c", "[10 10 -1]");
        talk.check("HGETEX h PERSIST FIELDS 2 a c", "[1 3]");
        talk.check("HTTL h FIELDS 2 a b", "[-1 10]");
        talk.check("HGETEX missing EX 10 FIELDS 2 a b", "[nil nil]");
        talk.check("HGETEX h PXAT 1 FIELDS 3 a b c", "[1 2 3]");
        talk.check("EXISTS h", "0");
        talk.run("HSET h a 1 b 2");
        talk.check("HGETDEL h FIELDS 3 a x a", "[1 nil nil]");
        talk.check("HGETDEL h FIELDS 1 b", "[2]");
        talk.check("EXISTS h", "0");
        talk.check("HGETDEL h FIELDS 1 b", "[nil]");
    });
}

#[test]
fn fields_are_written_with_a_deadline() {
    each(|talk| {
        talk.check("HSETEX h EX 10 FIELDS 2 a 1 b 2", "1");
        talk.check("HTTL h FIELDS 2 a b", "[10 10]");
        talk.check("HSETEX h KEEPTTL FIELDS 2 a 3 c 4", "1");
        talk.check("HTTL h FIELDS 2 a c", "[10 -1]");
        talk.check("HSETEX h FIELDS 1 a 5", "1");
        talk.check("HTTL h FIELDS 1 a", "[-1]");
        talk.check("HSETEX h FNX FIELDS 2 a 6 d 6", "0");
        talk.check("HSETEX h FXX FIELDS 2 a 6 d 6", "0");
        talk.check("HMGET h a d", "[5 nil]");
        talk.check("HSETEX h FNX FIELDS 1 d 6", "1");
        talk.check("HSETEX h FXX PX 5000 FIELDS 2 a 7 d 7", "1");
        talk.check("HPTTL h FIELDS 2 a d", "[5000 5000]");
        talk.check("HSETEX h NX FIELDS 1 a 8", "0");
        talk.check("HSETEX missing XX FIELDS 1 a 8", "0");
        talk.check("HSETEX missing FXX FIELDS 1 a 8", "0");
        talk.check("EXISTS missing", "0");
        talk.check("HSETEX h PXAT 1 FIELDS 2 a 8 x 8", "1");
        talk.check("HMGET h a b x", "[nil 2 nil]");
        talk.check("HINCRBY h b 1", "3");
        talk.check("HINCRBYFLOAT h b 1", "4");
        talk.check("HTTL h FIELDS 1 b", "[10]");
        talk.check("HSET h b 1", "0");
        talk.check("HTTL h FIELDS 1 b", "[-1]");
    });
}

#[test]
fn writing_with_a_deadline_checks_its_arguments() {
    let arity = "ERR wrong number of arguments for 'hsetex' command";
    let count = "ERR invalid number of fields";
    let lifetimes = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    let conditions = "ERR Only one of FXX or FNX arguments can be specified";
    let key_conditions = "ERR Only one of XX or NX arguments can be specified";
    each(|talk| {
        talk.check_error("HSETEX h FIELDS 2 a b c", arity);
        talk.check_error("HSETEX h FIELDS 1 a b c d", arity);
        talk.check_error("HSETEX h EX 10 FIELDS 1 a", arity);
        talk.check_error("HSETEX h FNX NX KEEPTTL XY", "ERR unknown argument: XY");
        talk.check_error("HSETEX h FNX NX EX 10", arity);
        talk.check_error("HSETEX h FNX NX KEEPTTL", arity);
        talk.check_error("HSETEX h FIELDS x a b", count);
        talk.check_error("HSETEX h FIELDS 0 a b", count);
        talk.check_error("HSETEX h FNX FXX FIELDS 1 a b", conditions);
        talk.check_error("HSETEX h NX XX FIELDS 1 a b", key_conditions);
        talk.check_error("HSETEX h EX 10 PX 10 FIELDS 1 a b", lifetimes);
        talk.check_error("HSETEX h KEEPTTL EX 10 FIELDS 1 a b", lifetimes);
        talk.check_error("HSETEX h EX 10 KEEPTTL FIELDS 1 a b", lifetimes);
        talk.check_error("HSETEX h EX x FIELDS 1 a b", NOT_AN_INTEGER);
        talk.check_error("HSETEX h FNX NX FXY 1 EX", "ERR unknown argument: FXY");
        talk.check_error("HSETEX h FNX NX XZ EX", "ERR unknown argument: XZ");
        talk.check("EXISTS h", "0");
    });
}

#[test]
fn a_hash_ends_with_its_last_field() {
    each(|talk| {
        talk.run("HSETEX h PX 100 FIELDS 2 a 1 b 2");
        talk.run("HSETEX other PX 100 FIELDS 1 a 1");
        talk.cluster.advance_ms(101);
        talk.check("KEYS *", "[]");
        talk.check("RANDOMKEY", "nil");
        talk.check("EXISTS h", "0");
        talk.check("TYPE other", "none");
        talk.check("DBSIZE", "0");
        talk.check("HGETALL h", if talk.is_resp3 { "{}" } else { "[]" });
    });
}

/// More fields than one lookup reclaims: the rest is hidden, and the key goes with the last.
#[test]
fn many_fields_end_at_once() {
    each(|talk| {
        let pairs: String = (0..500).map(|number| format!(" f{number} {number}")).collect();
        talk.run(&format!("HSETEX h PX 100 FIELDS 500{pairs}"));
        talk.run("COPY h copy");
        talk.run("HSET h stays 1");
        talk.cluster.advance_ms(101);
        talk.check("HLEN h", "1");
        talk.check("HKEYS h", "[stays]");
        talk.check("HGET h f499", "nil");
        talk.check("HRANDFIELD h -3", "[stays stays stays]");
        talk.check("HRANDFIELD h 3", "[stays]");
        talk.check("HSETNX h f498 new", "1");
        talk.check("HLEN h", "2");
        talk.check("EXISTS copy", "0");
    });
}

/// Nobody looks, and yet the memory comes back: wherever the hash went meanwhile.
#[test]
fn fields_are_reclaimed_actively() {
    each(|talk| {
        for (name, change) in [
            ("plain", "PING"),
            ("source", "RENAME source renamed"),
            ("model", "COPY model {model}copy REPLACE"),
            ("moved", "MOVE moved 3"),
            ("raised", "HPEXPIRE raised 200 FIELDS 1 a"),
            ("rewritten", "SET rewritten 1"),
        ] {
            talk.run(&format!("HSETEX {name} PX 100 FIELDS 2 a 1 b 2"));
            talk.run(change);
        }
        talk.run("SWAPDB 0 5");
        talk.cluster.advance_ms(101);
        let mut reclaimed = 0;
        // A core learns the time with its next turn.
        for _ in 0..100 {
            talk.cluster.step();
            for core in 0..talk.cluster.core_count() {
                reclaimed += talk.cluster.core(core).store.expire_cycle(1000).expired_fields;
            }
        }
        talk.cluster.run_until_idle();
        assert_eq!(reclaimed, 2 + 2 + 4 + 2 + 1);
        talk.run("SELECT 5");
        talk.check("DBSIZE", "2");
        talk.check("HKEYS raised", "[a]");
    });
}

#[test]
fn large_values_leave_whole() {
    each(|talk| {
        let large = "v".repeat(100_000);
        talk.run(&format!("HSET h large {large} small 1"));
        talk.check("HGET h large", &large);
        talk.check("HSTRLEN h large", "100000");
        talk.check("HMGET h small large", &format!("[1 {large}]"));
        talk.check("HGETDEL h FIELDS 1 large", &format!("[{large}]"));
        assert_eq!(split_replies(&talk.run("HVALS h")).len(), 1);
    });
}
