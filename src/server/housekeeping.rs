//! What a core does besides serving: expired keys, idle clients, rates, memory to be freed or put
//! in order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use basalt_shard::commands::info;
use basalt_shard::core::CoreId;

use super::clock;
use super::connection::{connection_of, session_of};
use super::driver::Driver;
use super::tls_files;
use crate::{memory, verbose};

/// Between two rounds of what needs no precision.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// Work units of active expiry in one turn, times the configured effort; some microseconds.
const EXPIRE_WORK_PER_TURN: usize = 128;

impl Driver {
    /// A bounded amount of work at the end of each turn.
    pub(super) fn keep_house(&mut self) {
        for garbage in self.core.store.take_garbage() {
            self.core.host.discard(garbage);
        }
        let now_ms = self.core.store.now().monotonic_ms();
        let is_due = now_ms >= self.housekeeping_due_ms;
        if is_due || self.expiry_pending {
            let effort = self.core.store.settings().active_expire_effort as usize;
            let cycle = self.core.expire_cycle(EXPIRE_WORK_PER_TURN * effort);
            self.expiry_pending = cycle.more;
        }
        self.defragment();
        if !is_due {
            return;
        }
        let begun_ns = clock::elapsed_ns();
        self.housekeeping_due_ms = now_ms + INTERVAL.as_millis() as u64;
        self.core.stats.sample_rates(now_ms);
        self.note_memory();
        self.consider_defragmentation(now_ms);
        self.post_changes();
        self.check_clients(now_ms);
        let now_seconds = now_ms / 1000;
        if self.core.id() == CoreId(0)
            && tls_files::is_look_due(&self.process, &self.settings.tls, now_seconds)
        {
            tls_files::look_in_background(&self.process);
        }
        for listener in std::mem::take(&mut self.resting_listeners) {
            if self.reactor.resume_accept(listener).is_err() {
                self.resting_listeners.push(listener);
            }
        }
        self.core.stats.cron_ns += clock::elapsed_ns() - begun_ns;
    }

    /// Posts what this core has changed; core 0 sees whether that calls for a snapshot.
    fn post_changes(&mut self) {
        let changes = self.core.store.stats.changes;
        let news = changes - std::mem::replace(&mut self.posted_changes, changes);
        let shared = self.core.shared();
        let total = shared.changes.fetch_add(news, Ordering::Relaxed) + news;
        let now_seconds = self.core.store.now().unix_seconds();
        if self.core.id() != CoreId(0) {
            return;
        }
        // Those in force: the core may not have seen yet that the append-only file was turned off.
        let settings = self.process.settings();
        if !self.process.persistence.is_writing()
            && !self.process.persistence.is_loading()
            && self.process.append_only.is_rewrite_due(&settings, now_seconds)
        {
            self.core.begin_background_rewrite();
        }
        if self.process.persistence.is_save_due(&settings, total, now_seconds) {
            self.core.begin_background_save();
        }
    }

    /// Goes on with what comes from a file and what goes into one.
    pub(super) fn keep_files(&mut self) {
        if let Some(loading) = &mut self.loading
            && !loading.step(&mut self.core, &self.process, &self.settings)
        {
            self.loading = None;
        }
        self.walk_snapshot();
        if self.core.id() == CoreId(0)
            && !self.core.is_cron_paused
            && let Some(options) = self.process.take_shutdown_wish()
        {
            self.core.begin_shutdown(options);
            self.core.end_turn();
        }
        if self.core.id() == CoreId(0) {
            self.begin_surveys();
        }
    }

    /// Gathers what INFO tells for threads that asked for it.
    fn begin_surveys(&mut self) {
        for wish in self.process.take_survey_wishes() {
            // Who has lost patience is not there any more.
            info::survey(&mut self.core, move |survey| drop(wish.try_send(survey)));
            self.core.end_turn();
        }
    }

    /// Posts what this core has in use and notes peaks. The first time round all cores are made, so
    /// that what is in use then is what an empty server takes.
    fn note_memory(&mut self) {
        memory::post_used_bytes();
        let used_bytes = memory::used_bytes();
        self.process.note_used(used_bytes, self.core.store.now().unix_seconds());
        if !std::mem::replace(&mut self.has_noted_start, true) {
            self.process.startup_used_bytes.fetch_max(used_bytes, Ordering::Relaxed);
        }
    }

    /// Ends idle clients and those that stay above their soft limit, and brings the figures of
    /// CLIENT LIST up to date. O(clients), ten times a second.
    fn check_clients(&mut self, now_ms: u64) {
        let idle_ms = u64::from(self.settings.timeout_seconds) * 1000;
        for index in 0..self.connections.len() {
            let Some(connection) = self.connections[index].as_deref() else { continue };
            let id = connection.id;
            if let Some(len) = self.reactor.direct_bytes(id) {
                self.count_filling(id, len);
            }
            self.refresh_figures(id);
            if self.core.weighs_clients() {
                self.core.weigh(session_of(id));
            }
            let Some(session) = self.core.session_mut(session_of(id)) else { continue };
            let unsent_bytes = session.figures.unsent_bytes;
            let is_idle = now_ms.saturating_sub(session.figures.active_ms) > idle_ms;
            if idle_ms > 0 && is_idle && !session.is_owed() {
                verbose!("Closing idle client");
                self.close(connection_of(session_of(id)));
            } else if unsent_bytes > self.output_watch_bytes {
                self.check_output(id, unsent_bytes);
            } else if let Some(connection) = self.connection(id) {
                connection.soft_limit_since_ms = None;
            }
        }
    }
}
