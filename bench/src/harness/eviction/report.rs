//! What came of a run, as a table.

use serde::{Deserialize, Serialize};

use crate::harness::spread::Spread;

/// One server with one policy in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) round: u32,
    pub(super) policy: String,
    /// Name, and cores where the server has such a directive.
    pub(super) server: String,
    /// Seed of the round's keys.
    pub(super) seed: u64,
    /// Keys asked for after the warm-up ...
    pub(super) requests: u64,
    /// ... and the share of them that was there.
    pub(super) hit_percent: f64,
    /// The same of an exact cache with room for as many keys as the server held in the end; for
    /// policies that are some kind of LRU.
    pub(super) exact_hit_percent: Option<f64>,
    pub(super) keys_held: u64,
    pub(super) keys_evicted: u64,
    pub(super) limit_bytes: u64,
    /// The most memory seen that counts for eviction ...
    pub(super) seen_peak_bytes: u64,
    /// ... and the most in use by the server's own record.
    pub(super) recorded_peak_bytes: u64,
    /// Warm-up included.
    pub(super) seconds: f64,
}

impl Sample {
    /// How far so much memory lies above the limit, in percent of it.
    fn excess_percent(&self, bytes: u64) -> f64 {
        100.0 * (bytes as f64 / self.limit_bytes.max(1) as f64 - 1.0)
    }
}

/// The table: rows in the order in which policies and servers first come among the samples, medians
/// of the rounds, and of memory the most. Differences are taken to the server called `peer`, round
/// by round, since the rounds' keys differ.
pub(super) fn table(samples: &[Sample], peer: Option<&str>) -> String {
    let mut text = format!(
        "| policy | server | hit rate % | to {}, points | exact LRU % | keys held | evicted | \
         highest seen | own record | seconds |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        peer.unwrap_or("a peer"),
    );
    let mut done: Vec<(&str, &str)> = Vec::new();
    for sample in samples {
        let row = (sample.policy.as_str(), sample.server.as_str());
        if !done.contains(&row) {
            done.push(row);
            text.push_str(&table_line(samples, row, peer));
        }
    }
    text
}

fn table_line(samples: &[Sample], (policy, server): (&str, &str), peer: Option<&str>) -> String {
    let of = |name: &str| -> Vec<&Sample> {
        samples.iter().filter(|it| it.policy == policy && it.server == name).collect()
    };
    let own = of(server);
    let median = |figure: fn(&Sample) -> f64| Spread::of(own.iter().map(|it| figure(it))).median;
    let most = |bytes: fn(&Sample) -> u64| {
        Spread::of(own.iter().map(|it| it.excess_percent(bytes(it)))).max
    };
    let exact: Option<Vec<f64>> = own.iter().map(|it| it.exact_hit_percent).collect();
    let theirs = peer.filter(|name| *name != server).map(of).unwrap_or_default();
    let pairs = own.iter().zip(&theirs);
    let differences: Vec<f64> = pairs.map(|(own, it)| own.hit_percent - it.hit_percent).collect();
    format!(
        "| {policy} | {server} | {:.2} | {} | {} | {:.0} | {:.0} | {:+.2} % | {:+.2} % | {:.1} |\n",
        median(|it| it.hit_percent),
        median_or_dash(differences, |points| format!("{points:+.2}")),
        median_or_dash(exact.unwrap_or_default(), |percent| format!("{percent:.2}")),
        median(|it| it.keys_held as f64),
        median(|it| it.keys_evicted as f64),
        most(|it| it.seen_peak_bytes),
        most(|it| it.recorded_peak_bytes),
        median(|it| it.seconds),
    )
}

fn median_or_dash(readings: Vec<f64>, show: fn(f64) -> String) -> String {
    if readings.is_empty() { "-".to_owned() } else { show(Spread::of(readings).median) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(round: u32, policy: &str, server: &str, hit_percent: f64) -> Sample {
        Sample {
            round,
            policy: policy.to_owned(),
            server: server.to_owned(),
            seed: 1,
            requests: 1000,
            hit_percent,
            exact_hit_percent: policy.ends_with("lru").then_some(hit_percent + 1.0),
            keys_held: 70,
            keys_evicted: 30,
            limit_bytes: 1000,
            seen_peak_bytes: 995 + u64::from(round) * 10,
            recorded_peak_bytes: 1010,
            seconds: 2.0,
        }
    }

    #[test]
    fn differences_pair_the_rounds_and_memory_is_the_most() {
        let samples = [
            sample(0, "allkeys-lru", "basalt, 1 cores", 61.0),
            sample(0, "allkeys-lru", "redis", 60.0),
            sample(0, "allkeys-lfu", "redis", 50.0),
            sample(1, "allkeys-lru", "basalt, 1 cores", 41.5),
            sample(1, "allkeys-lru", "redis", 42.0),
            sample(1, "allkeys-lfu", "redis", 52.0),
        ];
        let table = table(&samples, Some("redis"));
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].contains("to redis, points"), "{table}");
        let expected = [
            "| allkeys-lru | basalt, 1 cores | 51.25 | +0.25 | 52.25 ",
            "| allkeys-lru | redis | 51.00 | - | 52.00 ",
            "| allkeys-lfu | redis | 51.00 | - | - ",
        ];
        let rest = "| 70 | 30 | +0.50 % | +1.00 % | 2.0 |";
        assert_eq!(lines[2..], expected.map(|line| format!("{line}{rest}")));
    }

    #[test]
    fn without_a_peer_there_is_no_difference() {
        let text = table(&[sample(0, "allkeys-lru", "basalt, 2 cores", 61.0)], None);
        assert!(
            text.ends_with("| 61.00 | - | 62.00 | 70 | 30 | -0.50 % | +1.00 % | 2.0 |\n"),
            "{text}"
        );
    }

    #[test]
    fn samples_survive_json() {
        let sample = sample(3, "allkeys-lfu", "redis", 12.5);
        let json = serde_json::to_string(&sample).expect("plain data");
        assert_eq!(serde_json::from_str::<Sample>(&json).expect("the same shape"), sample);
    }
}
