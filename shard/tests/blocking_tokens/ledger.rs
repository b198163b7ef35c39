//! The books: which tokens were issued, and how often each was found.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::Request;

/// What became of the tokens of a run.
pub(crate) struct Ledger {
    seed: u64,
    issued: BTreeSet<String>,
    found: BTreeMap<String, usize>,
    /// How many may have been served to guests that left before they were told.
    pub(crate) may_be_lost: usize,
}

impl Ledger {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, issued: BTreeSet::new(), found: BTreeMap::new(), may_be_lost: 0 }
    }

    /// Some new tokens.
    pub(crate) fn issue(&mut self, count: usize) -> Vec<String> {
        let first = self.issued.len();
        let tokens: Vec<String> =
            (first..first + count).map(|number| format!("token:{}:{number}", self.seed)).collect();
        self.issued.extend(tokens.iter().cloned());
        tokens
    }

    /// Notes the tokens a reply hands out. What a move answers went on into another list.
    pub(crate) fn note_reply(&mut self, request: &Request, reply: &[u8]) {
        if !matches!(request[0].as_slice(), b"BLMOVE" | b"BRPOPLPUSH") {
            self.note(tokens_in(reply));
        }
    }

    /// Notes tokens that were found.
    pub(crate) fn note(&mut self, tokens: Vec<String>) {
        for token in tokens {
            *self.found.entry(token).or_default() += 1;
        }
    }

    /// Checks that each token was found once, but for those that went to who is gone.
    pub(crate) fn check(&self) {
        let seed = self.seed;
        let twice: Vec<_> = self.found.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "seed {seed}: served more than once {twice:?}");
        let unknown: Vec<_> =
            self.found.keys().filter(|token| !self.issued.contains(*token)).collect();
        assert!(unknown.is_empty(), "seed {seed}: out of nothing {unknown:?}");
        let lost: Vec<&String> =
            self.issued.iter().filter(|token| !self.found.contains_key(*token)).collect();
        let allowed = self.may_be_lost;
        assert!(lost.len() <= allowed, "seed {seed}: lost {lost:?}, {allowed} may be");
    }
}

/// The tokens anywhere in a reply.
pub(crate) fn tokens_in(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(reply);
    text.lines().filter(|line| line.starts_with("token:")).map(str::to_owned).collect()
}
