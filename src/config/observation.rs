//! What operators are shown, as the server uses it: part of [`Settings`](super::Settings).

use std::path::PathBuf;

use basalt_shard::audit::{AuditClass, AuditClasses};

use super::store::Config;
use super::value::Value;

/// Where the audit log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditTarget {
    /// Nowhere.
    Off,
    /// Into a file of its own.
    File,
    /// To the daemon of the system.
    Syslog,
}

/// Logs of commands, latencies, and what else is told about the server.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are named after their directives")]
pub struct ObservationSettings {
    /// Negative for no slow log; zero for every command.
    pub slowlog_log_slower_than_microseconds: i64,
    pub slowlog_max_len: u64,
    /// Negative for no log.
    pub commandlog_request_larger_than_bytes: i64,
    pub commandlog_large_request_max_len: u64,
    /// Negative for no log.
    pub commandlog_reply_larger_than_bytes: i64,
    pub commandlog_large_reply_max_len: u64,
    /// Zero for no monitoring.
    pub latency_monitor_threshold_milliseconds: u64,
    pub latency_tracking: bool,
    pub latency_tracking_info_percentiles: Vec<f64>,
    /// Zero for no endpoint.
    pub metrics_port: u16,
    pub metrics_bind: String,
    /// As it is written; see [`basalt_shard::rate_limit`].
    pub user_rate_limit: Vec<u8>,
    pub audit_log: AuditTarget,
    pub audit_log_file: PathBuf,
    pub audit_log_classes: AuditClasses,
}

impl ObservationSettings {
    /// What the audit log is told; nothing while it is off.
    pub fn audit_classes(&self) -> AuditClasses {
        match self.audit_log {
            AuditTarget::Off => AuditClasses::default(),
            AuditTarget::File | AuditTarget::Syslog => self.audit_log_classes,
        }
    }
}

impl Config {
    pub(super) fn observation(&self) -> ObservationSettings {
        ObservationSettings {
            slowlog_log_slower_than_microseconds: self.number("slowlog-log-slower-than"),
            slowlog_max_len: self.number("slowlog-max-len"),
            commandlog_request_larger_than_bytes: self.number("commandlog-request-larger-than"),
            commandlog_large_request_max_len: self.number("commandlog-large-request-max-len"),
            commandlog_reply_larger_than_bytes: self.number("commandlog-reply-larger-than"),
            commandlog_large_reply_max_len: self.number("commandlog-large-reply-max-len"),
            latency_monitor_threshold_milliseconds: self.number("latency-monitor-threshold"),
            latency_tracking: self.flag("latency-tracking"),
            latency_tracking_info_percentiles: self.percentiles(),
            metrics_port: self.number("metrics-port"),
            metrics_bind: String::from_utf8_lossy(&self.text("metrics-bind")).into_owned(),
            user_rate_limit: self.text("user-rate-limit"),
            audit_log: self.audit_target(),
            audit_log_file: self.path("audit-log-file").unwrap_or_default(),
            audit_log_classes: self.audit_classes(),
        }
    }

    fn audit_target(&self) -> AuditTarget {
        match self.word("audit-log") {
            "file" => AuditTarget::File,
            "syslog" => AuditTarget::Syslog,
            _ => AuditTarget::Off,
        }
    }

    fn audit_classes(&self) -> AuditClasses {
        let mut classes = AuditClasses::default();
        if let Value::Choices(words) = self.value("audit-log-classes") {
            let named = AuditClass::ALL.into_iter().filter(|class| words.contains(&class.name()));
            named.for_each(|class| classes.insert(class));
        }
        classes
    }
}
