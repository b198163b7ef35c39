//! FUNCTION: libraries of functions. Every change is a tour, so that all cores have the same
//! libraries at any moment.

use std::sync::Arc;

use super::script::{is_flush_word, kill_busy};
use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::error::{CommandError, Outcome};
use crate::glob;
use crate::journal::GlobalEffect;
use crate::rdb::payload;
use crate::rdb::writer::Writer;
use crate::reply::Reply;
use crate::scripting::functions::{Change, Libraries, Library};
use crate::scripting::texts::{OPCODE, texts_of_payload};

const FLUSH_WORDS: CommandError =
    CommandError::Fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
const NO_PATTERN: CommandError = CommandError::Fixed("ERR library name argument was not given");
const NO_CODE: CommandError = CommandError::Fixed("ERR Function code is missing");
const BAD_POLICY: CommandError = CommandError::Fixed(
    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
);
/// Brings a change to all cores.
struct Apply {
    change: Change,
    /// What the journal tells of it.
    effect: GlobalEffect,
    result: Option<Result<Arc<Libraries>, CommandError>>,
}

impl TourTask for Apply {
    fn visit(&mut self, core: &mut Core) {
        let change = &self.change;
        let result =
            self.result.get_or_insert_with(|| core.scripting.libraries.after(change).map(Arc::new));
        if let Ok(libraries) = result {
            core.apply_libraries(Arc::clone(libraries));
        }
    }

    fn effect(&self) -> Option<GlobalEffect> {
        matches!(self.result, Some(Ok(_))).then(|| self.effect.clone())
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        if matches!(self.result, Some(Ok(_))) {
            core.store.stats.changes += 1;
        }
        match (self.result.expect("a tour visits at least one core"), self.change) {
            (Ok(_), Change::Load(library, _)) => reply.bulk(library.name.as_bytes()),
            (Ok(_), _) => reply.ok(),
            (Err(error), _) => {
                core.stats.count_error(&error);
                reply.error(&error);
            }
        }
    }
}

fn apply(call: &mut SessionCall<'_>, change: Change) -> Outcome {
    let parts = call.arguments.from(0).map(<[u8]>::to_vec).collect();
    apply_as(call, change, parts)
}

/// The same, for a command that is told in other words.
fn apply_as(call: &mut SessionCall<'_>, change: Change, parts: Vec<Vec<u8>>) -> Outcome {
    let effect = GlobalEffect { db: call.session().db, parts };
    call.tour(TourKind::Parking, Apply { change, effect, result: None });
    Ok(())
}

impl Core {
    /// The text of each library, for files.
    pub fn function_texts(&self) -> Vec<Vec<u8>> {
        self.scripting.libraries.iter().map(|library| library.text.to_vec()).collect()
    }

    /// Takes libraries from a file, in place of all there are. Every core does so by itself at the
    /// start, before commands run.
    ///
    /// # Errors
    /// The first library that cannot be loaded.
    pub fn adopt_functions(&mut self, texts: &[Vec<u8>]) -> Outcome {
        if !texts.is_empty() {
            let libraries = self.libraries_with(Arc::default(), texts, false)?;
            self.apply_libraries(libraries);
        }
        Ok(())
    }

    /// What results when libraries from a file are added to `libraries`, in place of those of the
    /// same names if that is wanted.
    ///
    /// # Errors
    /// The first library that cannot be loaded.
    pub(crate) fn libraries_with(
        &mut self,
        mut libraries: Arc<Libraries>,
        texts: &[Vec<u8>],
        replaces: bool,
    ) -> Result<Arc<Libraries>, CommandError> {
        for text in texts {
            let library = Arc::new(Library::new(self, text)?);
            libraries = Arc::new(libraries.after(&Change::Load(library, replaces))?);
        }
        Ok(libraries)
    }
}

fn wrong_count(name: &str) -> CommandError {
    CommandError::worded(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try FUNCTION HELP."
    ))
}

/// FUNCTION LOAD.
pub fn load(call: &mut SessionCall<'_>) -> Outcome {
    let last = call.arguments.len() - 1;
    for index in 2..last {
        if !call.arguments.is(index, "replace") {
            let word = String::from_utf8_lossy(call.arguments.at(index)).into_owned();
            return Err(CommandError::worded(format!("ERR Unknown option given: {word}")));
        }
    }
    if last < 2 {
        return Err(NO_CODE);
    }
    let text = call.arguments.at(last);
    let library = Library::new(call.core, text)?;
    apply(call, Change::Load(Arc::new(library), last > 2))
}

/// FUNCTION DELETE.
pub fn delete(call: &mut SessionCall<'_>) -> Outcome {
    let name = call.arguments.at(2).to_vec();
    apply(call, Change::Delete(name))
}

/// FUNCTION FLUSH.
pub fn flush(call: &mut SessionCall<'_>) -> Outcome {
    if !is_flush_word(call).ok_or_else(|| wrong_count("flush"))? {
        return Err(FLUSH_WORDS);
    }
    apply(call, Change::Flush)
}

/// FUNCTION DUMP.
pub fn dump(call: &mut SessionCall<'_>) -> Outcome {
    let libraries = Arc::clone(&call.core.scripting.libraries);
    let compression = super::dump::compression(call.core.store.settings());
    let mut writer = Writer::new(compression);
    for library in libraries.iter() {
        writer.raw(&[OPCODE]);
        writer.string(&library.text);
    }
    let mut bytes = writer.into_bytes();
    payload::seal(&mut bytes, call.core.store.settings().rdb_version.number());
    call.reply.bulk(&bytes);
    Ok(())
}

/// FUNCTION RESTORE.
pub fn restore(call: &mut SessionCall<'_>) -> Outcome {
    if call.arguments.len() > 4 {
        return Err(wrong_count("restore"));
    }
    let is_policy = |word: &str| call.arguments.is(3, word);
    let policy: fn(Vec<Arc<Library>>) -> Change = match call.arguments.len() {
        3 => |all| Change::Join(all, false),
        _ if is_policy("append") => |all| Change::Join(all, false),
        _ if is_policy("replace") => |all| Change::Join(all, true),
        _ if is_policy("flush") => Change::ReplaceAll,
        _ => return Err(BAD_POLICY),
    };
    let mut libraries = Vec::new();
    let mut sum = Libraries::default();
    for text in texts_of_payload(call.arguments.at(2))? {
        let library = Arc::new(Library::new(call.core, &text)?);
        sum = sum.after(&Change::Load(Arc::clone(&library), false))?;
        libraries.push(library);
    }
    let mut parts: Vec<Vec<u8>> = call.arguments.from(0).map(<[u8]>::to_vec).collect();
    payload::make_readable(&mut parts[2], call.core.store.settings().rdb_version);
    apply_as(call, policy(libraries), parts)
}

/// FUNCTION LIST.
pub fn list(call: &mut SessionCall<'_>) -> Outcome {
    let (mut with_code, mut pattern) = (false, None);
    let mut index = 2;
    while let Some(word) = call.arguments.get(index) {
        if !with_code && call.arguments.is(index, "withcode") {
            with_code = true;
        } else if pattern.is_none() && call.arguments.is(index, "libraryname") {
            index += 1;
            pattern = Some(call.arguments.get(index).ok_or(NO_PATTERN)?);
        } else {
            let word = String::from_utf8_lossy(word).into_owned();
            return Err(CommandError::worded(format!("ERR Unknown argument {word}")));
        }
        index += 1;
    }
    let libraries = Arc::clone(&call.core.scripting.libraries);
    let matches = |library: &&Arc<Library>| {
        pattern.is_none_or(|pattern| {
            glob::matches(pattern, library.name.as_bytes(), glob::Case::Insensitive)
        })
    };
    let shown: Vec<&Arc<Library>> = libraries.iter().filter(matches).collect();
    call.reply.array_len(shown.len());
    for library in shown {
        write_library(&mut call.reply, library, with_code);
    }
    Ok(())
}

fn write_library(reply: &mut Reply<'_>, library: &Library, with_code: bool) {
    reply.map_len(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(library.name.as_bytes());
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array_len(library.functions.len());
    for function in &library.functions {
        reply.map_len(3);
        reply.bulk(b"name");
        reply.bulk(function.name.as_bytes());
        reply.bulk(b"description");
        match &function.description {
            Some(text) => reply.bulk(text),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        reply.set_len(function.flags.names().count());
        for flag in function.flags.names() {
            reply.simple(flag);
        }
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.text);
    }
}

/// FUNCTION STATS.
pub fn stats(call: &mut SessionCall<'_>) -> Outcome {
    let libraries = Arc::clone(&call.core.scripting.libraries);
    let running = call.core.shared().watch.running();
    let now_ns = call.core.host.elapsed_ns();
    let reply = &mut call.reply;
    reply.map_len(2);
    reply.bulk(b"running_script");
    match running {
        None => reply.null(),
        Some(running) => {
            reply.map_len(3);
            reply.bulk(b"name");
            reply.bulk(running.name.as_bytes());
            reply.bulk(b"command");
            reply.array_len(running.command.len());
            for word in &running.command {
                reply.bulk(word);
            }
            reply.bulk(b"duration_ms");
            reply.integer((now_ns.saturating_sub(running.started_ns) / 1_000_000) as i64);
        }
    }
    reply.bulk(b"engines");
    reply.map_len(1);
    reply.bulk(b"LUA");
    reply.map_len(2);
    reply.bulk(b"libraries_count");
    reply.integer(libraries.iter().len() as i64);
    reply.bulk(b"functions_count");
    reply.integer(libraries.function_count() as i64);
    Ok(())
}

/// FUNCTION KILL.
pub fn kill(call: &mut SessionCall<'_>) -> Outcome {
    kill_busy(call, false)
}

/// FUNCTION HELP.
pub fn help(call: &mut SessionCall<'_>) -> Outcome {
    call.reply.help(&[
        "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries:",
        "    * Library name",
        "    * The engine used to run the Library",
        "    * Library description",
        "    * Functions list",
        "    * Library code (if WITHCODE is given)",
        "    It also possible to get only function that matches a pattern using LIBRARYNAME \
         argument.",
        "STATS",
        "    Return information about the current function running:",
        "    * Function name",
        "    * Command used to run the function",
        "    * Duration in MS that the function is running",
        "    If no function is running, return nil",
        "    In addition, returns a list of available engines.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the libraries.",
        "    * SYNC: Synchronously flush the libraries.",
        "DUMP",
        "    Return a serialized payload representing the current libraries, can be restored using \
         FUNCTION RESTORE command",
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Restore the libraries represented by the given payload, it is possible to give a \
         restore policy to",
        "    control how to handle existing libraries (default APPEND):",
        "    * FLUSH: delete all existing libraries.",
        "    * APPEND: appends the restored libraries to the existing libraries. On collision, \
         abort.",
        "    * REPLACE: appends the restored libraries to the existing libraries, On collision, \
         replace the old",
        "      libraries with the new libraries (notice that even on this option there is a chance \
         of failure",
        "      in case of functions name conflict with another library).",
        "HELP",
        "    Print this help.",
    ]);
    Ok(())
}
