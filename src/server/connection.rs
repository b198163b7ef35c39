//! One client connection at the driver: the bytes between the socket and the parser.

use basalt_net::reactor::ConnectionId;
use basalt_net::resp::RequestParser;
use basalt_shard::core::SessionId;

use super::pending::Pending;
use super::stage::STAGE_COMMANDS_MAX;
use super::tls::Secured;

/// Bytes of input that wait, and where the parser stands in them.
pub struct Connection {
    /// The connection in the reactor.
    pub id: ConnectionId,
    /// Where in the input the parser stands.
    pub parser: RequestParser,
    /// Received and not yet run: an incomplete command, or commands that have to wait.
    pub pending: Pending,
    /// How many of its commands are gathered at once: as many as ran of those before, since what is
    /// gathered behind one that holds the session is looked at for nothing.
    pub stage_commands: u8,
    /// Bytes the command at the front of `pending` needs in all, as far as the parser knows; 0
    /// unless `pending` is one incomplete command and nothing before it.
    pub wanted_bytes: usize,
    /// Where in `pending` the large argument begins that is being received; 0 if none is.
    pub argument_start: usize,
    /// While the reactor has `pending`, to fill it with the rest of a large argument: how many of
    /// its bytes were counted as received.
    pub filling_counted: Option<usize>,
    /// No more bytes will come.
    pub is_ended: bool,
    /// It is on the list of connections with input to run.
    pub is_ready: bool,
    /// Receiving is suspended because the peer does not read its replies.
    pub is_suspended: bool,
    /// Receiving is suspended because more is pending than its commands have had time to run.
    pub is_throttled: bool,
    /// Its replies wait for those behind them.
    pub is_withheld: bool,
    /// Since when the output is above the soft limit, monotonic milliseconds.
    pub soft_limit_since_ms: Option<u64>,
    /// Its side of TLS, if it came by that.
    pub tls: Option<Box<Secured>>,
}

impl Connection {
    /// A fresh connection.
    pub fn new(id: ConnectionId) -> Self {
        Self {
            id,
            parser: RequestParser::new(),
            pending: Pending::default(),
            stage_commands: STAGE_COMMANDS_MAX as u8,
            wanted_bytes: 0,
            argument_start: 0,
            filling_counted: None,
            is_ended: false,
            is_ready: false,
            is_suspended: false,
            is_throttled: false,
            is_withheld: false,
            soft_limit_since_ms: None,
            tls: None,
        }
    }

    /// Everything that was gathered ran, and more may: next time twice as many.
    pub fn stage_more(&mut self) {
        self.stage_commands = self.stage_commands.saturating_mul(2).min(STAGE_COMMANDS_MAX as u8);
    }

    /// Forgets that anything after the last command that ran was parsed.
    pub fn rewind(&mut self) {
        self.parser = RequestParser::new();
        self.wanted_bytes = 0;
        self.argument_start = 0;
    }

    /// Whether what is pending are commands to run, rather than one that is incomplete.
    pub fn is_backlog(&self) -> bool {
        self.wanted_bytes == 0
    }

    /// Bytes that are missing from the incomplete command `pending` consists of.
    pub fn missing_bytes(&self) -> usize {
        self.wanted_bytes.saturating_sub(self.pending.len())
    }
}

/// The session of a connection.
pub fn session_of(id: ConnectionId) -> SessionId {
    SessionId { index: id.index, generation: id.generation }
}

/// The connection of a session.
pub fn connection_of(session: SessionId) -> ConnectionId {
    ConnectionId { index: session.index, generation: session.generation }
}
