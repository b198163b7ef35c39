//! Rewrites of the append-only file as the process counts them: begun, put off, given up, failed,
//! and when the next one is due. What one does stands in [`super::super::rewrite`].

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use basalt_persist::aof::manifest::BaseForm;

use super::{AppendOnly, State, base_form, history, location};
use crate::config::Settings;
use crate::server::clock;
use crate::{notice, warning};

/// After a rewrite that failed the next automatic one waits so long, twice as long each time.
const RETRY_SECONDS_MIN: i64 = 60;
const RETRY_SECONDS_MAX: i64 = 3600;

/// A rewrite under way.
pub(super) struct Rewrite {
    pub(super) begun_seconds: i64,
    first_kept: u64,
    /// Bytes of the generations that it replaces do not count from its end on.
    closed_bytes: u64,
    form: BaseForm,
    /// It was given up; whether it begins again.
    given_up: Option<bool>,
}

impl State {
    /// A rewrite has failed, or could not begin.
    fn note_failure(&mut self) {
        (self.was_last_ok, self.failures) = (false, self.failures.saturating_add(1));
        let wait_seconds = RETRY_SECONDS_MIN << self.failures.min(7).saturating_sub(1);
        self.retry_after_seconds =
            clock::now().unix_seconds() + wait_seconds.min(RETRY_SECONDS_MAX);
    }
}

impl AppendOnly {
    /// A rewrite begins. Its generation, whose first file has number `first_kept`, is made by the
    /// caller; there is none while the append-only file is off.
    pub fn begin_rewrite(&self, settings: &Settings, first_kept: Option<u64>) {
        let form = base_form(settings);
        let closed_bytes = self.total_bytes();
        let begun_seconds = clock::now().unix_seconds();
        let mut state = self.state();
        state.lacks_base |= !self.is_on() && first_kept.is_some();
        let first_kept = first_kept.unwrap_or(u64::MAX);
        state.is_scheduled = false;
        state.rewrite =
            Some(Rewrite { begun_seconds, first_kept, closed_bytes, form, given_up: None });
    }

    /// A rewrite cannot begin now: it does as soon as nothing stands in its way. That one which
    /// `turns_on` the append-only file is due by itself, as long as the configuration asks for it.
    pub fn put_rewrite_off(&self, turns_on: bool) {
        let mut state = self.state();
        state.is_scheduled |= !turns_on;
        state.retry_after_seconds = 0;
    }

    /// A rewrite that was to begin cannot: that counts as one that failed.
    pub fn fail_to_begin(&self) {
        let mut state = self.state();
        state.rewrite = None;
        state.note_failure();
    }

    /// Whether it is on, or will be when the cut under way is made.
    pub fn is_on_or_begins(&self) -> bool {
        let turns_on = |rewrite: &Rewrite| rewrite.first_kept != u64::MAX;
        self.is_on() || self.state().rewrite.as_ref().is_some_and(turns_on)
    }

    /// The rewrite under way is about to be given up; whether there is one. It `begins_again`
    /// later, or not.
    pub fn give_up_rewrite(&self, begins_again: bool) -> bool {
        let mut state = self.state();
        let Some(rewrite) = &mut state.rewrite else { return false };
        rewrite.given_up = Some(begins_again);
        true
    }

    /// Whether new generations mean something without a base to come.
    pub fn has_base(&self) -> bool {
        self.is_on() && !self.state().lacks_base
    }

    /// Where the base of the rewrite under way belongs.
    pub fn base_path(&self, settings: &Settings) -> PathBuf {
        let (location, form) = (location(settings), base_form(settings));
        location.file(&self.state().manifest.next_base(&location.prefix, form).name)
    }

    /// The base is complete, or will never be.
    pub fn end_rewrite(&self, settings: &Settings, base_bytes: Option<u64>) {
        let mut state = self.state();
        let Some(rewrite) = state.rewrite.take() else { return };
        let now_seconds = clock::now().unix_seconds();
        if let (Some(begins_again), None) = (rewrite.given_up, base_bytes) {
            state.is_scheduled |= begins_again;
            state.retry_after_seconds = 0;
            return;
        }
        state.last_took_seconds = now_seconds - rewrite.begun_seconds;
        let location = location(settings);
        let result = match base_bytes {
            None => Err(io::Error::other("the base was not written")),
            Some(bytes) => {
                let mut manifest = state.manifest.clone();
                let base = manifest.next_base(&location.prefix, rewrite.form);
                let gone = manifest.replace_base(base, rewrite.first_kept);
                let gone = history::keep(&mut manifest, gone, settings);
                manifest
                    .write(&*location.disk, &location.manifest())
                    .map(|()| (manifest, gone, bytes))
            }
        };
        match result {
            Ok((manifest, gone, bytes)) => {
                state.manifest = manifest;
                (state.rewrites, state.failures) = (state.rewrites + 1, 0);
                state.was_last_ok = true;
                state.lacks_base = false;
                let closed = self.closed_bytes.load(Ordering::Relaxed);
                let closed = closed.saturating_sub(rewrite.closed_bytes) + bytes;
                self.closed_bytes.store(closed, Ordering::Relaxed);
                drop(state);
                let total = self.total_bytes();
                self.state().base_bytes = total;
                history::delete(&location, &gone);
                notice!("Background AOF rewrite finished successfully");
            }
            Err(error) => {
                state.note_failure();
                warning!("Background AOF rewrite terminated with error: {error}");
            }
        }
    }

    /// Whether a rewrite is due: one was put off, the append-only file is to be turned on, there is
    /// no base yet for what was there when it was, or the files have grown enough. To be asked when
    /// the data set is loaded.
    pub fn is_rewrite_due(&self, settings: &Settings, now_seconds: i64) -> bool {
        let percentage = u64::from(settings.append_only.auto_aof_rewrite_percentage);
        let total = self.total_bytes();
        let state = self.state();
        if state.rewrite.is_some() || now_seconds < state.retry_after_seconds {
            return false;
        }
        let is_asked_for = state.is_scheduled || self.waits_to_be_on(settings);
        if is_asked_for || !self.is_on() {
            return is_asked_for;
        }
        if state.lacks_base || percentage == 0 {
            return state.lacks_base;
        }
        let base = state.base_bytes.max(1);
        let growth = total.saturating_sub(base).saturating_mul(100) / base;
        let is_due =
            total >= settings.append_only.auto_aof_rewrite_min_size_bytes && growth >= percentage;
        if is_due {
            notice!("Starting automatic rewriting of AOF on {growth}% growth");
        }
        is_due
    }

    /// Whether the configuration asks for an append-only file that is not on.
    pub(super) fn waits_to_be_on(&self, settings: &Settings) -> bool {
        settings.append_only.appendonly && !self.is_on()
    }

    /// Whether a rewrite is under way.
    pub fn is_rewriting(&self) -> bool {
        self.state().rewrite.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, SetContext};

    #[test]
    fn what_cannot_begin_is_tried_again_later_and_later() {
        let mut config = Config::default();
        let context = SetContext { is_loading: false, is_local: true };
        let changed = config.set(&[(b"appendonly", b"yes")], context);
        assert!(changed.expect("it can be set").contains("appendonly"));
        let (settings, append_only) = (config.settings(), AppendOnly::default());
        let is_due = |after_seconds: i64| {
            append_only.is_rewrite_due(&settings, clock::now().unix_seconds() + after_seconds)
        };
        assert!(is_due(0), "it is to be turned on");
        // The clock may go on by a few seconds while this runs.
        for wait_seconds in [60, 120, 240] {
            append_only.fail_to_begin();
            assert!(!is_due(wait_seconds - 10) && is_due(wait_seconds + 1));
        }
        append_only.put_rewrite_off(true);
        assert!(is_due(0), "somebody asks for it");
        let off = Config::default().settings();
        assert!(!append_only.is_rewrite_due(&off, clock::now().unix_seconds()));
        append_only.put_rewrite_off(false);
        assert!(append_only.is_rewrite_due(&off, clock::now().unix_seconds()));
    }
}
