//! LATENCY GRAPH and LATENCY DOCTOR: samples for human eyes.

use std::fmt::Write;

use crate::latency::{Monitor, Sample, Series, event};
use crate::settings::Settings;

/// Characters a graph is wide.
const COLUMNS: usize = 80;

/// Characters a graph is high.
const ROWS: u64 = 4;

/// The top of a column, by how far it reaches into its row.
const TOPS: [char; 3] = ['_', 'o', '#'];

/// The samples of one event as columns, each with its age below.
pub(super) fn graph_of(event: &str, series: &Series, now_seconds: i64) -> String {
    let samples: Vec<Sample> = series.samples().collect();
    let high = samples.iter().map(|sample| sample.ms).max().unwrap_or(0);
    let low = samples.iter().map(|sample| sample.ms).min().unwrap_or(0);
    let mut text = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.max_ms,
        "-".repeat(COLUMNS)
    );
    for (index, part) in samples.chunks(COLUMNS).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        draw(part, (low, high), now_seconds, &mut text);
    }
    text
}

fn draw(samples: &[Sample], (low, high): (u64, u64), now_seconds: i64, text: &mut String) {
    let steps = TOPS.len() as u64 * ROWS;
    let range = (high - low).max(1);
    let heights: Vec<u64> =
        samples.iter().map(|sample| ((sample.ms - low) * steps / range).min(steps - 1)).collect();
    for row in (0..ROWS).rev() {
        let floor = row * TOPS.len() as u64;
        let mark = |height: &u64| match height.checked_sub(floor) {
            None => ' ',
            Some(above) => TOPS.get(above as usize).copied().unwrap_or('|'),
        };
        text.extend(heights.iter().map(mark));
        text.push('\n');
    }
    text.push_str(&" ".repeat(samples.len()));
    text.push('\n');
    let ages: Vec<Vec<char>> = samples
        .iter()
        .map(|sample| age(now_seconds - sample.unix_seconds).chars().collect())
        .collect();
    for line in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        text.extend(ages.iter().map(|age| age.get(line).copied().unwrap_or(' ')));
        text.push('\n');
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// What the samples tell, and what may help.
pub(super) fn doctor_report(monitor: &Monitor, settings: &Settings, now_seconds: i64) -> String {
    if settings.latency_monitor_threshold_ms == 0 && monitor.series().len() == 0 {
        return "Nothing is monitored: set latency-monitor-threshold to the milliseconds from which \
                on an event is worth noting.\n"
            .to_owned();
    }
    if monitor.series().len() == 0 {
        return "No event has passed latency-monitor-threshold so far.\n".to_owned();
    }
    let mut text = "These kinds of events took long:\n\n".to_owned();
    for (index, (event, series)) in monitor.series().enumerate() {
        describe(index + 1, event, series, now_seconds, &mut text);
    }
    text.push_str("\nWhat may help:\n\n");
    for (event, _) in monitor.series() {
        text.push_str(advice(event, settings));
    }
    text
}

fn describe(number: usize, event: &str, series: &Series, now_seconds: i64, text: &mut String) {
    let samples: Vec<Sample> = series.samples().collect();
    let count = samples.len() as u64;
    let average_ms = samples.iter().map(|sample| sample.ms).sum::<u64>() / count.max(1);
    let deviations = samples.iter().map(|sample| sample.ms.abs_diff(average_ms)).sum::<u64>();
    let first = samples.first().map_or(now_seconds, |sample| sample.unix_seconds);
    let period_seconds = (now_seconds - first) as f64 / count.max(1) as f64;
    let _ = writeln!(
        text,
        "{number}. {event}: {count} samples, {average_ms} ms on average, {} ms away from that in \
         the mean, one every {period_seconds:.2} seconds; the longest ever took {} ms.",
        deviations / count.max(1),
        series.max_ms,
    );
}

fn advice(event: &str, settings: &Settings) -> &'static str {
    match event {
        event::COMMAND if settings.slowlog_log_slower_than_us < 0 => {
            "- Enable the slow log with CONFIG SET slowlog-log-slower-than: it tells which \
             commands are slow.\n"
        }
        event::COMMAND => {
            "- Check your slow log (SLOWLOG GET) to see which commands took long; those that look \
             at all elements of a large value have variants that go step by step (SCAN, HSCAN, \
             ZRANGE with limits).\n"
        }
        event::FAST_COMMAND => {
            "- Commands that take constant time were slow: look for other processes on the same \
             processors, for swapping, and for a hypervisor that takes processor time away.\n"
        }
        event::EXPIRE_CYCLE => {
            "- Many keys expire at the same time: spread their times, or lower \
             active-expire-effort.\n"
        }
        _ => {
            "- Evicting keys takes long: leave more room between what is written and maxmemory, \
             or lower maxmemory-eviction-tenacity.\n"
        }
    }
}
