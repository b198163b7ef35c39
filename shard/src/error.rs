//! What a command answers when it cannot do what was asked. The texts are API: clients compare
//! them, so they are Redis' words, and the ones that more than one command uses stand here.

use std::fmt;

/// An error reply: its code word and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// A text that is always the same.
    Fixed(&'static str),
    /// A text that is always the same, and what the log is told: the reply says less than an
    /// operator may need.
    Explained(&'static str, Box<str>),
    /// A text that names what was wrong.
    Worded(Box<str>),
    /// The same, of something that was counted under INFO errorstats when it happened: a command of
    /// a script has failed, and now the script fails for it.
    Counted(Box<str>),
}

/// What a command handler returns; on `Err` the error is the whole reply.
pub type Outcome = Result<(), CommandError>;

impl CommandError {
    /// The code word and the text, as they follow the `-` on the wire.
    pub fn text(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Explained(text, _) => text,
            Self::Worded(text) | Self::Counted(text) => text,
        }
    }

    /// The code word (`ERR`, `WRONGTYPE`): what INFO errorstats counts by.
    pub fn code(&self) -> &str {
        let text = self.text();
        text.split_once(' ').map_or(text, |(code, _)| code)
    }

    /// What the log is told of it, if anything is.
    pub fn explanation(&self) -> Option<&str> {
        match self {
            Self::Explained(_, explanation) => Some(explanation),
            _ => None,
        }
    }

    /// An error with a text made on the spot.
    pub fn worded(text: impl Into<Box<str>>) -> Self {
        Self::Worded(text.into())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl std::error::Error for CommandError {}

macro_rules! fixed_errors {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: CommandError = CommandError::Fixed($text);)*
    };
}

fixed_errors! {
    /// The options do not fit together or one is unknown.
    SYNTAX = "ERR syntax error";
    /// The key holds another type.
    WRONG_TYPE =
        "WRONGTYPE Operation against a key holding the wrong kind of value";
    /// An argument is no 64-bit integer.
    NOT_AN_INTEGER = "ERR value is not an integer or out of range";
    /// An argument is no floating point number.
    NOT_A_FLOAT = "ERR value is not a valid float";
    /// The key must exist.
    NO_SUCH_KEY = "ERR no such key";
    /// An argument is no integer from zero on.
    NOT_POSITIVE = "ERR value is out of range, must be positive";
    /// An argument is the one integer that has no negative counterpart.
    NOT_SYMMETRIC = "ERR value is out of range, value must between -9223372036854775807 and \
                     9223372036854775807";
    /// The cursor of a SCAN is no number.
    INVALID_CURSOR = "ERR invalid cursor";
    /// Index beyond what the command takes.
    OUT_OF_RANGE = "ERR index out of range";
    /// The database number is none.
    BAD_DATABASE = "ERR DB index is out of range";
    /// Source and destination are one.
    SAME_OBJECT = "ERR source and destination objects are the same";
    /// A string would pass `proto-max-bulk-len`.
    STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    /// Adding would pass 64 bits.
    INTEGER_OVERFLOW = "ERR increment or decrement would overflow";
    /// The connection must authenticate first.
    NO_AUTH = "NOAUTH Authentication required.";
    /// User name or password is wrong.
    WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";
    /// `maxmemory` is reached and nothing may be evicted.
    OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
    /// The data set is being loaded.
    LOADING = "LOADING Redis is loading the dataset in memory";
    /// There is a snapshot already.
    SAVE_IN_PROGRESS = "ERR Background save already in progress";
    /// Snapshots fail, and `stop-writes-on-bgsave-error` says what that means.
    SNAPSHOTS_FAIL = "MISCONF Redis is configured to save RDB snapshots, but it's currently \
        unable to persist to disk. Commands that may modify the data set are disabled, because \
        this instance is configured to report errors during writes if RDB snapshotting fails \
        (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
        RDB error.";
}

/// A user sends more commands than it may.
pub fn throttled(per_second: u64, user: &[u8]) -> CommandError {
    let user = printable(user, 128);
    CommandError::worded(format!(
        "THROTTLED User '{user}' is limited to {per_second} commands per second"
    ))
}

/// The command is not in the table. Up to 128 bytes of name and arguments are repeated.
pub fn unknown_command(arguments: crate::arguments::Arguments<'_>) -> CommandError {
    let mut shown = String::new();
    for argument in arguments.from(1) {
        if shown.len() >= 128 {
            break;
        }
        let room = 128 - shown.len();
        shown.push('\'');
        shown.push_str(&printable(argument, room));
        shown.push_str("' ");
    }
    let name = printable(arguments.at(0), 128);
    CommandError::worded(format!("ERR unknown command '{name}', with args beginning with: {shown}"))
}

/// A container has no such subcommand.
pub fn unknown_subcommand(container: &str, subcommand: &[u8]) -> CommandError {
    let container = container.to_ascii_uppercase();
    let subcommand = printable(subcommand, 128);
    CommandError::worded(format!("ERR unknown subcommand '{subcommand}'. Try {container} HELP."))
}

/// Too many or too few arguments; `name` is the full name (`client|kill`).
pub fn wrong_arity(name: &str) -> CommandError {
    CommandError::worded(format!("ERR wrong number of arguments for '{name}' command"))
}

/// An expiry time that is zero, negative or past what fits.
pub fn invalid_expire_time(name: &str) -> CommandError {
    CommandError::worded(format!("ERR invalid expire time in '{name}' command"))
}

/// At most `limit` bytes of client input as text for an error line.
pub fn printable(bytes: &[u8], limit: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(limit)]).into_owned()
}

/// The append-only file cannot be written: the number of the system's error.
pub(crate) fn append_fails(number: i32) -> CommandError {
    let reason = std::io::Error::from_raw_os_error(number).to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    CommandError::worded(format!("MISCONF Errors writing to the AOF file: {reason}"))
}
