//! What the registry makes of the rows as written.

use std::collections::BTreeSet;

use basalt_shard::command::{command_count, lookup, lookup_full_name, lookup_line};

use crate::{registered_rows, written};

#[test]
fn exactly_the_rows_with_code_are_registered() {
    let registered: BTreeSet<_> =
        registered_rows().map(|row| row.full_name().to_string()).collect();
    let built: BTreeSet<_> = written::rows()
        .filter(|row| written::is_built(row))
        .map(|row| row.full_name().to_string())
        .collect();
    assert_eq!(registered, built);
    assert_eq!(command_count(), built.len());
}

#[test]
fn every_registered_row_can_run() {
    for row in registered_rows() {
        assert!(row.handler.is_some() || !row.subcommands.is_empty(), "{row:?}");
        for subcommand in row.subcommands {
            assert!(subcommand.handler.is_some(), "{subcommand:?}");
            assert_eq!(subcommand.container, row.name, "{subcommand:?}");
        }
    }
}

#[test]
fn registering_keeps_the_facts() {
    for row in registered_rows() {
        let name = row.full_name().to_string();
        let written = written::row(&name).expect("a row as written");
        assert_eq!(row.handler.is_some(), written.handler.is_some(), "{name}");
        assert_eq!(row.arity, written.arity, "{name}");
        assert_eq!(row.flags, written.flags, "{name}");
        assert_eq!(row.categories, written.categories, "{name}");
        assert_eq!(row.key_shape, written.key_shape, "{name}");
        assert_eq!(row.legacy_range, written.legacy_range, "{name}");
        assert_eq!(row.key_resolver.is_some(), written.key_resolver.is_some(), "{name}");
        assert_eq!(row.summary, written.summary, "{name}");
        assert_eq!(row.syntax, written.syntax, "{name}");
    }
}

#[test]
fn rows_without_code_are_unknown() {
    for row in written::rows().filter(|row| !written::is_built(row)) {
        assert!(lookup_full_name(row.full_name().to_string().as_bytes()).is_none(), "{row:?}");
        if row.container.is_empty() {
            assert!(lookup(row.name.as_bytes()).is_none(), "{row:?}");
        } else {
            let (container, name) = (row.container.as_bytes(), row.name.as_bytes());
            assert!(lookup_line(container, Some(name)).is_none(), "{row:?}");
        }
    }
}
