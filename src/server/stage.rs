//! The commands of a turn, gathered from all connections before the first of them runs.
//!
//! Gathering first is what makes it possible to ask for the memory of all of them (buckets, then
//! entries) while it is still on its way, instead of waiting for it one command after the other.

use basalt_net::reactor::BufferRef;
use basalt_net::resp::ProtocolError;
use basalt_shard::arguments::ArgRange;
use basalt_shard::core::{Prepared, SessionId};

/// Commands that are gathered before they run: enough for the memory of the first to arrive while
/// the last are looked up, few enough for it to stay in the nearest cache.
pub const STAGE_COMMANDS_MAX: usize = 64;

/// Where the bytes of a command lie.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// In a buffer of the reactor.
    Buffer(BufferRef),
    /// In the pending bytes of its connection.
    Pending,
}

/// What was found in the input.
pub enum Found {
    /// A command.
    Command(Prepared),
    /// Input that cannot be parsed any further.
    Error(ProtocolError),
}

/// A command that was parsed and has not run.
pub struct Staged {
    /// Whose it is.
    pub session: SessionId,
    /// The database its session has selected, as far as that is known before it runs.
    pub db: u32,
    /// Where it lies.
    pub source: Source,
    /// Its place there: first byte, and first byte of what follows.
    pub span: (usize, usize),
    /// The stage's own copy of its words, for a line with quotes: those have no place in the input.
    pub unquoted: Option<usize>,
    /// Its arguments among the ranges of the stage.
    pub arguments: (usize, usize),
    /// What it is.
    pub found: Found,
}

/// Commands to run.
#[derive(Default)]
pub struct Stage {
    /// In the order they are to run.
    pub commands: Vec<Staged>,
    /// Arguments of all of them.
    pub ranges: Vec<ArgRange>,
    /// Words of lines with quotes.
    pub unquoted: Vec<Vec<u8>>,
}

impl Stage {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.commands.clear();
        self.ranges.clear();
        self.unquoted.clear();
    }

    /// The commands that were looked up, and their databases.
    #[inline]
    pub fn prepared(&self) -> impl Iterator<Item = (&Prepared, u32)> + Clone {
        self.commands.iter().filter_map(|command| match &command.found {
            Found::Command(prepared) => Some((prepared, command.db)),
            Found::Error(_) => None,
        })
    }

    /// Whether it should run before more is gathered.
    pub fn is_full(&self) -> bool {
        self.commands.len() >= STAGE_COMMANDS_MAX
    }
}
