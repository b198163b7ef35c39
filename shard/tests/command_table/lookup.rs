//! Finding rows by name.

use basalt_shard::command::{
    by_id, command_count, commands, lookup, lookup_full_name, lookup_line,
};
use proptest::prelude::*;

use crate::registered_rows;

#[test]
fn finds_every_command_in_any_letter_case() {
    for row in commands() {
        let upper = row.name.to_ascii_uppercase();
        let mixed = format!("{}{}", &upper[..1], &row.name[1..]);
        for name in [row.name, &upper, &mixed] {
            assert!(std::ptr::eq(lookup(name.as_bytes()).expect("a row"), row), "{name}");
        }
    }
}

#[test]
fn finds_nothing_else() {
    let strangers: [&[u8]; 9] = [
        b"",
        b"ge",
        b"get ",
        b"get\0",
        b"\x07et",
        b"Get\xff",
        b"\xc7\xc5\xd4",
        b"georadiusbymember_ro_and_more",
        b"config|get",
    ];
    for name in strangers {
        assert!(lookup(name).is_none(), "{}", name.escape_ascii());
    }
}

#[test]
fn finds_subcommands() {
    let name =
        |name: &str| lookup_full_name(name.as_bytes()).map(|row| row.full_name().to_string());
    assert_eq!(name("CLIENT|Kill").as_deref(), Some("client|kill"));
    assert_eq!(name("client").as_deref(), Some("client"));
    assert_eq!(name("client|nothing"), None);
    assert_eq!(name("get|client"), None);
    assert_eq!(name("client|kill|id"), None);

    let line = |name: &str, next: Option<&str>| {
        lookup_line(name.as_bytes(), next.map(str::as_bytes)).map(|row| row.full_name().to_string())
    };
    assert_eq!(line("OBJECT", Some("Encoding")).as_deref(), Some("object|encoding"));
    assert_eq!(line("OBJECT", Some("nothing")), None);
    assert_eq!(line("object", None).as_deref(), Some("object"));
    assert_eq!(line("get", Some("key")).as_deref(), Some("get"));
}

#[test]
fn ids_are_dense_and_lead_back() {
    let mut seen = vec![false; command_count()];
    for row in registered_rows() {
        assert!(!std::mem::replace(&mut seen[row.id.index()], true), "{row:?} shares its id");
        assert!(std::ptr::eq(by_id(row.id), row), "{row:?}");
    }
    assert!(seen.iter().all(|seen| *seen));
}

proptest! {
    /// The packed comparison is exactly equality without regard to ASCII letter case.
    #[test]
    fn agrees_with_a_linear_search(name in proptest::collection::vec(any::<u8>(), 0..30)) {
        let expected =
            commands().iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(&name));
        let found = lookup(&name);
        prop_assert_eq!(found.map(|row| row.id), expected.map(|row| row.id));
    }

    /// One wrong byte in a known name is noticed wherever it stands.
    #[test]
    fn notices_one_wrong_byte(row in 0..commands().len(), at in any::<usize>(), byte: u8) {
        let mut name = commands()[row].name.as_bytes().to_vec();
        let at = at % name.len();
        name[at] = byte;
        let expected =
            commands().iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(&name));
        prop_assert_eq!(lookup(&name).map(|row| row.id), expected.map(|row| row.id));
    }
}
