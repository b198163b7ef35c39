//! Slow commands at a core: into the slow log and the latency monitor.

use super::{Core, Prepared, SessionId};
use crate::arguments::Arguments;
use crate::command::{Command, flag};
use crate::latency::{Monitor, Sample, event};
use crate::redaction;
use crate::reply::Output;
use crate::settings::Settings;
use crate::slow_log::{Entry, LogKind, SlowCommand, SlowLog, Summary, summarize};
use crate::stats::Stats;

const NS_PER_US: u64 = 1000;
const NS_PER_MS: u64 = 1_000_000;

/// Counters of a core that starts.
pub(super) fn stats(settings: &Settings) -> Stats {
    let mut stats = Stats::default();
    follow(&mut stats, settings);
    stats
}

/// Has what is counted follow the settings.
pub(super) fn follow(stats: &mut Stats, settings: &Settings) {
    stats.latency_tracking = settings.latency_tracking;
    stats.slow_ns = slow_ns(settings);
    let bytes_min = |bytes: i64| usize::try_from(bytes).unwrap_or(usize::MAX);
    stats.large_request_bytes = bytes_min(settings.large_request_bytes);
    stats.large_reply_bytes = bytes_min(settings.large_reply_bytes);
}

/// From how many nanoseconds on a command is slow for the slow log or the latency monitor.
fn slow_ns(settings: &Settings) -> u64 {
    slow_log_ns(settings).min(latency_ns(settings))
}

fn slow_log_ns(settings: &Settings) -> u64 {
    match u64::try_from(settings.slowlog_log_slower_than_us) {
        Ok(us) => us.saturating_mul(NS_PER_US),
        Err(_) => u64::MAX,
    }
}

fn latency_ns(settings: &Settings) -> u64 {
    match settings.latency_monitor_threshold_ms {
        0 => u64::MAX,
        ms => ms.saturating_mul(NS_PER_MS),
    }
}

impl Core {
    /// Slow, or large, commands of the clients of this core.
    pub(crate) fn command_log(&mut self, kind: LogKind) -> &mut SlowLog {
        &mut self.command_logs[kind as usize]
    }

    /// A command whose request was of so many bytes has begun to run, or was queued.
    #[cold]
    pub fn note_large_request(
        &mut self,
        id: SessionId,
        prepared: &Prepared,
        arguments: Arguments<'_>,
        bytes: usize,
    ) {
        let Some(row) = prepared.row else { return };
        let summary = self.summary(row, arguments);
        let (kind, amount) = (LogKind::LargeRequest, bytes as u64);
        self.log_slow_command(Some(id), SlowCommand { row, kind, amount, summary });
    }

    /// What stopped this core for long.
    pub(crate) fn latency(&mut self) -> &mut Monitor {
        &mut self.latency
    }

    /// A command line as logs may show it.
    pub(super) fn summary(&self, row: &Command, arguments: Arguments<'_>) -> Summary {
        let host = &*self.host;
        summarize(arguments, |index| redaction::is_secret(row, arguments, index, host))
    }

    /// A command of a client of this core has answered all of `output`, which may be a lot.
    #[cold]
    pub(super) fn note_large_reply(
        &mut self,
        id: SessionId,
        row: &'static Command,
        arguments: Arguments<'_>,
        output: &Output,
    ) {
        let summary = self.summary(row, arguments);
        self.stats.note_large_reply(row, output.len(), summary);
        self.log_slow(Some(id));
    }

    /// Logs the slow commands that ended here lately, all of them of one session, or of one that
    /// has left.
    #[cold]
    pub(super) fn log_slow(&mut self, id: Option<SessionId>) {
        for command in std::mem::take(&mut self.stats.slow) {
            self.note_slow_event(&command);
            self.log_slow_command(id, command);
        }
    }

    /// Takes what was slow here to the core it came from.
    #[cold]
    pub(super) fn pack_slow(&mut self, id: SessionId, slow: &mut Vec<(SessionId, SlowCommand)>) {
        for command in std::mem::take(&mut self.stats.slow) {
            self.note_slow_event(&command);
            slow.push((id, command));
        }
    }

    /// The latency monitor tells of the core that was stopped.
    fn note_slow_event(&mut self, command: &SlowCommand) {
        if command.kind != LogKind::Slow {
            return;
        }
        let event = match command.row.flags.contains(flag::FAST) {
            true => event::FAST_COMMAND,
            false => event::COMMAND,
        };
        self.note_latency(event, command.amount);
    }

    /// Notes how long something took that is no command.
    pub(super) fn note_latency(&mut self, event: &'static str, ns: u64) {
        if ns >= latency_ns(self.store.settings()) {
            let unix_seconds = self.store.now_ms() / 1000;
            self.latency.add(event, Sample { unix_seconds, ms: ns / NS_PER_MS });
        }
    }

    /// The logs tell of clients.
    pub(super) fn log_slow_command(&mut self, id: Option<SessionId>, command: SlowCommand) {
        let settings = self.store.settings();
        let SlowCommand { row, kind, amount, summary } = command;
        let amount = match kind {
            LogKind::Slow if amount < slow_log_ns(settings) => return,
            LogKind::Slow => amount / NS_PER_US,
            LogKind::LargeRequest | LogKind::LargeReply => amount,
        };
        if row.flags.contains(flag::SKIP_SLOWLOG) {
            return;
        }
        let entries_max = settings.log_max_len(kind);
        let session = id.and_then(|id| self.session(id));
        let entry = Entry {
            id: self.shared.next_log_id(kind),
            unix_seconds: self.store.now_ms() / 1000,
            amount,
            summary,
            peer: session.map(|session| session.origin.peer.clone()).unwrap_or_default(),
            client_name: session
                .and_then(|session| session.name.as_deref())
                .unwrap_or_default()
                .into(),
        };
        self.command_logs[kind as usize].add(entry, entries_max);
    }
}
