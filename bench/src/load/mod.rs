//! The load engine: threads of connections that send requests and time the replies.
//!
//! ```text
//!  controller                    worker 0..n, one thread each
//!  ----------                    ----------------------------
//!  phase: warm up, measure, stop --> epoll loop over its own connections
//!  window: replies, CPU times  <---  one cell of counters per worker
//!  merge                       <---  histogram and tally at the end
//! ```
//!
//! Workers share nothing on the way of a request: no lock, no channel, one relaxed store of the
//! reply count per turn. The controller alone decides when the measuring window starts and ends,
//! and reads replies and CPU times of both sides at these two instants, so that CPU time per
//! request is a quotient over one and the same window.

pub(crate) mod board;
pub(crate) mod command;
pub(crate) mod connection;
pub(crate) mod engine;
pub(crate) mod fill;
pub(crate) mod listeners;
pub(crate) mod pacing;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod target;
pub(crate) mod worker;
