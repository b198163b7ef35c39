//! What must hold for any rules whatever, callable by a fuzzer.
//!
//! Rules that are refused change nothing; those that are taken can be written down, and what was
//! written makes the same user again, who may do the same.

use super::Acl;

/// Rules one input is cut into at most.
const RULES_MAX: usize = 64;

const NAME: &[u8] = b"alice";

/// Applies the lines of `data` as rules, one after the other. Panics if a promise is broken.
pub fn apply_rules(data: &[u8]) {
    let mut acl = Acl::default();
    for line in data.split(|byte| *byte == b'\n').take(RULES_MAX) {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        if let Ok(changed) = acl.with_rules(NAME, &words, false) {
            acl = changed;
        }
    }
    let written: Vec<Vec<u8>> = acl.lines().collect();
    let file = written.join(&b'\n');
    let again = match Acl::default().from_file("users.acl", &file, false) {
        Ok(again) => again,
        Err(error) => panic!("{error} in {:?}", String::from_utf8_lossy(&file)),
    };
    assert_eq!(written, again.lines().collect::<Vec<_>>());
    let (Some(one), Some(other)) = (acl.user(NAME), again.user(NAME)) else { return };
    for (one, other) in one.selectors.iter().zip(&other.selectors) {
        assert_eq!(one.commands, other.commands);
        assert_eq!(one.first_arguments.len(), other.first_arguments.len());
    }
}

/// Reads any bytes as an ACL file.
pub fn read_file(data: &[u8]) {
    if let Ok(acl) = Acl::default().from_file("users.acl", data, false) {
        assert!(acl.user(super::DEFAULT_USER).is_some());
    }
}
