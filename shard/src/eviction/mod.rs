//! Eviction: the keys that go when memory is short, chosen as if all cores were one.
//!
//! `maxmemory` is one limit for the whole process. What is in use is one sum, kept by the host from
//! what every thread took from the allocator and gave back ([`Host::used_bytes`]): buffers,
//! queues and tables alike, exact to a few kilobytes a core. A command looks at it before it runs;
//! that is a load and a comparison, and without a limit not even the load.
//!
//! ```text
//!            slots of this core              pool: the 16 coldest seen
//!  census -> | . | k | . | k | .. |  sample  +-----------------------+   coldest
//!  (a slot by its share of keys) ----------> | .  .  .  .  .  .  .   | ----------> evicted, if no
//!                                            +-----------------------+             core is colder
//!  board:  core 0: level 9.1 | core 1: level 9.0 | core 2: level 11.4 <- is asked to evict first
//! ```
//!
//! **Within a core** it is Redis' way: a sample of `maxmemory-samples` keys per key evicted, and a
//! pool of the coldest seen so far. Samples are uniform over the keys (`census`), however unevenly
//! slots are filled. Unlike in Redis a key that was used while it lay in the pool is spared.
//!
//! **Between cores** every core posts its *level* on a board: how cold what it would evict next is,
//! as a moving average. A core evicts its own keys while no other is colder than it by more than a
//! tolerance; else it asks that one, and goes on. So all cores keep their keys about equally
//! long, which is what one big cache would do. The number of hits as a function of how memory
//! is divided is flat around that point, so the tolerance costs a second-order amount. Where
//! all cores are alike, as hashing makes them, nobody asks anybody.
//!
//! **The limit holds**: when memory passes the limit by [`SLACK_SHARE`], a core that is to run a
//! command evicts a few keys of its own although others are colder. One call takes no longer than
//! `maxmemory-eviction-tenacity` allows, the calls of one turn no longer than a few of these, and
//! what is left to do then is done between turns.
//!
//! A core evicts only from slots that are in its store, and only while its gate is open: slots
//! that are lent belong to an envelope, and a parked core belongs to a tour.

mod board;
mod census;
mod coldness;
mod overrun;
mod pool;
mod room;

pub(crate) use board::Board;
pub(crate) use pool::Candidate;
pub(crate) use room::{Eviction, Room, Victim};

#[cfg(doc)]
use crate::host::Host;

/// While memory is over the limit by less than one part in this many, a core may leave eviction to
/// another that is colder.
const SLACK_SHARE: u64 = 256;
