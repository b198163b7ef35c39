//! Rules applied and written again.

use proptest::prelude::*;

use super::{Acl, Denial, check};
use crate::command::lookup_line;

fn acl_with(rules: &[&str]) -> Acl {
    let rules: Vec<&[u8]> = rules.iter().map(|rule| rule.as_bytes()).collect();
    Acl::default().with_rules(b"alice", &rules, false).expect("the rules are right")
}

fn rules_of(acl: &Acl) -> String {
    let user = acl.user(b"alice").expect("alice is there");
    String::from_utf8(user.rules()).expect("the rules are text")
}

#[track_caller]
fn check_rules(rules: &[&str], expected: &str) {
    assert_eq!(rules_of(&acl_with(rules)), expected, "{rules:?}");
}

#[track_caller]
fn check_error(rules: &[&str], expected: &str) {
    let rules: Vec<&[u8]> = rules.iter().map(|rule| rule.as_bytes()).collect();
    let error = Acl::default().with_rules(b"alice", &rules, false).expect_err("they are wrong");
    assert_eq!(error.text(), expected);
}

#[track_caller]
fn check_line(rules: &[&str], line: &str, expected: Result<(), Denial>) {
    let acl = acl_with(rules);
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let row = lookup_line(words[0], words.get(1).copied()).expect("a command");
    let user = acl.user(b"alice").expect("alice is there");
    assert_eq!(check(user, row, words.as_slice()), expected, "{rules:?} {line}");
}

#[test]
fn arguments_are_bytes() {
    let rules: [&[u8]; 2] = [b"+get|\xfa", b"+get|\xfb"];
    let acl = Acl::default().with_rules(b"alice", &rules, false).expect("the rules are right");
    let user = acl.user(b"alice").expect("alice is there");
    assert!(user.rules().ends_with(b" -@all +get|\xfa +get|\xfb"));
}

#[test]
fn rules_are_written_in_one_way() {
    check_rules(&[], "off sanitize-payload resetchannels -@all");
    check_rules(
        &["on", "nopass", "~a*", "%R~b*", "%W~b*", "&c", "+get", "-@all", "+@read", "-get"],
        "on nopass sanitize-payload ~a* ~b* resetchannels &c -@all +@read -get",
    );
    check_rules(
        &["allkeys", "allchannels", "allcommands", "-client|kill", "-client"],
        "off sanitize-payload ~* &* +@all -client",
    );
    check_rules(
        &["(~x", "+get)", "(%RW~y)"],
        "off sanitize-payload resetchannels -@all (~x resetchannels -@all +get) \
         (~y resetchannels -@all)",
    );
    check_rules(&["(~x)", "clearselectors", "reset"], "off sanitize-payload resetchannels -@all");
    check_rules(
        &["+SELECT|0", "+Select|1"],
        "off sanitize-payload resetchannels -@all +select|0 \
                 +select|1",
    );
}

#[test]
fn wrong_rules_are_told() {
    check_error(
        &["+nosuch"],
        "ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or \
                 category name in ACL",
    );
    check_error(
        &["+@nosuch"],
        "ERR Error in ACL SETUSER modifier '+@nosuch': Unknown command or \
                 category name in ACL",
    );
    check_error(&["+get|a\tb"], "ERR Error in ACL SETUSER modifier '+get|a\tb': Syntax error");
    check_error(&["%~x"], "ERR Error in ACL SETUSER modifier '%~x': Syntax error");
    check_error(&["%RR~x"], "ERR Error in ACL SETUSER modifier '%RR~x': Syntax error");
    check_error(&["nonsense"], "ERR Error in ACL SETUSER modifier 'nonsense': Syntax error");
    check_error(
        &["-select|0"],
        "ERR Error in ACL SETUSER modifier '-select|0': Unknown command or \
                 category name in ACL",
    );
    check_error(
        &["+client|kill|x"],
        "ERR Error in ACL SETUSER modifier '+client|kill|x': \
                 Allowing first-arg of a subcommand is not supported",
    );
    check_error(&["(+get"], "ERR Unmatched parenthesis in acl selector starting at '(+get'.");
    check_error(
        &["#abc"],
        "ERR Error in ACL SETUSER modifier '#abc': The password hash must be \
                 exactly 64 characters and contain only lowercase hexadecimal characters",
    );
    check_error(
        &["<x"],
        "ERR Error in ACL SETUSER modifier '<x': The password you are trying to \
                 remove from the user does not exist",
    );
}

#[test]
fn what_is_asked_is_checked_selector_by_selector() {
    check_line(&["+get", "~a"], "get a", Ok(()));
    check_line(&["+get", "~a"], "get b", Err(Denial::Key(1)));
    check_line(&["+get", "~a"], "set a 1", Err(Denial::Command));
    check_line(&["+@all", "%R~a"], "get a", Ok(()));
    check_line(&["+@all", "%R~a"], "set a 1", Err(Denial::Key(1)));
    check_line(&["+@all", "%W~a"], "set a 1", Ok(()));
    check_line(&["+@all", "%W~a"], "set a 1 get", Err(Denial::Key(1)));
    check_line(&["+@all", "%R~a", "%W~b"], "copy a b", Ok(()));
    check_line(&["+@all", "%R~a", "%W~b"], "copy b a", Err(Denial::Key(1)));
    check_line(&["+get", "~a", "(+set ~b)"], "set b 1", Ok(()));
    check_line(&["+get", "~a", "(+set ~b)"], "set a 1", Err(Denial::Key(1)));
    check_line(&["+@all", "-get", "~*"], "get a", Err(Denial::Command));
    check_line(&["+select|0"], "select 0", Ok(()));
    check_line(&["+select|0"], "select 1", Err(Denial::Command));
    check_line(&["+client", "-client|kill"], "client id", Ok(()));
    check_line(&["+client", "-client|kill"], "client kill a", Err(Denial::Command));
    check_line(&[], "auth a", Ok(()));
}

#[test]
fn ids_stay_with_users_and_are_not_used_again() {
    let first = acl_with(&["on"]);
    let id = first.user(b"alice").expect("alice is there").id;
    let changed = first.with_rules(b"alice", &[b"off"], false).expect("a rule");
    assert_eq!(changed.user(b"alice").expect("alice is there").id, id);
    let (without, deleted) = changed.without(&[b"alice", b"bob"]).expect("no default user");
    assert_eq!(deleted, 1);
    let again = without.with_rules(b"alice", &[], false).expect("no rules");
    assert_ne!(again.user(b"alice").expect("alice is there").id, id);
}

#[test]
fn files_are_taken_whole_or_not_at_all() {
    let acl = Acl::default();
    let text = b"user alice on >secret +get\n\nuser default off\n";
    let loaded = acl.from_file("users.acl", text, false).expect("a right file");
    assert!(loaded.authenticate(b"alice", b"secret").is_some());
    assert!(loaded.authenticate(b"alice", b"other").is_none());
    assert!(!loaded.is_open());
    let text = b"user alice on +nosuch wrong also\nuser alice\nnobody\n";
    let error = acl.from_file("users.acl", text, false).expect_err("a wrong file");
    assert_eq!(
        error.0,
        "users.acl:1: Error in applying operation '+nosuch': Unknown command or category name in \
         ACL. users.acl:1: Syntax error. WARNING: Duplicate user 'alice' found on line 2. \
         users.acl:3 should start with user keyword followed by the username. WARNING: ACL errors \
         detected, no change to the previously active ACL rules was performed"
    );
}

fn rule() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["get", "set", "client", "client|kill", "config|get"]);
    let category = prop::sample::select(vec!["read", "write", "slow", "admin", "keyspace"]);
    prop_oneof![
        prop::sample::select(vec![
            "on",
            "off",
            "nopass",
            "resetpass",
            "allkeys",
            "resetkeys",
            "allchannels",
            "reset",
            "resetchannels",
            "+@all",
            "-@all",
            ">p",
            "<p",
            "clearselectors",
            "+select|0",
            "(~x +get)",
            "(+@all -set)",
            "skip-sanitize-payload",
        ])
        .prop_map(str::to_owned),
        (prop::sample::select(vec!["+", "-"]), name)
            .prop_map(|(sign, name)| format!("{sign}{name}")),
        (prop::sample::select(vec!["+@", "-@"]), category)
            .prop_map(|(sign, name)| sign.to_owned() + name),
        "[~&][a-z*]{0,3}",
        "%(R|W|RW|rw|)~[a-z*]{0,3}",
        ".{0,6}",
    ]
}

proptest! {
    /// What is written can be read, and says the same again.
    #[test]
    fn written_rules_make_the_same_user(rules in prop::collection::vec(rule(), 0..20)) {
        super::fuzz::apply_rules(rules.join("\n").as_bytes());
    }

    /// Files may hold anything.
    #[test]
    fn any_file_is_read_or_refused(file in "(user |alice|on|[(]|[)]|~a|\n| |.){0,40}") {
        super::fuzz::read_file(file.as_bytes());
    }
}
