//! CONFIG GET and CONFIG SET.

use super::super::{Config, ConfigError, SetContext};
use super::get;

fn set(config: &mut Config, words: &[&str]) -> Result<Vec<&'static str>, ConfigError> {
    let pairs: Vec<(&[u8], &[u8])> =
        words.chunks_exact(2).map(|pair| (pair[0].as_bytes(), pair[1].as_bytes())).collect();
    let changed = config.set(&pairs, SetContext::default())?;
    Ok(changed.names().collect())
}

#[track_caller]
fn check_error(words: &[&str], expected: &str) {
    let mut config = Config::default();
    let before = config.matching(&[b"*"]);
    let said = set(&mut config, words).expect_err("an error").to_string();
    assert_eq!(said, expected);
    assert_eq!(config.matching(&[b"*"]), before, "a failed CONFIG SET changed something");
}

#[test]
fn values_change_and_changes_are_named() {
    let mut config = Config::default();
    let changed = set(&mut config, &["TIMEOUT", "5", "slave-priority", "7", "hz", "10"]);
    assert_eq!(changed.expect("good values"), ["timeout", "replica-priority"]);
    assert_eq!(get(&config, "timeout"), "5");
    assert_eq!(get(&config, "replica-priority"), "7");
    assert_eq!(get(&config, "slave-priority"), "7");
    set(&mut config, &["proto-max-bulk-len", "1gb"]).expect("a size");
    assert_eq!(get(&config, "proto-max-bulk-len"), "1073741824");
}

#[test]
fn hz_is_brought_into_its_range() {
    let mut config = Config::default();
    set(&mut config, &["hz", "1000"]).expect("any number");
    assert_eq!(get(&config, "hz"), "500");
    set(&mut config, &["hz", "0"]).expect("any number");
    assert_eq!(config.settings().hz, 1);
}

#[test]
fn maxclients_follows_the_limit_of_open_files() {
    let mut config = Config::default();
    config.lower_maxclients(20_000);
    assert_eq!(get(&config, "maxclients"), "10000");
    config.lower_maxclients(4064);
    assert_eq!(config.settings().maxclients, 4064);
}

#[test]
fn limits_of_one_class_leave_the_others() {
    let mut config = Config::default();
    let limits = "normal 1mb 2 3 replica 1gb 1 1";
    set(&mut config, &["client-output-buffer-limit", limits]).expect("limits");
    assert_eq!(
        get(&config, "client-output-buffer-limit"),
        "normal 1048576 2 3 slave 1073741824 1 1 pubsub 33554432 8388608 60"
    );
}

#[test]
fn errors_are_those_of_redis() {
    check_error(
        &["timeout", "5", "foo", "1"],
        "ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
    );
    check_error(
        &["user", "x"],
        "ERR Unknown option or number of arguments for CONFIG SET - 'user'",
    );
    let failed = |name: &str, reason: &str| {
        format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
    };
    for (words, name, reason) in [
        (&["DATABASES", "3"][..], "DATABASES", "can't set immutable config"),
        (&["dir", "/"], "dir", "can't set protected config"),
        (&["dbfilename", "x"], "dbfilename", "can't set protected config"),
        (&["timeout", "1", "timeout", "2"], "timeout", "duplicate parameter"),
        (
            &["slave-priority", "1", "replica-priority", "2"],
            "replica-priority",
            "duplicate parameter",
        ),
        (&["timeout", "5", "hz", "x"], "hz", "argument couldn't be parsed into an integer"),
        (&["Slave-Priority", "x"], "slave-priority", "argument couldn't be parsed into an integer"),
        (&["rdb-version", "12"], "rdb-version", "argument must be between 10 and 11 inclusive"),
        (&["rdbcompression", "maybe"], "rdbcompression", "argument must be 'yes' or 'no'"),
        (
            &["loglevel", "notice debug"],
            "loglevel",
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
    ] {
        check_error(words, &failed(name, reason));
    }
}

#[test]
fn errors_are_one_line_whatever_the_name() {
    let mut config = Config::default();
    let said = set(&mut config, &["a\r\nb", "1"]).expect_err("no such name").to_string();
    assert_eq!(said, "ERR Unknown option or number of arguments for CONFIG SET - 'a  b'");
}

#[test]
fn protected_directives_need_permission() {
    let pairs: &[(&[u8], &[u8])] = &[(b"dbfilename", b"x.rdb")];
    let near = SetContext { is_local: true, ..SetContext::default() };
    let mut config = Config::default();
    config.apply_text(b"enable-protected-configs local").expect("a good line");
    assert!(matches!(config.set(pairs, SetContext::default()), Err(ConfigError::Protected(_))));
    let changed = config.set(pairs, near).expect("a local client");
    assert!(changed.contains("dbfilename") && !changed.contains("dir"));
}

#[test]
fn some_directives_wait_until_the_data_set_is_loaded() {
    let mut config = Config::default();
    let loading = SetContext { is_loading: true, ..SetContext::default() };
    let said = config.set(&[(b"appendonly", b"no")], loading).expect_err("loading").to_string();
    assert_eq!(said, "LOADING Redis is loading the dataset in memory");
    assert_eq!(
        config.set(&[(b"timeout", b"1")], loading).map(|done| done.names().count()).ok(),
        Some(1)
    );
}

#[test]
fn a_change_that_could_not_be_acted_on_is_taken_back() {
    let mut config = Config::default();
    let changed = config.set(&[(b"port", b"1"), (b"timeout", b"9")], SetContext::default());
    config.revert(&changed.expect("good values"));
    assert_eq!(get(&config, "port"), "6379");
    assert_eq!(get(&config, "timeout"), "0");
    let error =
        ConfigError::Apply("port", "Unable to listen on this port. Check server logs.".into());
    assert_eq!(
        error.to_string(),
        "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this \
         port. Check server logs."
    );
}

#[track_caller]
fn check_matching(patterns: &[&str], expected: &[&str]) {
    let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
    let found = Config::default().matching(&patterns);
    let names: Vec<_> = found.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
    assert_eq!(names, expected);
}

#[test]
fn get_finds_names_and_patterns() {
    check_matching(&["MAXMEMORY"], &["MAXMEMORY"]);
    check_matching(&["maxmemory", "MaxMemory"], &["maxmemory"]);
    check_matching(&["nothing"], &[]);
    check_matching(
        &["slave-priority", "replica-priority"],
        &["slave-priority", "replica-priority"],
    );
    check_matching(&["*ziplist-size"], &["list-max-ziplist-size"]);
    check_matching(&["SLOWLOG-M*", "slowlog-max-len"], &["slowlog-max-len"]);
    check_matching(&["watchdog-period"], &["watchdog-period"]);
    check_matching(&["watch*"], &[]);
    check_matching(&["use*", "include", "user"], &["user-rate-limit"]);
    check_matching(&["por[t]"], &["port"]);
}
