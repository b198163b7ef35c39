//! What operators are shown, as the server uses it: part of [`Settings`](super::Settings).

use super::store::Config;

/// Logs of commands, latencies, and what else is told about the server.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are named after their directives")]
pub struct ObservationSettings {
    /// Negative for no slow log; zero for every command.
    pub slowlog_log_slower_than_microseconds: i64,
    pub slowlog_max_len: u64,
    /// Zero for no monitoring.
    pub latency_monitor_threshold_milliseconds: u64,
    pub latency_tracking: bool,
    pub latency_tracking_info_percentiles: Vec<f64>,
    /// Zero for no endpoint.
    pub metrics_port: u16,
    pub metrics_bind: String,
}

impl Config {
    pub(super) fn observation(&self) -> ObservationSettings {
        ObservationSettings {
            slowlog_log_slower_than_microseconds: self.number("slowlog-log-slower-than"),
            slowlog_max_len: self.number("slowlog-max-len"),
            latency_monitor_threshold_milliseconds: self.number("latency-monitor-threshold"),
            latency_tracking: self.flag("latency-tracking"),
            latency_tracking_info_percentiles: self.percentiles(),
            metrics_port: self.number("metrics-port"),
            metrics_bind: String::from_utf8_lossy(&self.text("metrics-bind")).into_owned(),
        }
    }
}
