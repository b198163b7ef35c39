//! The server: boot, the threads of the cores, and the end.
//!
//! | module | does |
//! |---|---|
//! | [`boot`] | from the command line to a running process and back to an exit status |
//! | [`processors`] | which processors serve, and the pinning of threads to them |
//! | `driver` | the loop of one core |
//! | `accept`, `input`, `throttle`, `fill`, `output`, `housekeeping` | its parts |
//! | `connection`, [`pending`], `stage` | what it keeps per client and per turn |
//! | [`listening`] | the sockets clients come to, also when that changes at run time |
//! | [`tls`], [`tls_files`] | TLS connections, and the files they need |
//! | `mesh` | the inboxes between cores |
//! | [`process`], `host` | what cores share, and how commands reach it |
//! | [`persistence`], [`loading`] | snapshots, and the data set at the start |
//! | `walk_pace` | when a core goes on with a snapshot |
//! | [`aof`], [`rewrite`], `held` | the append-only file, and the replies that wait for it |
//! | [`migration`] | the way of MIGRATE to other servers |
//! | [`clock`] | time |

pub mod accept;
pub mod aof;
pub mod boot;
mod busy;
mod client_eviction;
pub mod clock;
pub mod connection;
pub mod defragmentation;
pub mod driver;
pub mod fill;
pub mod held;
pub mod host;
pub mod housekeeping;
pub mod input;
pub mod listening;
pub mod loading;
pub mod mesh;
pub mod migration;
pub mod output;
pub mod pending;
pub mod persistence;
pub mod process;
pub mod processors;
pub mod rewrite;
pub mod stage;
mod throttle;
pub mod tls;
pub mod tls_files;
mod walk_pace;
