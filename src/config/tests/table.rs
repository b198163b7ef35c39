//! The table itself: rows are well formed, and what is built reaches the settings.

use std::collections::HashSet;
use std::path::Path;

use super::super::store::default_value;
use super::super::table::{Directive, Flags, Kind, Support};
use super::super::{Config, Value, rows};
use super::get;

#[test]
fn names_are_unique_and_lower_case() {
    let mut seen = HashSet::new();
    for (_, row) in rows::all() {
        for name in row.names() {
            assert!(seen.insert(name), "'{name}' is in the table twice");
            assert_eq!(name, name.to_ascii_lowercase());
            assert!(rows::find(name.to_ascii_uppercase().as_bytes()).is_some());
        }
    }
}

#[test]
fn defaults_print_and_parse_back() {
    let config = Config::default();
    for (index, row) in rows::all() {
        if row.flags.contains(Flags::FILE_ONLY) || matches!(row.kind, Kind::Directory) {
            continue;
        }
        let printed = get(&config, row.name);
        let words: Vec<&[u8]> = match row.kind.is_multiple() {
            true => printed.split(' ').map(str::as_bytes).collect(),
            false => vec![printed.as_bytes()],
        };
        let again = row.kind.parse(&words, config.value_at(index), Path::new("/"));
        assert_eq!(again.as_ref(), Ok(config.value_at(index)), "{}", row.name);
        assert_eq!(default_value(row, Path::new("/")), *config.value_at(index));
    }
}

#[test]
fn defaults_promise_nothing_that_is_not_built() {
    let mut config = Config::default();
    for (_, row) in rows::all() {
        let is_settable = !row.flags.contains(Flags::FILE_ONLY) && row.name != "dir";
        if is_settable && matches!(row.support, Support::Refused { .. }) {
            let printed = get(&config, row.name);
            let line = format!("{} \"{printed}\"", row.name);
            config.apply_text(line.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// Words that make a value other than the default.
fn another_value(row: &Directive, config: &Config) -> Vec<String> {
    let printed = get(config, row.name);
    let word = match row.kind {
        Kind::Boolean => if printed == "yes" { "no" } else { "yes" }.to_owned(),
        Kind::Integer { minimum, maximum } | Kind::Memory { minimum, maximum } => {
            let now: i128 = printed.parse().expect("a number");
            (if now < maximum.min(400) { now + 1 } else { (now - 1).max(minimum) }).to_string()
        }
        Kind::MemoryOrPercent => "7%".to_owned(),
        Kind::Octal { .. } => "700".to_owned(),
        Kind::Choice(list) => {
            list.iter().find(|word| **word != printed).expect("two words").to_string()
        }
        Kind::Choices(list) => list[1].to_owned(),
        Kind::Text(..) if row.name == "cores" => "2".to_owned(),
        Kind::Text(..) if row.name == "user-rate-limit" => "alice:5".to_owned(),
        Kind::Text(..) => "another".to_owned(),
        Kind::Directory => "/".to_owned(),
        Kind::KeyspaceEvents => "KEA".to_owned(),
        Kind::Addresses => "127.0.0.1".to_owned(),
        Kind::SavePoints => "900 1".to_owned(),
        Kind::OutputLimits => "normal 1 2 3".to_owned(),
        Kind::OomScores => "1 2 3".to_owned(),
        Kind::Percentiles => "50".to_owned(),
        Kind::Primary => "localhost 1".to_owned(),
        Kind::Lines { minimum, .. } => vec!["word"; minimum].join(" "),
        Kind::Ignored => "1".to_owned(),
    };
    match row.kind {
        kind if kind.is_multiple() => word.split(' ').map(str::to_owned).collect(),
        _ => vec![word],
    }
}

#[test]
fn built_directives_reach_the_settings_and_others_are_honest() {
    let default = Config::default();
    for (_, row) in rows::all() {
        let is_listed = !row.flags.contains(Flags::FILE_ONLY);
        if !is_listed {
            continue;
        }
        let mut config = default.clone();
        let line = format!("{} {}", row.name, another_value(row, &config).join(" "));
        let applied = config.apply_text(line.as_bytes());
        match row.support {
            Support::Built => {
                applied.unwrap_or_else(|error| panic!("{error}"));
                assert!(config.settings() != default.settings(), "'{line}' changes no setting");
            }
            Support::Accepted => {
                applied.unwrap_or_else(|error| panic!("{error}"));
                assert!(config.settings() == default.settings(), "'{line}' has an effect");
                assert!(get(&config, row.name) != get(&default, row.name), "{line}");
            }
            Support::Refused { message, .. } => {
                let said = applied.expect_err(&line).to_string();
                assert!(said.ends_with(message), "'{line}' is answered by {said}");
            }
        }
    }
}

#[test]
fn lines_known_to_files_only_are_taken_or_refused() {
    let mut config = Config::default();
    for line in [
        "user default on nopass ~* &* +@all",
        "user alice on",
        "rename-command GET \"\"",
        "lua-replicate-commands yes",
        "list-max-ziplist-entries 1",
        "sentinel",
    ] {
        config.apply_text(line.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    }
    for line in ["loadmodule x.so", "sentinel myid x"] {
        config.apply_text(line.as_bytes()).expect_err(line);
    }
    assert!(config.get(b"user").is_none());
}

#[test]
fn the_sample_file_says_what_is_the_default() {
    let sample = include_str!("../../../basalt.conf");
    let mut config = Config::default();
    config.apply_text(sample.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let default = Config::default();
    for (name, value) in config.matching(&[b"*"]) {
        assert_eq!(Some(value), default.get(&name), "{}", String::from_utf8_lossy(&name));
    }
    // Lines that are commented out must be right, too: people uncomment them.
    let mut mentioned = 0;
    for line in sample.lines().filter_map(|line| line.strip_prefix("# ")) {
        let name = line.split(' ').next().unwrap_or_default();
        if rows::find(name.as_bytes()).is_some() && !line.ends_with('.') && line.contains(' ') {
            mentioned += 1;
            let applied = Config::default().apply_text(line.as_bytes());
            let said = applied.err().map(|error| error.to_string()).unwrap_or_default();
            let is_fine = said.is_empty() || said.contains("yet") || name == "dir";
            assert!(is_fine, "{said}");
        }
    }
    assert!(mentioned > 5, "the sample shows {mentioned} directives in comments");
}

#[test]
fn secrets_do_not_show_in_the_settings() {
    let mut config = Config::default();
    config.apply_text(b"requirepass hunter2").expect("a password");
    let settings = config.settings();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.requirepass.map(|secret| secret.0), Some(b"hunter2".to_vec()));
    assert!(Config::is_sensitive(b"RequirePass") && Config::is_sensitive(b"requirepas"));
    assert!(!Config::is_sensitive(b"port"));
    assert!(matches!(config.value("requirepass"), Value::Text(_)));
}
