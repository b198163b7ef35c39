//! What a core counts: for INFO, and for nothing on the way of a command but a few additions.
//!
//! Every core counts for itself; a tour adds the counters up.

use std::collections::BTreeMap;

use crate::acl::log::Counts;
use crate::command::{Command, command_count};
use crate::error::CommandError;
use crate::slow_log::{LogKind, SlowCommand, Summary};

/// Kinds of errors INFO errorstats tells apart; the rest is counted together.
const ERROR_KINDS_MAX: usize = 128;

/// Name errors beyond [`ERROR_KINDS_MAX`] kinds are counted under.
const ERROR_KINDS_OVERFLOW: &str = "ERRORSTATS_OVERFLOW";

/// Buckets of a latency histogram: four to each power of two of nanoseconds.
const LATENCY_BUCKETS: usize = 4 * 40;

/// Counters of one command.
#[derive(Clone, Debug)]
pub struct CommandStats {
    /// Times it ran.
    pub calls: u64,
    /// Time it took in all, in nanoseconds.
    pub ns: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and answered an error.
    pub failed: u64,
    /// How long single calls took.
    pub latency: Option<Box<LatencyHistogram>>,
}

/// How often calls took how long, in buckets a quarter of a power of two wide.
#[derive(Clone, Debug)]
pub struct LatencyHistogram {
    counts: [u64; LATENCY_BUCKETS],
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { counts: [0; LATENCY_BUCKETS] }
    }
}

impl LatencyHistogram {
    #[inline]
    fn bucket(ns: u64) -> usize {
        let ns = ns.max(4);
        let exponent = ns.ilog2();
        let quarter = (ns >> (exponent - 2)) & 3;
        (exponent as usize * 4 + quarter as usize).min(LATENCY_BUCKETS - 1)
    }

    /// Highest latency that falls in `bucket`, in nanoseconds.
    fn upper_ns(bucket: usize) -> u64 {
        let (exponent, quarter) = (bucket as u32 / 4, bucket as u64 % 4);
        ((4 + quarter + 1) << exponent >> 2).saturating_sub(1)
    }

    /// Counts one call.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.counts[Self::bucket(ns)] += 1;
    }

    /// How many calls were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many calls took no longer than each power of two of microseconds, from 1 on, where that
    /// is more than for the one before. Every bound is told in whole microseconds.
    pub fn cumulative_by_octave(&self) -> Vec<(u64, u64)> {
        let mut steps: Vec<(u64, u64)> = Vec::new();
        let mut cumulative = 0;
        for (octave, counts) in self.counts.chunks_exact(4).enumerate() {
            let before = cumulative;
            cumulative += counts.iter().sum::<u64>();
            let upper_us = ((2_u64 << octave) / 1000).max(1);
            match steps.last_mut() {
                Some((known_us, count)) if *known_us == upper_us => *count = cumulative,
                _ if cumulative > before => steps.push((upper_us, cumulative)),
                _ => {}
            }
        }
        steps
    }

    /// Adds the counts of another core.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
    }

    /// The latency in nanoseconds that `percentile` percent of the calls did not pass.
    pub fn percentile_ns(&self, percentile: f64) -> u64 {
        let total: u64 = self.counts.iter().sum();
        let wanted = ((percentile / 100.0) * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Self::upper_ns(bucket);
            }
        }
        0
    }
}

impl CommandStats {
    const EMPTY: Self = Self { calls: 0, ns: 0, rejected: 0, failed: 0, latency: None };

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.ns += other.ns;
        self.rejected += other.rejected;
        self.failed += other.failed;
        if let Some(latency) = &other.latency {
            self.latency.get_or_insert_default().add(latency);
        }
    }
}

/// Counters of one core.
#[derive(Clone, Debug)]
pub struct Stats {
    commands: Vec<CommandStats>,
    /// Error replies by code word.
    pub errors: BTreeMap<Box<str>, u64>,
    /// Connections accepted since the start.
    pub connections_received: u64,
    /// Connections refused because of `maxclients`.
    pub connections_rejected: u64,
    /// Commands run.
    pub commands_processed: u64,
    /// Bytes received from clients.
    pub input_bytes: u64,
    /// Bytes sent to clients.
    pub output_bytes: u64,
    /// Receive completions with data.
    pub reads: u64,
    /// Sends.
    pub writes: u64,
    /// Error replies.
    pub error_replies: u64,
    /// Clients cut because their query buffer passed its limit.
    pub query_buffer_disconnections: u64,
    /// Clients cut because their output passed its limit.
    pub output_buffer_disconnections: u64,
    /// Clients ended because all together made the server hold too much.
    pub evicted_clients: u64,
    /// Commands refused since their users send too many.
    pub throttled_commands: u64,
    /// Turns of the core.
    pub turns: u64,
    /// Time spent in turns, in nanoseconds.
    pub turns_ns: u64,
    /// Time the longest turn took, in nanoseconds.
    pub turn_ns_max: u64,
    /// Commands of the turn that ran most.
    pub turn_commands_max: u64,
    /// Commands run before the last turn ended.
    turn_commands_base: u64,
    /// Time spent on what is done without being asked for, several times a second, in nanoseconds.
    pub cron_ns: u64,
    /// Time spent handing over what goes to the append-only file, in nanoseconds.
    pub journal_ns: u64,
    /// Time spent in commands, in nanoseconds.
    pub commands_ns: u64,
    /// Rates over the last seconds.
    pub rates: Rates,
    last_ns: u64,
    /// What clients were refused for want of rights.
    pub denials: Counts,
    /// Whether latencies are recorded per command.
    pub latency_tracking: bool,
    /// From how many nanoseconds on a command is noted in `slow`.
    pub slow_ns: u64,
    /// From how many bytes on a request is logged.
    pub large_request_bytes: usize,
    /// From how many bytes on a reply is noted in `slow`.
    pub large_reply_bytes: usize,
    /// Slow and large commands that nobody has logged yet.
    pub slow: Vec<SlowCommand>,
}

/// Rates sampled by the periodic work, per second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// Commands.
    pub commands: u64,
    /// Bytes received.
    pub input_bytes: u64,
    /// Bytes sent.
    pub output_bytes: u64,
    /// Turns.
    pub turns: u64,
    base: [u64; 4],
    base_ms: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            commands: vec![CommandStats::EMPTY; command_count()],
            errors: BTreeMap::new(),
            connections_received: 0,
            connections_rejected: 0,
            commands_processed: 0,
            input_bytes: 0,
            output_bytes: 0,
            reads: 0,
            writes: 0,
            error_replies: 0,
            query_buffer_disconnections: 0,
            output_buffer_disconnections: 0,
            evicted_clients: 0,
            throttled_commands: 0,
            turns: 0,
            turns_ns: 0,
            turn_ns_max: 0,
            turn_commands_max: 0,
            turn_commands_base: 0,
            cron_ns: 0,
            journal_ns: 0,
            commands_ns: 0,
            rates: Rates::default(),
            last_ns: 0,
            denials: Counts::default(),
            latency_tracking: true,
            slow_ns: u64::MAX,
            large_request_bytes: usize::MAX,
            large_reply_bytes: usize::MAX,
            slow: Vec::new(),
        }
    }
}

impl Stats {
    /// Commands are about to run: what came before is not theirs.
    #[inline]
    pub fn mark(&mut self, elapsed_ns: u64) {
        self.last_ns = elapsed_ns;
    }

    /// Counts a command that ran until `elapsed_ns`, since the one before it or the last
    /// [`Stats::mark`]. One look at the clock a command. Returns the time if it was slow.
    #[inline]
    pub fn ran(
        &mut self,
        row: &Command,
        elapsed_ns: u64,
        error: Option<&CommandError>,
    ) -> Option<u64> {
        let ns = self.lap(elapsed_ns);
        self.took(row, ns, error)
    }

    /// Nanoseconds since the last command, [`Stats::mark`], or this.
    #[inline]
    pub fn lap(&mut self, elapsed_ns: u64) -> u64 {
        elapsed_ns.saturating_sub(std::mem::replace(&mut self.last_ns, elapsed_ns))
    }

    /// Counts a command that took so long. Returns the time if it was slow.
    #[inline]
    pub fn took(&mut self, row: &Command, ns: u64, error: Option<&CommandError>) -> Option<u64> {
        self.commands_processed += 1;
        self.commands_ns += ns;
        let stats = &mut self.commands[row.id.index()];
        stats.calls += 1;
        stats.ns += ns;
        if self.latency_tracking {
            stats.latency.get_or_insert_default().record(ns);
        }
        if let Some(error) = error {
            stats.failed += 1;
            self.count_error(error);
        }
        (ns >= self.slow_ns).then_some(ns)
    }

    /// Notes a slow command for the logs.
    #[cold]
    pub fn note_slow(&mut self, row: &'static Command, ns: u64, summary: Summary) {
        self.slow.push(SlowCommand { row, kind: LogKind::Slow, amount: ns, summary });
    }

    /// Notes a command with a large reply for the log.
    #[cold]
    pub fn note_large_reply(&mut self, row: &'static Command, bytes: usize, summary: Summary) {
        let (kind, amount) = (LogKind::LargeReply, bytes as u64);
        self.slow.push(SlowCommand { row, kind, amount, summary });
    }

    /// Counts a command that was refused.
    pub fn rejected(&mut self, row: Option<&Command>, error: &CommandError) {
        if let Some(row) = row {
            self.commands[row.id.index()].rejected += 1;
        }
        self.count_error(error);
    }

    /// Counts an error reply.
    pub fn count_error(&mut self, error: &CommandError) {
        if matches!(error, CommandError::Counted(_)) {
            return;
        }
        self.error_replies += 1;
        let code = error.code();
        let known = self.errors.contains_key(code) || self.errors.len() < ERROR_KINDS_MAX;
        let code = if known { code } else { ERROR_KINDS_OVERFLOW };
        *self.errors.entry(code.into()).or_default() += 1;
    }

    /// Counters by command id.
    pub fn commands(&self) -> &[CommandStats] {
        &self.commands
    }

    /// Adds the counters of another core.
    pub fn add(&mut self, other: &Self) {
        for (mine, more) in self.commands.iter_mut().zip(&other.commands) {
            mine.add(more);
        }
        for (code, count) in &other.errors {
            *self.errors.entry(code.clone()).or_default() += count;
        }
        self.denials.add(other.denials);
        self.connections_received += other.connections_received;
        self.connections_rejected += other.connections_rejected;
        self.commands_processed += other.commands_processed;
        self.input_bytes += other.input_bytes;
        self.output_bytes += other.output_bytes;
        self.reads += other.reads;
        self.writes += other.writes;
        self.error_replies += other.error_replies;
        self.query_buffer_disconnections += other.query_buffer_disconnections;
        self.output_buffer_disconnections += other.output_buffer_disconnections;
        self.evicted_clients += other.evicted_clients;
        self.throttled_commands += other.throttled_commands;
        self.turns += other.turns;
        self.turns_ns += other.turns_ns;
        self.commands_ns += other.commands_ns;
        self.turn_ns_max = self.turn_ns_max.max(other.turn_ns_max);
        self.turn_commands_max = self.turn_commands_max.max(other.turn_commands_max);
        self.cron_ns += other.cron_ns;
        self.journal_ns += other.journal_ns;
        self.rates.commands += other.rates.commands;
        self.rates.input_bytes += other.rates.input_bytes;
        self.rates.output_bytes += other.rates.output_bytes;
        self.rates.turns += other.rates.turns;
    }

    /// A turn has ended that took so long.
    #[inline]
    pub fn note_turn(&mut self, ns: u64) {
        let commands = self.commands_processed - self.turn_commands_base;
        self.turn_commands_base = self.commands_processed;
        self.turn_commands_max = self.turn_commands_max.max(commands);
        self.turn_ns_max = self.turn_ns_max.max(ns);
        self.turns += 1;
        self.turns_ns += ns;
    }

    /// Works the rates out anew; called several times a second.
    pub fn sample_rates(&mut self, monotonic_ms: u64) {
        let passed_ms = monotonic_ms.saturating_sub(self.rates.base_ms);
        if passed_ms < 500 {
            return;
        }
        let totals = [self.commands_processed, self.input_bytes, self.output_bytes, self.turns];
        let rate =
            |index: usize| totals[index].saturating_sub(self.rates.base[index]) * 1000 / passed_ms;
        self.rates = Rates {
            commands: rate(0),
            input_bytes: rate(1),
            output_bytes: rate(2),
            turns: rate(3),
            base: totals,
            base_ms: monotonic_ms,
        };
    }

    /// `CONFIG RESETSTAT`.
    pub fn reset(&mut self) {
        *self = Self {
            latency_tracking: self.latency_tracking,
            slow_ns: self.slow_ns,
            large_request_bytes: self.large_request_bytes,
            large_reply_bytes: self.large_reply_bytes,
            slow: std::mem::take(&mut self.slow),
            last_ns: self.last_ns,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_stay_within_a_quarter() {
        let mut histogram = LatencyHistogram::default();
        for ns in 1..=10_000 {
            histogram.record(ns);
        }
        for (percentile, exact) in [(50.0, 5000.0), (99.0, 9900.0), (100.0, 10_000.0)] {
            let seen = histogram.percentile_ns(percentile) as f64;
            assert!(seen >= exact && seen <= exact * 1.25, "{percentile}: {seen}");
        }
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut stats = Stats::default();
        for kind in 0..1000 {
            stats.count_error(&CommandError::worded(format!("E{kind} text")));
        }
        assert_eq!(stats.errors.len(), ERROR_KINDS_MAX + 1);
        assert_eq!(stats.error_replies, 1000);
        stats.count_error(&CommandError::Counted("ERR of a script".into()));
        assert_eq!(stats.error_replies, 1000);
    }
}
