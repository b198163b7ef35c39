//! Puts a data set into a server: every key once, as fast as the server takes it.

use std::time::Duration;

use crate::error::{BenchError, Outcome};
use crate::keys::distribution::Distribution;
use crate::load::engine::{self, Plan, Stop, Tick};
use crate::load::pacing::Pacing;
use crate::load::target::{self, Target};
use crate::request::mix::Mix;
use crate::request::template::ValueSize;

/// Enough to keep a server busy, few enough for one generator thread.
const CONNECTIONS: usize = 8;
const PIPELINE: u64 = 64;
const SEED: u64 = 1;

/// A pass over all keys of a target.
#[derive(Debug)]
pub(crate) struct FillOrder<'a> {
    /// Runs once for every `step`-th key.
    pub(crate) command: &'a str,
    /// Distance between the keys it runs for: 1 is every key.
    pub(crate) step: u64,
    /// Passes over the keys.
    pub(crate) times: u32,
    /// Size of payloads.
    pub(crate) value: ValueSize,
    /// CPUs of the generator.
    pub(crate) cpus: &'a [usize],
}

/// Runs the order's command for the keys of `target`. O(keys).
///
/// # Errors
/// When the run fails, or when any command drew an error: a data set with holes is of no use.
pub(crate) fn fill(
    target: &Target,
    order: &FillOrder<'_>,
    on_tick: &mut dyn FnMut(&Tick),
) -> Outcome<()> {
    let lanes = target.lanes(usize::MAX)?;
    let connections = lanes.len().max(CONNECTIONS);
    let frame = target.frame(&lanes, order.value)?;
    for _ in 0..order.times {
        let plan = Plan {
            links: target.open(&lanes, connections)?,
            lanes: target::key_sources(&lanes, Distribution::Once { step: order.step }),
            mix: Mix::even(&[order.command], &frame)?,
            pacing: Pacing::Closed { pipeline: PIPELINE },
            stop: Stop::KeysUsedUp,
            warm_up: Duration::ZERO,
            threads: 1,
            cpus: order.cpus.to_vec(),
            seed: SEED,
            server_pid: None,
        };
        let measurement = engine::run(plan, on_tick)?;
        if let Some(text) = measurement.tally.first_error {
            return Err(BenchError::Reply { command: order.command.to_owned(), text });
        }
    }
    Ok(())
}
