//! The debugger of scripts (`SCRIPT DEBUG SYNC`): a session that stops a script at lines and talks
//! to its client from there.
//!
//! While the session lasts, the core does what it does in any script that takes long, see
//! `core/busy.rs`. The client's socket is read and written past the reactor, as Redis does it; what
//! is said there is the language `redis-cli --ldb-sync-mode` speaks:
//!
//! ```text
//! client   an array of words:            *2 $5 break $1 3
//! server   an array of status lines:     *2 +* Stopped at 1, ... +-> 1   local a = 1
//! ```
//!
//! | module | holds |
//! |---|---|
//! | here | what a session knows, and whether a line stops the script |
//! | [`input`] | the words of the client |
//! | `commands` | what the client can ask for at a stop |
//! | `text`, `values`, `replies` | values of Lua and replies of commands as people read them |
//!
//! A client that has gone stops nothing any more: its script runs to its end, or as long as one may
//! run that nobody looks after.

mod commands;
pub mod input;
mod replies;
mod text;
mod values;

use self::text::{TEXT_BYTES_MAX, Text};
use super::lua::{Kind, Location, Lua, Raise};
use super::run::Run;
use crate::arguments::Arguments;
use crate::host::{Heard, Host};

pub(super) use self::commands::on_event;

/// Breakpoints of one session.
const BREAKPOINTS_MAX: usize = 64;

/// Bytes of a logged value or reply, unless the client chooses another length.
const LENGTH_DEFAULT: usize = 256;

/// The shortest such length that can be chosen.
const LENGTH_MIN: usize = 60;

/// Bytes of lines that wait to be sent; more are dropped.
const LOG_BYTES_MAX: usize = 2 * TEXT_BYTES_MAX;

/// Words of a command that are logged.
const LOGGED_WORDS_MAX: usize = 10;

/// After so long without a stop a script is taken to be in a loop, if the settings name no time.
const LOOP_MS_DEFAULT: u64 = 5000;

/// The name under which scripts are compiled.
const SCRIPT: &[u8] = b"@user_script";

/// A script that loops, and nobody there to be asked.
const ALONE_IN_A_LOOP: &str = "timeout during Lua debugging with client closing connection";
const EVALUATES_TOO_LONG: &str = "the evaluation took longer than busy-reply-threshold";

/// What an event of the machine comes to.
enum Verdict {
    Goes,
    Stops(Stop),
    /// With this error.
    Ends(&'static str),
}

/// Why a script stops at a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Step,
    Breakpoint,
    /// `redis.breakpoint()`.
    Called,
    /// It has run for long.
    Loop,
}

impl Stop {
    fn reason(self) -> &'static str {
        match self {
            Self::Step => "step over",
            Self::Breakpoint => "break point",
            Self::Called => "redis.breakpoint() called",
            Self::Loop => "timeout reached, infinite loop?",
        }
    }
}

/// A session.
pub(crate) struct Debugger {
    /// The client's socket.
    descriptor: i32,
    /// The lines of the script.
    source: Vec<Box<[u8]>>,
    breakpoints: Vec<i64>,
    /// Stops at the next line; what commands do until then is logged.
    steps: bool,
    /// `redis.breakpoint()` was called.
    was_called: bool,
    /// Where the script is.
    line: i64,
    log: Vec<Vec<u8>>,
    log_bytes: usize,
    /// Lines were dropped, and that was said.
    has_dropped: bool,
    /// What has come from the client and is no whole command yet.
    input: Vec<u8>,
    /// Bytes of a logged value or reply; 0 for no limit.
    length_max: usize,
    /// The client knows that this can be chosen.
    knows_length: bool,
    /// Code of the client's runs, which stops nowhere.
    is_evaluating: bool,
    /// Nobody is there any more.
    is_gone: bool,
    /// When the script, or code of the client's, went on.
    resumed_ns: u64,
}

impl Debugger {
    /// A session of a client with that socket, about `script`.
    pub(crate) fn new(descriptor: i32, script: &[u8], now_ns: u64) -> Self {
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let len = script.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        Self {
            descriptor,
            source: script[..len].split(|&byte| byte == b'\n').map(Box::from).collect(),
            breakpoints: Vec::new(),
            steps: true,
            was_called: false,
            line: 0,
            log: Vec::new(),
            log_bytes: 0,
            has_dropped: false,
            input: Vec::new(),
            length_max: LENGTH_DEFAULT,
            knows_length: false,
            is_evaluating: false,
            is_gone: false,
            resumed_ns: now_ns,
        }
    }

    /// The script is over: says so, behind all that is left to say.
    pub(crate) fn end(mut self, host: &mut dyn Host) {
        self.log.push(b"<endsession>".to_vec());
        self.send_log(host);
    }

    /// Whether commands are logged.
    pub(super) fn is_logging(&self) -> bool {
        self.steps
    }

    /// Adds a line to those to be sent. Past the limit of all lines it is dropped.
    fn say(&mut self, line: impl Into<Vec<u8>>) {
        let line = line.into();
        // An empty line takes memory, too.
        let bytes = line.len() + size_of::<Vec<u8>>();
        if self.log_bytes + bytes <= LOG_BYTES_MAX {
            self.log_bytes += bytes;
            self.log.push(line);
        } else if !std::mem::replace(&mut self.has_dropped, true) {
            self.log.push(b"<error> there is too much to show: lines are missing here".to_vec());
        }
    }

    /// Where a value or a reply is written that `prefix` stands before.
    fn text(&self, prefix: impl Into<Vec<u8>>) -> Text {
        Text::new(prefix, if self.length_max == 0 { TEXT_BYTES_MAX } else { self.length_max })
    }

    /// Adds a value or a reply as a line.
    fn say_text(&mut self, text: Text) {
        let (line, was_cut) = text.finish();
        self.say(line);
        if was_cut && self.length_max != 0 && !self.knows_length {
            self.knows_length = true;
            self.say("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
        }
    }

    /// Logs a command of the script that is about to run.
    pub(super) fn log_command(&mut self, arguments: Arguments<'_>) {
        let mut line = b"<redis>".to_vec();
        for word in arguments.from(0).take(LOGGED_WORDS_MAX) {
            line.push(b' ');
            line.extend_from_slice(&word[..word.len().min(TEXT_BYTES_MAX / LOGGED_WORDS_MAX)]);
        }
        if let Some(more) = arguments.len().checked_sub(LOGGED_WORDS_MAX + 1) {
            line.extend_from_slice(format!(" ... ({more} more)").as_bytes());
        }
        self.say(line);
    }

    /// Logs the reply of such a command.
    pub(super) fn log_reply(&mut self, reply: &[u8]) {
        let mut text = self.text("<reply> ");
        replies::describe(&mut text, reply);
        self.say_text(text);
    }

    /// Logs an error the script gets.
    pub(super) fn log_error(&mut self, error: &[u8]) {
        self.say([b"<error> ", error].concat());
    }

    /// Sends all lines, as one reply.
    fn send_log(&mut self, host: &mut dyn Host) {
        let mut bytes = format!("*{}\r\n", self.log.len()).into_bytes();
        for line in self.log.drain(..) {
            bytes.push(b'+');
            let is_break = |byte: u8| matches!(byte, b'\r' | b'\n');
            bytes.extend(line.iter().map(|&byte| if is_break(byte) { b' ' } else { byte }));
            bytes.extend_from_slice(b"\r\n");
        }
        (self.log_bytes, self.has_dropped) = (0, false);
        // Whoever does not read has gone, and so has whoever takes half a reply.
        self.is_gone |= !self.is_gone && !host.send_to_debugger(self.descriptor, &bytes);
    }

    /// Takes in what the client has sent.
    fn listen(&mut self, host: &mut dyn Host) {
        let mut bytes = [0; 16 * 1024];
        match host.receive_from_debugger(self.descriptor, &mut bytes) {
            Heard::Bytes(count) => self.input.extend_from_slice(&bytes[..count]),
            Heard::Nothing => {}
            Heard::Ended => self.leave(),
        }
    }

    /// The client has gone.
    fn leave(&mut self) {
        self.is_gone = true;
        self.steps = false;
        self.breakpoints.clear();
    }

    /// What an event at `place` comes to. `is_line` says that a line begins there; otherwise many
    /// instructions have been run. The script has gone on for `running_ms`.
    fn judge(&mut self, place: &Location, is_line: bool, running_ms: u64, loop_ms: u64) -> Verdict {
        let is_loop = !is_line && running_ms >= loop_ms;
        if self.is_evaluating {
            return if is_loop { Verdict::Ends(EVALUATES_TOO_LONG) } else { Verdict::Goes };
        }
        if place.source != SCRIPT {
            return Verdict::Goes;
        }
        if self.is_gone {
            return if is_loop { Verdict::Ends(ALONE_IN_A_LOOP) } else { Verdict::Goes };
        }
        self.line = i64::from(place.line);
        let stop = if self.was_called {
            Stop::Called
        } else if self.breakpoints.contains(&self.line) {
            Stop::Breakpoint
        } else if self.steps {
            Stop::Step
        } else if is_loop {
            Stop::Loop
        } else {
            return Verdict::Goes;
        };
        Verdict::Stops(stop)
    }

    /// The script stands still at its line: says why.
    fn stop(&mut self, stop: Stop) {
        self.steps = false;
        self.was_called = false;
        self.say(format!("* Stopped at {}, stop reason = {}", self.line, stop.reason()));
        self.say_line(self.line);
    }

    /// Adds a line of the script, with its number.
    fn say_line(&mut self, number: i64) {
        let index = usize::try_from(number - 1).ok();
        let source = index.and_then(|index| self.source.get(index));
        let source = source.map_or(&b"<out of range source code line>"[..], |line| line);
        let mark = match (self.line == number, self.breakpoints.contains(&number)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        let line = [format!("{mark}{number:<3} ").as_bytes(), source].concat();
        self.say(line);
    }

    /// Adds the lines of the script up to `context` lines from line `around`.
    fn say_lines(&mut self, around: i64, context: i64) {
        for number in 1..=self.source.len() as i64 {
            if number.abs_diff(around) as i64 <= context {
                self.say_line(number);
            }
        }
    }
}

impl Run<'_> {
    /// The session, if commands are logged.
    pub(super) fn log(&mut self) -> Option<&mut Debugger> {
        self.core.debugger.as_deref_mut().filter(|debugger| debugger.is_logging())
    }

    fn judge(&mut self, place: &Location, is_line: bool) -> Verdict {
        let now_ns = self.core.host.elapsed_ns();
        let loop_ms = match self.core.store.settings().busy_reply_threshold_ms {
            0 => LOOP_MS_DEFAULT,
            threshold_ms => threshold_ms,
        };
        let Some(debugger) = self.core.debugger.as_deref_mut() else { return Verdict::Goes };
        let running_ms = now_ns.saturating_sub(debugger.resumed_ns) / 1_000_000;
        debugger.judge(place, is_line, running_ms, loop_ms)
    }

    /// Waits a little for what the client says.
    fn listen(&mut self) {
        let is_ending = self.core.host.is_ending() || self.core.host.is_asked_to_end();
        let Some(debugger) = self.core.debugger.as_deref_mut() else { return };
        match is_ending {
            // The script runs to its end: then the core has time for that of the process.
            true => debugger.leave(),
            false => debugger.listen(&mut *self.core.host),
        }
    }

    /// Sends all lines, as one reply.
    fn send_log(&mut self) {
        if let Some(debugger) = self.core.debugger.as_deref_mut() {
            debugger.send_log(&mut *self.core.host);
        }
    }

    /// The script, or code of the client's, goes on.
    fn resume(&mut self) {
        let now_ns = self.core.host.elapsed_ns();
        if let Some(debugger) = self.core.debugger.as_deref_mut() {
            debugger.resumed_ns = now_ns;
        }
    }
}

/// Looks at the session, if the script is debugged.
fn with_debugger<T>(lua: Lua, work: impl FnOnce(&mut Debugger) -> T) -> Option<T> {
    lua.with_run(|run| run.core.debugger.as_deref_mut().map(work)).flatten()
}

/// `redis.breakpoint`: stops at the next line; whether anybody is there to see it.
pub(super) fn breakpoint(lua: Lua) -> Result<i32, Raise> {
    let is_debugged = with_debugger(lua, |debugger| debugger.was_called = true).is_some();
    lua.push_boolean(is_debugged);
    Ok(1)
}

/// `redis.debug`: shows values to the client.
pub(super) fn debug(lua: Lua) -> Result<i32, Raise> {
    let prefix = |debugger: &mut Debugger| format!("<debug> line {}: ", debugger.line);
    let Some(prefix) = with_debugger(lua, prefix) else { return Ok(0) };
    let mut text = Text::new(prefix, TEXT_BYTES_MAX);
    for index in 1..=lua.top() {
        if index > 1 {
            text.push(b", ");
        }
        assert!(lua.has_room(1), "a function of ours has room for a few values");
        lua.push_copy(index);
        values::describe(&mut text, lua);
        lua.pop(1);
    }
    with_debugger(lua, |debugger| debugger.say(text.finish().0));
    Ok(0)
}

/// What an error value says.
fn error_text(lua: Lua) -> Vec<u8> {
    let is_table = lua.kind(-1) == Kind::Table;
    if is_table {
        lua.push_field(-1, "err");
    }
    let text = lua.bytes(-1).unwrap_or(b"execution failure").to_vec();
    if is_table {
        lua.pop(1);
    }
    text
}
