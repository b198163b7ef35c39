//! Configuration in TOML.

use basalt_shard::host::RewriteExtent;

use super::{Scratch, get, load};

#[test]
fn values_have_types() {
    let scratch = Scratch::new();
    let file = scratch.file(
        "basalt.toml",
        r#"
# A comment.
port = 7000
protected-mode = false
loglevel = "debug"
proto-max-bulk-len = "1gb"
client-query-buffer-limit = 2_097_152
unixsocketperm = 0o700
bind = ["127.0.0.1", "-::1"]
latency-tracking-info-percentiles = [50, 99.9]
client-output-buffer-limit = ["normal 1 2 3", "replica 4mb 5 6"]
save = []
shutdown-on-sigterm = "now force"
slave-priority = 3
enable-debug-command = true
user = ["default on nopass ~* &* +@all"]
"#,
    );
    let config = load(&[&file, "--hz", "50"]).unwrap();
    for (name, value) in [
        ("port", "7000"),
        ("protected-mode", "no"),
        ("loglevel", "debug"),
        ("proto-max-bulk-len", "1073741824"),
        ("client-query-buffer-limit", "2097152"),
        ("unixsocketperm", "700"),
        ("bind", "127.0.0.1 -::1"),
        ("latency-tracking-info-percentiles", "50 99.9"),
        ("client-output-buffer-limit", "normal 1 2 3 slave 4194304 5 6 pubsub 33554432 8388608 60"),
        ("save", ""),
        ("shutdown-on-sigterm", "now force"),
        ("replica-priority", "3"),
        ("enable-debug-command", "yes"),
        ("hz", "50"),
    ] {
        assert_eq!(get(&config, name), value, "{name}");
    }
    for points in ["save = [[900, 1], [60, 1]]", "save = [\"900 1\", \"60 1\"]"] {
        let file = scratch.file("save.toml", points);
        assert_eq!(get(&load(&[&file]).unwrap(), "save"), "900 1 60 1", "{points}");
    }
    let said = config.rewrite(&[], RewriteExtent::Changed).expect_err("TOML").to_string();
    assert_eq!(said, "ERR Rewriting config file: CONFIG REWRITE can't write TOML files");
}

#[track_caller]
fn check_error(text: &str, number: usize, expected: &str) {
    let scratch = Scratch::new();
    let file = scratch.file("basalt.TOML", text);
    let said = load(&[&file]).expect_err("an error").to_string();
    let line = text.lines().nth(number - 1).unwrap().trim();
    let expected = format!("at line {number}\n>>> '{line}'\n{expected}");
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn mistakes_are_named_with_their_line() {
    check_error("port = 1\nfoo = 2\n", 2, "Bad directive or wrong number of arguments");
    check_error("port = \"6379\"", 1, "argument must be a number, not a string");
    check_error("\nport = 99999", 2, "argument must be between 0 and 65535 inclusive");
    check_error("protected-mode = \"yes\"", 1, "argument must be true or false, not a string");
    check_error("loglevel = 3", 1, "argument must be a string, not a number");
    check_error("port = [1, 2]", 1, "argument must be one value, not an array");
    check_error("[network]\nport = 1", 1, "Bad directive or wrong number of arguments");
    check_error("[port]\nx = 1", 1, "argument must be a number, not a table");
    check_error("port = 1.5", 1, "argument must be a number, not a number with decimals");
    check_error("timeout = 1979-05-27", 1, "argument must be a number, not a date");
    check_error("bind = [true]", 1, "argument must be a string, not true or false");
    check_error("include = \"x\"", 1, "include is not for TOML files");
    check_error("save = [900]", 1, "Invalid save parameters");
    check_error("timeout = 99999999999999999999", 1, "argument couldn't be parsed into an integer");
}

#[test]
fn broken_documents_are_named_with_their_line() {
    let scratch = Scratch::new();
    let file = scratch.file("broken.toml", "port = 1\nport = 2\n");
    let said = load(&[&file]).expect_err("a key twice").to_string();
    assert!(said.contains("at line 2\n>>> 'port = 2'\n"), "{said}");
    let file = scratch.file("broken.toml", "port = \n");
    let said = load(&[&file]).expect_err("no value").to_string();
    assert!(said.contains("at line 1\n>>> 'port ='\n"), "{said}");
}
