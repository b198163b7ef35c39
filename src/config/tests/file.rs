//! Configuration files and command lines.

use proptest::prelude::*;

use super::super::{Config, fuzz};
use super::{Scratch, get, load, load_with_input};

#[track_caller]
fn check_error(words: &[&str], expected: &str) {
    let said = load(words).expect_err("an error").to_string();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!("\n*** FATAL CONFIG FILE ERROR (Basalt {version}) ***\n{expected}");
    assert_eq!(said, expected, "{words:?}");
}

#[track_caller]
fn check_line_error(words: &[&str], number: usize, line: &str, error: &str) {
    let place = "Reading the configuration file, at line";
    check_error(words, &format!("{place} {number}\n>>> '{line}'\n{error}"));
}

#[test]
fn sources_come_in_order_and_the_last_word_counts() {
    let scratch = Scratch::new();
    let file = scratch.file("a.conf", "# comment\n\n  PORT 7000  \r\ntimeout 1\nhz 20\n");
    let config = load_with_input(&[&file, "--timeout", "3", "-"], b"timeout 2\nhz 30").unwrap();
    assert_eq!(get(&config, "port"), "7000");
    assert_eq!(get(&config, "hz"), "30");
    assert_eq!(get(&config, "timeout"), "3");
    assert_eq!(config.config_file(), Some(scratch.path().join("a.conf").as_path()));
}

#[test]
fn nothing_said_is_the_default() {
    let config = load(&[]).unwrap();
    assert_eq!(config.matching(&[b"*"]), Config::default().matching(&[b"*"]));
    assert_eq!(config.config_file(), None);
}

#[test]
fn wrong_lines_are_named_as_redis_names_them() {
    let scratch = Scratch::new();
    let bad = "Bad directive or wrong number of arguments";
    let file = scratch.file("bad.conf", "port 7392\nfoo bar\n");
    check_line_error(&[&file], 2, "foo bar", bad);
    let including = scratch.file("including.conf", &format!("include {file}\n"));
    check_line_error(&[&including], 2, "foo bar", bad);
    let file = scratch.file("quotes.conf", "port \"7392\n");
    check_line_error(&[&file], 1, "port \"7392", "Unbalanced quotes in configuration line");
    let file = scratch.file("good.conf", "port 1\ntimeout 1\n");
    check_line_error(&[&file, "--foo", "bar"], 4, "foo \"bar\"", bad);

    check_line_error(&["--foo", "bar"], 2, "foo \"bar\"", bad);
    check_line_error(&["--port"], 2, "port", "wrong number of arguments");
    check_line_error(&["--port", "1", "-v"], 2, "port \"1\" \"-v\"", "wrong number of arguments");
    check_line_error(
        &["--port", "x"],
        2,
        "port \"x\"",
        "argument couldn't be parsed into an integer",
    );
    check_line_error(
        &["--save", "1", "2", "3"],
        2,
        "save \"1\" \"2\" \"3\"",
        "Invalid save parameters",
    );
    check_line_error(&["--include"], 2, "include", bad);
    check_line_error(&["--rename-command", "GET"], 2, "rename-command \"GET\"", bad);
    check_line_error(&["--a.b"], 2, "a.b", "Module config specified without value");
    check_line_error(
        &["--client-output-buffer-limit", "foo", "1", "2", "3"],
        2,
        "client-output-buffer-limit \"foo\" \"1\" \"2\" \"3\"",
        "Invalid client class specified in buffer limit configuration.",
    );
    check_line_error(&["--dir", "/no/where"], 2, "dir \"/no/where\"", "No such file or directory");
    check_error(&["--logfile", "/no/where"], "Can't open the log file: No such file or directory");
}

#[test]
fn what_is_not_built_stops_the_start() {
    let links = "links to other servers are not built into Basalt yet";
    check_line_error(&["--tls-cluster", "yes"], 2, "tls-cluster \"yes\"", links);
    for harmless in [
        &["--appendonly", "yes"][..],
        &["--save", ""],
        &["--save"],
        &["--replicaof", "no", "one"],
        &["--maxmemory", "0"],
        &["--cluster-enabled", "no"],
    ] {
        assert!(load(harmless).is_ok(), "{harmless:?}");
    }
}

#[test]
fn missing_files_are_named() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing.conf");
    let missing = missing.to_str().unwrap();
    let expected =
        format!("Fatal error, can't open config file '{missing}': No such file or directory");
    assert_eq!(load(&[missing]).expect_err("missing").to_string(), expected);
    let file = scratch.file("a.conf", "include no/where.conf\n");
    assert_eq!(
        load(&[&file]).expect_err("missing").to_string(),
        "Fatal error, can't open config file 'no/where.conf': No such file or directory"
    );
}

#[test]
fn includes_take_patterns_and_start_from_the_directory() {
    let scratch = Scratch::new();
    scratch.file("10.part", "timeout 1\nport 1\n");
    scratch.file("20.part", "timeout 2\n");
    let directory = scratch.path().to_str().unwrap();
    let file = scratch.file("a.conf", "include *.part\ninclude none*.part\nhz 7\n");
    let config =
        load(&["--dir", directory, "--include", "*.part", "--include", "none*.part"]).unwrap();
    assert_eq!((get(&config, "timeout"), get(&config, "port")), ("2".into(), "1".into()));
    // Without `dir` the pattern starts from the working directory, where no such files are.
    let config = load(&[&file]).unwrap();
    assert_eq!((get(&config, "timeout"), get(&config, "hz")), ("0".into(), "7".into()));
}

#[test]
fn a_file_that_includes_itself_is_an_error() {
    let scratch = Scratch::new();
    let path = scratch.path().join("self.conf");
    let line = format!("include {}", path.display());
    let file = scratch.file("self.conf", &line);
    let error = "include directives are nested more than 16 deep";
    check_line_error(&[&file], 1, &line, error);
}

#[test]
fn a_file_too_large_is_an_error() {
    let input = vec![b'#'; super::super::SOURCE_BYTES_MAX as usize + 1];
    let said = load_with_input(&["-"], &input).expect_err("too large").to_string();
    assert_eq!(said, "Fatal error, can't open config file '-': File too large");
}

#[test]
fn one_quoted_word_may_hold_them_all() {
    let config = load(&["--bind", "127.0.0.1 ::1"]).unwrap();
    assert_eq!(config.settings().bind, [b"127.0.0.1".to_vec(), b"::1".to_vec()]);
    let config = load(&["--bind", "127.0.0.1", "::1"]).unwrap();
    assert_eq!(config.settings().bind.len(), 2);
    let config = load(&["--bind", ""]).unwrap();
    assert!(config.settings().bind.is_empty());
    let config = load(&["--shutdown-on-sigterm", "now", "force"]).unwrap();
    let flags = config.settings().shutdown_on_sigterm;
    assert!(flags.now && flags.force && !flags.save);
}

#[test]
fn the_directory_is_absolute_and_kept_in_settings() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("below")).unwrap();
    let directory = scratch.path().to_str().unwrap();
    let config = load(&["--dir", directory, "--dir", "below/../below"]).unwrap();
    assert_eq!(config.settings().directory, scratch.path().join("below"));
}

#[test]
fn fuzz_survives_what_was_hard_once() {
    for text in [
        "bind \"\\\"a b\\\"\"",
        "requirepass \"a\\x00b\"\nrequirepass \"\"",
        "notify-keyspace-events KEAn",
        "latency-tracking-info-percentiles -0 1e-9 1e2",
        "user default on nopass ~* &* +@all\nuser default on nopass ~* &* +@all",
        "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit replica 1gb 2mb 3",
        "include /etc/passwd",
        "dir .\ndir /\ndir tmp",
        "unixsocketperm 700\nmaxmemory-clients 0%\nmaxclients 4294967295",
        "SAVE \"\"\nsave\nbind\n\"\" a\n",
    ] {
        fuzz(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { fork: false, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_text_is_read_or_refused(
        lines in proptest::collection::vec(
            (
                prop::sample::select(
                    super::super::rows::all().map(|(_, row)| row.name).collect::<Vec<_>>(),
                ),
                "[ -~]{0,16}|[0-9]{1,6}(kb|mb)?|yes|no|\"[ -~]{0,8}\"",
            ),
            0..40,
        ),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let lines = lines.iter().map(|(name, words)| format!("{name} {words}\n"));
        let mut text = lines.collect::<String>().into_bytes();
        text.extend(noise);
        fuzz(&text);
    }
}
