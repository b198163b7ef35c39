//! The COMMAND command, and what happens to commands that do not exist or do not fit.

mod support;

use std::collections::BTreeSet;

use support::{Expect, NIL, OK, Reply, array, bulk, each, line, map, set};

fn wrong_arity(command: &str) -> Expect {
    format!("-ERR wrong number of arguments for '{command}' command").into()
}

fn flags<const COUNT: usize>(names: [&str; COUNT]) -> Expect {
    set(names.map(|name| line(format!("+{name}"))))
}

fn nothing() -> Expect {
    let none: [Expect; 0] = [];
    set(none)
}

#[test]
fn unknown_commands_repeat_what_was_sent() {
    each(|t| {
        t.check("nosuch", "-ERR unknown command 'nosuch', with args beginning with: ");
        t.check(
            "NoSuch a 'b c' \"\"",
            "-ERR unknown command 'NoSuch', with args beginning with: 'a' 'b c' '' ",
        );
        let long = "x".repeat(200);
        let shown = "x".repeat(128);
        t.check(
            [long.as_str(), "a"],
            format!("-ERR unknown command '{shown}', with args beginning with: 'a' "),
        );
        let arguments = format!("nosuch {long} second");
        let reply = t.call(&arguments);
        let expected =
            format!("ERR unknown command 'nosuch', with args beginning with: '{shown}' ");
        assert_eq!(reply.error(), expected);
        t.check(r#"SET"#, wrong_arity("set"));
        t.check(
            r#""no\r\nsuch" "a\r\n""#,
            "-ERR unknown command 'no  such', with args beginning with: 'a  ' ",
        );
    });
}

#[test]
fn unknown_subcommands_point_to_help() {
    each(|t| {
        for (container, name) in [
            ("CLIENT", "client"),
            ("COMMAND", "command"),
            ("CONFIG", "config"),
            ("OBJECT", "object"),
        ] {
            let expected = format!("-ERR unknown subcommand 'no-Such'. Try {container} HELP.");
            t.check([container, "no-Such"], expected);
            let help = t.call([container, "help"]);
            assert!(help.texts()[0].starts_with(container), "{help:?}");
            t.check([container, "HELP", "x"], wrong_arity(&format!("{name}|help")));
        }
    });
}

#[test]
fn count_and_list_agree() {
    each(|t| {
        let count = t.integer("COMMAND COUNT");
        assert!(count > 0);
        assert_eq!(t.call("COMMAND").elements().len() as i64, count);
        let names: BTreeSet<String> = t.call("COMMAND LIST").texts().into_iter().collect();
        let top_level = names.iter().filter(|name| !name.contains('|')).count() as i64;
        assert_eq!(top_level, count);
        for name in ["get", "set", "client", "config", "scan", "msetnx"] {
            assert!(names.contains(name), "{name} in COMMAND LIST");
        }
        t.check("COMMAND COUNT x", wrong_arity("command|count"));
    });
}

#[test]
fn info_of_a_plain_command() {
    each(|t| {
        let key_spec = map([
            ("flags", flags(["RO", "access"])),
            ("begin_search", map([("type", bulk("index")), ("spec", map([("index", 1.into())]))])),
            (
                "find_keys",
                map([
                    ("type", bulk("range")),
                    (
                        "spec",
                        map([("lastkey", 0.into()), ("keystep", 1.into()), ("limit", 0.into())]),
                    ),
                ]),
            ),
        ]);
        let get = array([
            bulk("get"),
            2.into(),
            flags(["readonly", "fast"]),
            1.into(),
            1.into(),
            1.into(),
            flags(["@read", "@string", "@fast"]),
            nothing(),
            set([key_spec]),
            nothing(),
        ]);
        t.check("COMMAND INFO get", [get.clone()]);
        t.check("COMMAND INFO nosuch GET", [NIL, get]);
    });
}

#[test]
fn info_of_a_subcommand() {
    each(|t| {
        let reply = t.call("COMMAND INFO config|get");
        let fields = reply.elements()[0].elements();
        assert_eq!(fields[0].text(), "config|get");
        assert_eq!(fields[1].integer(), -3);
        let container = t.call("COMMAND INFO config");
        let subcommands = container.elements()[0].elements()[9].elements();
        let names: Vec<String> =
            subcommands.iter().map(|subcommand| subcommand.elements()[0].text()).collect();
        for name in ["config|get", "config|set", "config|rewrite", "config|resetstat"] {
            assert!(names.iter().any(|listed| listed == name), "{name} in {names:?}");
        }
        assert_eq!(t.call("COMMAND INFO config|nosuch").elements(), [Reply::Null]);
    });
}

/// Arity and key positions every client library hard-codes or reads.
#[test]
fn arities_and_key_positions() {
    each(|t| {
        for (name, arity, first, last, step) in [
            ("set", -3, 1, 1, 1),
            ("mget", -2, 1, -1, 1),
            ("mset", -3, 1, -1, 2),
            ("msetnx", -3, 1, -1, 2),
            ("del", -2, 1, -1, 1),
            ("rename", 3, 1, 2, 1),
            ("copy", -3, 1, 2, 1),
            ("lcs", -3, 1, 2, 1),
            ("ping", -1, 0, 0, 0),
            ("scan", -2, 0, 0, 0),
            ("getex", -2, 1, 1, 1),
            ("swapdb", 3, 0, 0, 0),
        ] {
            let reply = t.call(["COMMAND", "INFO", name]);
            let fields = reply.elements()[0].elements();
            let numbers = [1, 3, 4, 5].map(|index: usize| fields[index].integer());
            assert_eq!(numbers, [arity, first, last, step], "{name}");
        }
    });
}

#[test]
fn list_filters() {
    each(|t| {
        let none: [Expect; 0] = [];
        t.check("COMMAND LIST FILTERBY PATTERN xge*", array(none.clone()));
        t.check("COMMAND LIST FILTERBY MODULE nosuch", array(none.clone()));
        t.check("COMMAND LIST FILTERBY ACLCAT nosuch", array(none));
        t.check("COMMAND LIST FILTERBY pattern getran*", [bulk("getrange")]);
        t.check("COMMAND LIST FILTERBY PATTERN config|rew*", [bulk("config|rewrite")]);
        let strings = t.call("COMMAND LIST FILTERBY ACLCAT string").texts();
        assert!(strings.contains(&"append".to_owned()) && !strings.contains(&"ping".to_owned()));
        t.check("COMMAND LIST FILTERBY x y", "-ERR syntax error");
        t.check("COMMAND LIST FILTERBY PATTERN", "-ERR syntax error");
    });
}

#[test]
fn getkeys() {
    each(|t| {
        for (command, keys) in [
            ("GET k", vec!["k"]),
            ("MSET a 1 b 2", vec!["a", "b"]),
            ("SET k v EX 10", vec!["k"]),
            ("MGET a b a", vec!["a", "b", "a"]),
            ("RENAME a b", vec!["a", "b"]),
            ("LCS a b IDX", vec!["a", "b"]),
            ("OBJECT ENCODING k", vec!["k"]),
        ] {
            t.check(format!("COMMAND GETKEYS {command}"), array(keys.iter().map(bulk)));
        }
        t.check("COMMAND GETKEYSANDFLAGS SET k v", [array([bulk("k"), flags(["OW", "update"])])]);
        t.check(
            "COMMAND GETKEYSANDFLAGS COPY a b",
            [
                array([bulk("a"), flags(["RO", "access"])]),
                array([bulk("b"), flags(["OW", "update"])]),
            ],
        );
    });
}

#[test]
fn getkeys_errors() {
    each(|t| {
        let invalid = "-ERR Invalid command specified";
        t.check("COMMAND GETKEYS nosuch a", invalid);
        let no_keys = "-ERR The command has no key arguments";
        t.check("COMMAND GETKEYS ECHO a", no_keys);
        t.check("COMMAND GETKEYSANDFLAGS ECHO a", no_keys);
        let arity = "-ERR Invalid number of arguments specified for command";
        t.check("COMMAND GETKEYS GET a b", arity);
        // Servers differ in who notices first: COMMAND GETKEYS or the command asked about.
        let reply = t.call("COMMAND GETKEYS GET");
        assert!(reply.error().starts_with("ERR "), "{reply:?}");
    });
}

#[test]
fn docs_carry_what_command_line_clients_show() {
    each(|t| {
        let docs = t.call("COMMAND DOCS get SET nosuch");
        assert_eq!(docs.pairs().len(), 2);
        for (name, since) in [("get", "1.0.0"), ("set", "1.0.0")] {
            let entry = docs.field(name).expect("an entry per known command");
            let text = |field| entry.field(field).expect("a documented field").text();
            assert_eq!((text("since"), text("group")), (since.to_owned(), "string".to_owned()));
            assert!(!text("summary").is_empty() && text("complexity").starts_with("O("));
            let arguments = entry.field("arguments").expect("arguments");
            let first = &arguments.elements()[0];
            assert_eq!(first.field("name"), Some(Reply::Bulk(b"key".to_vec())));
            assert_eq!(first.field("type"), Some(Reply::Bulk(b"key".to_vec())));
            assert_eq!(first.field("key_spec_index"), Some(Reply::Integer(0)));
        }
        assert_eq!(t.call("COMMAND DOCS nosuch").pairs().len(), 0);
        let count = t.integer("COMMAND COUNT");
        assert_eq!(t.call("COMMAND DOCS").pairs().len() as i64, count);
    });
}

#[test]
fn every_command_refuses_too_few_arguments_by_its_arity() {
    each(|t| {
        let commands = t.call("COMMAND");
        for entry in commands.elements() {
            let fields = entry.elements();
            let (name, arity) = (fields[0].text(), fields[1].integer());
            let has_subcommands = !fields[9].elements().is_empty();
            if arity.abs() < 2 || has_subcommands {
                continue;
            }
            t.check([name.as_str()], wrong_arity(&name));
        }
        t.check("SET k v", OK);
    });
}
