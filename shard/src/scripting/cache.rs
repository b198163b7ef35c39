//! Scripts by digest, the same for all cores.
//!
//! A script is immutable and shared. The lock is taken when a core meets a script for the first
//! time, and by the SCRIPT commands; a core that has compiled a script asks the script itself
//! whether it is still cached. Loading takes effect when the lock is released, flushing when the
//! generation changes, giving one up when its mark is cleared: one instant each, for all cores.
//!
//! What `EVAL` brought is bounded: beyond some hundreds the one that was not run for longest goes
//! (about: those run since the last look get a second chance). What `SCRIPT LOAD` brought stays
//! until it is flushed.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::source::{Script, Sha};

/// Scripts of `EVAL` that are kept, as in Valkey 8.
const EVAL_SCRIPTS_MAX: usize = 500;

/// The cache.
#[derive(Default)]
pub struct ScriptCache {
    generation: AtomicU64,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    scripts: HashMap<Sha, Entry>,
    /// Digests of what only `EVAL` brought, oldest first; some may have been loaded since.
    evaluated: VecDeque<Sha>,
    bytes: usize,
    evicted: u64,
}

struct Entry {
    script: Arc<Script>,
    is_loaded: bool,
}

/// Figures for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheFigures {
    /// Scripts.
    pub count: usize,
    /// Memory of their texts, in bytes.
    pub bytes: usize,
    /// Scripts given up so far.
    pub evicted: u64,
}

impl ScriptCache {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with every flush.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }

    /// The script of that digest.
    pub fn find(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.content().scripts.get(sha).map(|entry| Arc::clone(&entry.script))
    }

    /// Keeps a script, or the one of the same text that is there; that one is returned.
    /// `is_loaded` says that it is to stay.
    pub fn keep(&self, script: Script, is_loaded: bool) -> Arc<Script> {
        let mut content = self.content();
        if let Some(entry) = content.scripts.get_mut(&script.sha) {
            entry.is_loaded |= is_loaded;
            return Arc::clone(&entry.script);
        }
        let script = Arc::new(script);
        content.bytes += script.bytes();
        let entry = Entry { script: Arc::clone(&script), is_loaded };
        content.scripts.insert(script.sha, entry);
        if !is_loaded {
            content.evaluated.push_back(script.sha);
            content.make_room();
        }
        script
    }

    /// Removes all scripts.
    pub fn flush(&self) {
        let mut content = self.content();
        for entry in content.scripts.values() {
            entry.script.give_up();
        }
        let evicted = content.evicted;
        *content = Content { evicted, ..Content::default() };
        self.generation.fetch_add(1, SeqCst);
    }

    /// Figures for INFO.
    pub fn figures(&self) -> CacheFigures {
        let content = self.content();
        CacheFigures {
            count: content.scripts.len(),
            bytes: content.bytes,
            evicted: content.evicted,
        }
    }
}

impl Content {
    fn make_room(&mut self) {
        // Everybody has at most one second chance per call.
        let mut chances = self.evaluated.len();
        while self.evaluated.len() > EVAL_SCRIPTS_MAX {
            let Some(sha) = self.evaluated.pop_front() else { return };
            let Some(entry) = self.scripts.get(&sha) else { continue };
            if entry.is_loaded {
                continue;
            }
            if chances > 0 && entry.script.take_was_run() {
                chances -= 1;
                self.evaluated.push_back(sha);
                continue;
            }
            entry.script.give_up();
            self.bytes -= entry.script.bytes();
            self.evicted += 1;
            self.scripts.remove(&sha);
        }
    }
}
