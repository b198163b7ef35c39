//! What simulations have reached.

use crate::mesh::Traffic;

/// What was reached: counts of what happened in a simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Commands cores took.
    pub commands: u64,
    /// Steps of cores and writers.
    pub steps: u64,
    /// Time that passed, in virtual milliseconds.
    pub virtual_ms: u64,
    /// Lives.
    pub lives: u64,
    /// Messages between cores.
    pub traffic: Traffic,
    /// Lives in which clients ran any command, and what ran there and was compared.
    pub free_lives: u64,
    /// Commands that were compared with a single core.
    pub replayed: u64,
    /// Clients that went away.
    pub disconnects: u64,
    /// Of those, clients that waited for keys.
    pub waits_abandoned: u64,
    /// Keys that were evicted.
    pub evicted: u64,
    /// Events in histories.
    pub events: u64,
    /// Power cuts that were recovered from, and tokens they took away.
    pub cuts: u64,
    /// Tokens that power cuts took away.
    pub tokens_lost: u64,
    /// Snapshots that were compared.
    pub snapshots: u64,
    /// Rewrites of the append-only file.
    pub rewrites: u64,
    /// Transactions that a WATCH ended.
    pub watches_broken: u64,
    /// Operations that a failing disk had refused.
    pub refused: u64,
    /// Tokens that were taken from queues.
    pub taken: u64,
    /// Messages that were received.
    pub received: u64,
    /// A digest of all replies and when they came: two runs that are the same have the same.
    pub digest: u64,
}
