//! One measuring window of the harness: one workload, one depth, one server.

use std::collections::BTreeMap;

use crate::error::{BenchError, Outcome};
use crate::harness::options::Setup;
use crate::keys::source::KeySource;
use crate::load::connection::Link;
use crate::load::engine::{self, Plan, Stop};
use crate::load::pacing::Pacing;
use crate::load::progress::{Forced, Progress};
use crate::load::report::LoadReport;
use crate::request::mix::Mix;
use crate::request::workloads::Workload;

/// What differs between windows of one run.
#[derive(Debug)]
pub(crate) struct Job {
    /// Connections.
    pub(crate) links: Vec<Link>,
    /// Key sources.
    pub(crate) lanes: Vec<KeySource>,
    /// Requests.
    pub(crate) mix: Mix,
    /// Requests in flight per connection.
    pub(crate) pipeline: u64,
    /// Process whose CPU time counts.
    pub(crate) server_pid: u32,
}

/// Runs a closed loop for the setup's window.
pub(crate) fn measure(setup: &Setup, job: Job, label: &str) -> Outcome<LoadReport> {
    let plan = Plan {
        links: job.links,
        lanes: job.lanes,
        mix: job.mix,
        pacing: Pacing::Closed { pipeline: job.pipeline },
        stop: Stop::After(setup.duration),
        warm_up: setup.warm_up,
        threads: setup.client_threads,
        cpus: setup.client_cpus.clone(),
        seed: setup.seed,
        server_pid: Some(job.server_pid),
    };
    let mut progress = Progress::new(label, Forced::No);
    let result = engine::run(plan, &mut |tick| progress.tick(tick));
    progress.clear();
    Ok(LoadReport::new(label, Vec::new(), BTreeMap::new(), &result?))
}

/// Refuses figures of commands that did not do their work.
pub(crate) fn check_replies(report: &LoadReport, workload: &Workload, label: &str) -> Outcome<()> {
    let wrong = |text| BenchError::WrongReplies { workload: label.to_owned(), text };
    if let Some(text) = &report.first_error {
        return Err(wrong(format!("{} errors, the first: {text}", report.errors)));
    }
    let expected = |kind: &str| workload.expect.iter().any(|wanted| wanted.name() == kind);
    if let Some((kind, count)) = report.replies.iter().find(|(kind, _)| !expected(kind)) {
        return Err(wrong(format!("{count} replies of type {kind}")));
    }
    if report.requests == 0 {
        return Err(wrong("no reply in the measuring window".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::workloads;

    #[test]
    fn replies_that_prove_nothing_are_refused() {
        let workload = workloads::named("get").expect("in the table");
        let mut report = LoadReport { requests: 10, ..LoadReport::default() };
        report.replies.insert("bulk".to_owned(), 10);
        assert!(check_replies(&report, workload, "x").is_ok());
        report.replies.insert("nil".to_owned(), 1);
        assert!(check_replies(&report, workload, "x").is_err());
        report.replies.remove("nil");
        report.first_error = Some("ERR".to_owned());
        assert!(check_replies(&report, workload, "x").is_err());
        report.first_error = None;
        report.requests = 0;
        assert!(check_replies(&report, workload, "x").is_err());
    }
}
