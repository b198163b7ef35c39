//! The commands of the cluster, on a server that is none: each says so, in the words by which
//! client libraries, tools and benchmarks recognise a server of its own.

use crate::call::SessionCall;
use crate::error::{CommandError, Outcome};

/// CLUSTER and its subcommands, READONLY, READWRITE and ASKING.
pub fn disabled(_: &mut SessionCall<'_>) -> Outcome {
    Err(CommandError::Fixed("ERR This instance has cluster support disabled"))
}
