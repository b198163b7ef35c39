//! A script that stands still: what its client asks for until it goes on.

use super::super::lua::{GLOBALS, Lua, Raise};
use super::super::{api, command, run};
use super::input::{self, Parsed};
use super::{
    ALONE_IN_A_LOOP, BREAKPOINTS_MAX, Debugger, LENGTH_MIN, SCRIPT, Stop, Verdict, error_text,
    values, with_debugger,
};
use crate::number::parse_integer;

/// Bytes that wait to become a command.
const INPUT_BYTES_MAX: usize = 1 << 20;

/// Lines shown before and after the one that was asked for.
const CONTEXT_LINES: i64 = 5;

const UNKNOWN: &str = "<error> Unknown Redis Lua debugger command or wrong number of arguments.";

const HELP: &[&str] = &[
    "Redis Lua debugger help:",
    "[h]elp               Show these lines.",
    "[s]tep               Run the current line, then stop.",
    "[n]ext               The same as step.",
    "[c]ontinue           Run up to the next breakpoint.",
    "[l]ist               Show the source code around the current line.",
    "[l]ist [line]        Show the source code around [line]; 0 is the current one.",
    "[l]ist [line] [ctx]  Show [ctx] lines before and after [line].",
    "[w]hole              Show all of the source code.",
    "[p]rint              Show all local variables.",
    "[p]rint <var>        Show one variable, or KEYS or ARGV.",
    "[b]reak              Show all breakpoints.",
    "[b]reak <line>       Set a breakpoint at a line.",
    "[b]reak -<line>      Remove the breakpoint of a line.",
    "[b]reak 0            Remove all breakpoints.",
    "[t]race              Show the calls that led here.",
    "[e]val <code>        Run Lua code, in a call frame of its own.",
    "[r]edis <cmd>        Run a command.",
    "[m]axlen [len]       Trim replies and values to [len] bytes; 0 is no limit.",
    "[a]bort              End the script. What it has written stays.",
    "",
    "Functions scripts can call:",
    "redis.debug()        Show values here.",
    "redis.breakpoint()   Stop at the next line.",
];

/// Whether the script goes on.
enum Next {
    Stays,
    Goes,
}

/// Called by the machine at every line of a script that is debugged (`is_line`), and every so many
/// instructions: whether the script is to end. Then the error is on the stack.
pub(in super::super) fn on_event(lua: Lua, is_line: bool) -> bool {
    if !is_line && run::look_after(lua) {
        return true;
    }
    let Some(place) = lua.location(0) else { return false };
    let outcome = match lua.with_run(|run| run.judge(&place, is_line)) {
        None | Some(Verdict::Goes) => Ok(()),
        Some(Verdict::Ends(error)) => api::raise(lua, error),
        Some(Verdict::Stops(stop)) => converse(lua, stop),
    };
    outcome.is_err()
}

/// Stands still until the client lets the script go on, or ends it.
fn converse(lua: Lua, stop: Stop) -> Result<(), Raise> {
    with_debugger(lua, |debugger| debugger.stop(stop));
    loop {
        lua.with_run(|run| run.send_log());
        let Some(words) = next_command(lua)? else {
            // Nobody is there to end a loop.
            return if stop == Stop::Loop { api::raise(lua, ALONE_IN_A_LOOP) } else { Ok(()) };
        };
        if let Next::Goes = obey(lua, &words)? {
            lua.with_run(|run| run.resume());
            return Ok(());
        }
    }
}

/// Waits for a command; none once the client has gone. Meanwhile others are looked after, as they
/// are while any script takes long.
fn next_command(lua: Lua) -> Result<Option<Vec<Vec<u8>>>, Raise> {
    loop {
        let heard = with_debugger(lua, Debugger::take_command).unwrap_or(Ok(None));
        match heard {
            Ok(Some(words)) => return Ok(Some(words)),
            Err(error) => return api::raise(lua, error),
            Ok(None) => {}
        }
        if run::look_after(lua) {
            return Err(Raise);
        }
        if with_debugger(lua, |debugger| debugger.is_gone).unwrap_or(true) {
            return Ok(None);
        }
        lua.with_run(|run| run.listen());
    }
}

impl Debugger {
    /// The next command, if it has come.
    fn take_command(&mut self) -> Result<Option<Vec<Vec<u8>>>, &'static str> {
        let error = match input::parse(&self.input) {
            Parsed::Command(words, len) => {
                self.input.drain(..len);
                return Ok(Some(words));
            }
            Parsed::Incomplete if self.input.len() <= INPUT_BYTES_MAX => return Ok(None),
            Parsed::Incomplete => "max client buffer reached",
            Parsed::Broken => "protocol error",
        };
        self.input.clear();
        Err(error)
    }
}

/// Does what the client wants.
fn obey(lua: Lua, words: &[Vec<u8>]) -> Result<Next, Raise> {
    let name = words[0].to_ascii_lowercase();
    match &name[..] {
        b"s" | b"step" | b"n" | b"next" => {
            with_debugger(lua, |debugger| debugger.steps = true);
            return Ok(Next::Goes);
        }
        b"c" | b"continue" => return Ok(Next::Goes),
        b"a" | b"abort" => return api::raise(lua, "script aborted for user request"),
        b"t" | b"trace" => trace(lua),
        b"e" | b"eval" => evaluate(lua, &words[1..]),
        b"r" | b"redis" if words.len() > 1 => call(lua, &words[1..]),
        b"p" | b"print" => match words {
            [_, name] => print(lua, name),
            _ => print_all(lua),
        },
        _ => {
            with_debugger(lua, |debugger| debugger.answer(&name, words));
        }
    }
    Ok(Next::Stays)
}

impl Debugger {
    /// Answers what is asked of the session itself.
    fn answer(&mut self, name: &[u8], words: &[Vec<u8>]) {
        match name {
            b"h" | b"help" => HELP.iter().for_each(|line| self.say(*line)),
            b"l" | b"list" => {
                let around = number(words.get(1)).filter(|line| *line > 0).unwrap_or(self.line);
                let context = words.get(2).map(|word| number(Some(word)).unwrap_or(0));
                self.say_lines(around, context.unwrap_or(CONTEXT_LINES));
            }
            b"w" | b"whole" => self.say_lines(1, i64::MAX),
            b"b" | b"break" => self.change_breakpoints(&words[1..]),
            b"m" | b"maxlen" => self.change_length(words),
            _ => self.say(UNKNOWN),
        }
    }

    fn change_breakpoints(&mut self, words: &[Vec<u8>]) {
        if words.is_empty() {
            return self.show_breakpoints();
        }
        for word in words {
            match number(Some(word)) {
                None => self.say([b"Invalid argument:'", &word[..], b"'"].concat()),
                Some(0) => {
                    self.breakpoints.clear();
                    self.say("All breakpoints removed.");
                }
                Some(line @ 1..) => self.add_breakpoint(line),
                Some(line) => self.remove_breakpoint(line.saturating_neg()),
            }
        }
    }

    fn show_breakpoints(&mut self) {
        if self.breakpoints.is_empty() {
            return self.say("No breakpoints set. Use 'b <line>' to add one.");
        }
        self.say(format!("{} breakpoints set:", self.breakpoints.len()));
        for line in self.breakpoints.clone() {
            self.say_line(line);
        }
    }

    fn add_breakpoint(&mut self, line: i64) {
        if self.breakpoints.len() == BREAKPOINTS_MAX {
            return self.say("Too many breakpoints set.");
        }
        if line > self.source.len() as i64 || self.breakpoints.contains(&line) {
            return self.say("Wrong line number.");
        }
        self.breakpoints.push(line);
        self.say_lines(line, 1);
    }

    fn remove_breakpoint(&mut self, line: i64) {
        let place = self.breakpoints.iter().position(|&other| other == line);
        self.say(match place {
            Some(_) => "Breakpoint removed.",
            None => "No breakpoint in the specified line.",
        });
        if let Some(place) = place {
            self.breakpoints.remove(place);
        }
    }

    fn change_length(&mut self, words: &[Vec<u8>]) {
        if let [_, word] = words {
            self.knows_length = true;
            self.length_max = match number(Some(word)).unwrap_or(0) {
                0 => 0,
                length => usize::try_from(length).map_or(LENGTH_MIN, |some| some.max(LENGTH_MIN)),
            };
        }
        self.say(match self.length_max {
            0 => "<value> replies are unlimited.".to_owned(),
            length => format!("<value> replies are truncated at {length} bytes."),
        });
    }
}

fn number(word: Option<&Vec<u8>>) -> Option<i64> {
    parse_integer(word?)
}

/// Shows the value on top of the stack, and pops it.
fn show_value(lua: Lua, prefix: Vec<u8>) {
    if let Some(mut text) = with_debugger(lua, |debugger| debugger.text(prefix)) {
        values::describe(&mut text, lua);
        with_debugger(lua, |debugger| debugger.say_text(text));
    }
    lua.pop(1);
}

fn say(lua: Lua, line: impl Into<Vec<u8>>) {
    with_debugger(lua, |debugger| debugger.say(line));
}

/// Shows a variable: the first of that name, from the innermost call outwards.
fn print(lua: Lua, name: &[u8]) {
    for level in 0.. {
        if lua.location(level).is_none() {
            break;
        }
        for number in 1.. {
            match lua.push_local(level, number) {
                None => break,
                Some(local) if local == name => return show_value(lua, b"<value> ".to_vec()),
                Some(_) => lua.pop(1),
            }
        }
    }
    match name {
        b"KEYS" | b"ARGV" => {
            lua.push_field(GLOBALS, if name == b"KEYS" { "KEYS" } else { "ARGV" });
            show_value(lua, b"<value> ".to_vec());
        }
        _ => say(lua, "No such variable."),
    }
}

/// Shows the variables of the innermost call.
fn print_all(lua: Lua) {
    let mut is_any = false;
    for number in 1.. {
        let Some(name) = lua.push_local(0, number) else { break };
        if name == b"(*temporary)" {
            lua.pop(1);
            continue;
        }
        is_any = true;
        show_value(lua, [b"<value> ", &name[..], b" = "].concat());
    }
    if !is_any {
        say(lua, "No local variables in the current context.");
    }
}

/// Shows the calls that led here.
fn trace(lua: Lua) {
    for level in 0.. {
        let Some(place) = lua.location(level) else { break };
        if place.source != SCRIPT {
            continue;
        }
        let word = if level == 0 { "In " } else { "From " };
        let name = place.name.unwrap_or_else(|| b"top level".to_vec());
        with_debugger(lua, |debugger| {
            debugger.say([word.as_bytes(), &name, b":"].concat());
            debugger.say_line(i64::from(place.line));
        });
    }
}

/// Runs code of the client's in a coroutine, since nothing is looked after within an event of the
/// one that stands still: as an expression, or else as statements.
fn evaluate(lua: Lua, words: &[Vec<u8>]) {
    let code = words.join(&b' ');
    with_debugger(lua, |debugger| debugger.is_evaluating = true);
    lua.with_run(|run| run.resume());
    lua.in_coroutine(|lua| {
        let is_loaded =
            lua.load(&[b"return ", &code[..]].concat(), c"@ldb_eval").or_else(|Raise| {
                lua.pop(1);
                lua.load(&code, c"@ldb_eval")
            });
        match is_loaded.and_then(|()| lua.call(0, 1, 0)) {
            Ok(()) => show_value(lua, b"<retval> ".to_vec()),
            Err(Raise) => say(lua, [b"<error> ", &error_text(lua)[..]].concat()),
        }
    });
    with_debugger(lua, |debugger| debugger.is_evaluating = false);
}

/// Runs a command as the script would, which logs it.
fn call(lua: Lua, words: &[Vec<u8>]) {
    let count = words.len() as i32;
    if !lua.has_room(count + 2) {
        return say(lua, "<error> max lua stack reached");
    }
    with_debugger(lua, |debugger| debugger.steps = true);
    lua.push_function(command::call);
    words.iter().for_each(|word| lua.push_bytes(word));
    // What came of it is in the log, be it a reply or an error.
    let _logged = lua.call(count, 1, 0);
    lua.pop(1);
    with_debugger(lua, |debugger| debugger.steps = false);
}
