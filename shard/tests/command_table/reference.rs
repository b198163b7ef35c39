//! Every row against the reference file, field by field.

use std::collections::BTreeSet;

use basalt_shard::command::{BeginSearch, Command, FindKeys, KeySpec, flag};
use serde_json::Value;

use crate::written;

const REFERENCE: &str = include_str!("../data/commands.json");

/// Flags that the reference lists and that are never shown to clients.
const HIDDEN_FLAGS: [&str; 1] = ["script_runner"];

fn entries() -> Vec<Value> {
    serde_json::from_str(REFERENCE).expect("the reference is JSON")
}

/// `CLIENT NO-EVICT` as `client|no-evict`.
fn full_name(entry: &Value) -> String {
    text(entry, "name").to_ascii_lowercase().replace(' ', "|")
}

fn row(entry: &Value) -> &'static Command {
    let name = full_name(entry);
    written::row(&name).unwrap_or_else(|| panic!("{name} has no row"))
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().unwrap_or_default()
}

fn texts<'a>(entry: &'a Value, field: &str) -> Vec<&'a str> {
    let items = entry[field].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item.as_str().expect("a text")).collect()
}

#[test]
fn every_entry_has_a_row_and_every_row_an_entry() {
    let expected: BTreeSet<_> = entries().iter().map(full_name).collect();
    let rows: BTreeSet<_> = written::rows().map(|row| row.full_name().to_string()).collect();
    assert_eq!(rows, expected);
    assert_eq!(written::rows().count(), expected.len(), "a name is written twice");
}

#[test]
fn plain_facts_agree() {
    for entry in entries() {
        let row = row(&entry);
        assert_eq!(row.group.name(), text(&entry, "group"), "{row:?}");
        assert_eq!(row.since, text(&entry, "since"), "{row:?}");
        assert_eq!(Some(i64::from(row.arity)), entry["arity"].as_i64(), "{row:?}");
        assert_eq!(row.syntax, text(&entry, "syntax"), "{row:?}");
        assert_eq!(row.tips, texts(&entry, "tips"), "{row:?}");
        assert_eq!(row.container, text(&entry, "container").to_ascii_lowercase(), "{row:?}");
        let versions: Vec<_> = row.history.iter().map(|(version, _)| *version).collect();
        assert_eq!(versions, texts(&entry, "changed_in"), "{row:?}");
        let deprecated_since = row.deprecated.map(|deprecation| deprecation.since);
        assert_eq!(deprecated_since, entry["deprecated_since_redis"].as_str(), "{row:?}");
        assert_eq!(row.system, texts(&entry, "doc_flags").contains(&"syscmd"), "{row:?}");
    }
}

#[test]
fn flags_agree() {
    for entry in entries() {
        let row = row(&entry);
        let shown: BTreeSet<_> = row.flags.names().collect();
        let mut expected: BTreeSet<_> = texts(&entry, "flags").into_iter().collect();
        HIDDEN_FLAGS.iter().for_each(|hidden| _ = expected.remove(hidden));
        assert_eq!(shown, expected, "{row:?}");
    }
}

#[test]
fn hidden_flags_agree() {
    for entry in entries() {
        let row = row(&entry);
        let flags = texts(&entry, "flags");
        let more = texts(&entry, "flags_valkey_json_extra");
        let in_sentinel_mode = entry["in_sentinel_mode"].as_bool().unwrap_or_default();
        for (hidden, expected) in [
            (flag::SCRIPT_RUNNER, flags.contains(&"script_runner")),
            (flag::MAY_REPLICATE, more.contains(&"may_replicate")),
            (flag::PROTECTED, more.contains(&"protected")),
            (flag::TOUCHES_ARBITRARY_KEYS, more.contains(&"touches_arbitrary_keys")),
            (flag::SENTINEL, in_sentinel_mode),
        ] {
            assert_eq!(row.flags.contains(hidden), expected, "{row:?} {hidden:?}");
        }
    }
}

#[test]
fn categories_agree() {
    for entry in entries() {
        let row = row(&entry);
        let categories: BTreeSet<_> =
            row.categories.names().map(|name| format!("@{name}")).collect();
        let expected: BTreeSet<_> =
            texts(&entry, "acl_categories").into_iter().map(str::to_owned).collect();
        assert_eq!(categories, expected, "{row:?}");
    }
}

#[test]
fn key_specifications_agree() {
    for entry in entries() {
        let row = row(&entry);
        let expected = entry["key_specs"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(row.key_specs.len(), expected.len(), "{row:?}");
        for (spec, expected) in row.key_specs.iter().zip(expected) {
            let (begin, find) = notation(spec);
            assert_eq!(begin, text(expected, "begin"), "{row:?}");
            assert_eq!(find, text(expected, "find"), "{row:?}");
            let flags: Vec<_> = spec.flags.names().map(str::to_ascii_lowercase).collect();
            assert_eq!(flags, texts(expected, "flags"), "{row:?}");
        }
    }
}

/// A specification in the notation of the reference.
fn notation(spec: &KeySpec) -> (String, String) {
    let begin = match spec.begin {
        BeginSearch::Index(index) => format!("index:{index}"),
        BeginSearch::Keyword { keyword, start_from } => format!("keyword:{keyword}:{start_from}"),
        BeginSearch::Unknown => "unknown".to_owned(),
    };
    let find = match spec.find {
        FindKeys::Range { last_key, step, limit } => format!("range:{last_key}:{step}:{limit}"),
        FindKeys::KeyNumber { count_index, first_key, step } => {
            format!("keynum:{count_index}:{first_key}:{step}")
        }
        FindKeys::Unknown => "unknown".to_owned(),
    };
    (begin, find)
}

#[test]
fn rows_are_complete() {
    for row in written::rows() {
        assert!(row.summary.ends_with('.'), "{row:?}: a summary is a sentence");
        assert!(!row.complexity.is_empty(), "{row:?}");
        assert!(row.history.iter().all(|(_, change)| change.ends_with('.')), "{row:?}");
        assert!(row.name.bytes().all(|byte| !byte.is_ascii_uppercase()), "{row:?}");
        let text = [row.summary, row.complexity, row.syntax];
        assert!(text.iter().all(|text| text.is_ascii()), "{row:?}");
    }
}
