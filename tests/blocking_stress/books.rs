//! Which tokens were found, how often, and by whom.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::Reply;

/// The books of one run, kept by many threads.
#[derive(Default)]
pub(crate) struct Books {
    issued: AtomicUsize,
    found: Mutex<BTreeMap<String, usize>>,
    /// Of each stream, what every reader saw of it.
    seen: Mutex<BTreeMap<&'static str, Vec<Vec<String>>>>,
    /// Tokens that may have been served to clients that left before they were told.
    may_be_lost: AtomicUsize,
}

impl Books {
    /// A new token, while fewer than `limit` were issued.
    pub(crate) fn issue(&self, limit: usize) -> Option<String> {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        (number < limit).then(|| format!("token:{number}"))
    }

    /// Notes the tokens in a reply.
    pub(crate) fn note(&self, reply: &Reply) {
        let mut found = self.found.lock().expect("nobody fails while noting");
        for token in tokens_in(reply) {
            *found.entry(token).or_default() += 1;
        }
    }

    /// A client left in the midst of a wait that might have taken so many tokens.
    pub(crate) fn note_leaving(&self, tokens_max: usize) {
        self.may_be_lost.fetch_add(tokens_max, Ordering::Relaxed);
    }

    /// A reader is done with a stream.
    pub(crate) fn note_reader(&self, stream: &'static str, tokens: Vec<String>) {
        let mut seen = self.seen.lock().expect("nobody fails while noting");
        seen.entry(stream).or_default().push(tokens);
    }

    /// Checks that every reader saw the whole stream in order.
    pub(crate) fn check_readers(&self, stream: &str, range: &Reply) {
        let all = tokens_in(range);
        let seen = self.seen.lock().expect("nobody fails while noting");
        let readers = &seen[stream];
        assert!(!readers.is_empty() && !all.is_empty(), "{stream} has entries and readers");
        for tokens in readers {
            let differing = tokens.iter().zip(&all).find(|(one, other)| one != other);
            assert!(differing.is_none(), "{stream}: a reader saw {differing:?}");
            assert_eq!(tokens.len(), all.len(), "{stream}: a reader saw another number of entries");
        }
    }

    /// Checks that each of the tokens was found once, but for those of clients that left.
    pub(crate) fn check(&self, issued: usize) {
        let found = self.found.lock().expect("nobody fails while noting");
        let twice: Vec<_> = found.iter().filter(|(_, count)| **count != 1).collect();
        assert!(twice.is_empty(), "served more than once: {twice:?}");
        let names = (0..issued).map(|number| format!("token:{number}"));
        let lost: Vec<String> = names.filter(|token| !found.contains_key(token)).collect();
        let allowed = self.may_be_lost.load(Ordering::Relaxed);
        assert!(lost.len() <= allowed, "lost, where {allowed} may be: {lost:?}");
    }
}

/// The tokens anywhere in a reply.
pub(crate) fn tokens_in(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::Bulk(bytes) if bytes.starts_with(b"token:") => {
            vec![String::from_utf8_lossy(bytes).into_owned()]
        }
        Reply::Array(elements) => elements.iter().flat_map(tokens_in).collect(),
        _ => Vec::new(),
    }
}
