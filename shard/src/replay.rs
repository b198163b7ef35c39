//! Commands from a file, run on a store that has all the slots they need: no client, no reply.
//!
//! What a journal tells is what ran before, so nothing is checked that depends on who asks. Time
//! stands still meanwhile (see [`Store::set_loading`]). A command that fails is counted and
//! otherwise ignored, as Redis does: it failed when it ran first, or another version wrote it.
//!
//! Whoever has many of them looks them up some at a time, which asks for the memory they will need
//! ([`Replay::foresee`]), and runs them then: keys come in any order, and a store is larger than
//! any cache.

use crate::arguments::Arguments;
use crate::call::Call;
use crate::command::{self, Command, Handler, LastLookup, flag};
use crate::core::message::{Caller, Route};
use crate::hash::HashSlot;
use crate::number::parse_integer;
use crate::reply::{Output, Reply};
use crate::scripting::from_file::{FileScripts, Outcome};
use crate::scripting::texts::LibraryTexts;
use crate::store::Store;
use crate::store::ahead::Lookup;

/// Why commands cannot go on being applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// There is no such command.
    UnknownCommand(Vec<u8>),
    /// The command has no place in a file, or is not built.
    Unsupported(Vec<u8>),
    /// Its arguments cannot be what was written.
    BadArguments(Vec<u8>),
    /// It is about scripts, and whoever loads the file runs none.
    NoScripts(Vec<u8>),
    /// It calls a function. No server writes that: files tell what functions did.
    FunctionCall(Vec<u8>),
    /// The process is to end before it is done.
    Interrupted(Vec<u8>),
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (text, name) = match self {
            Self::UnknownCommand(name) => ("Unknown command", name),
            Self::Unsupported(name) => ("Unsupported command", name),
            Self::BadArguments(name) => ("Bad arguments of command", name),
            Self::NoScripts(name) => ("Scripts are not run here: command", name),
            Self::FunctionCall(name) => {
                ("Calls of functions are not loaded, only what they did: command", name)
            }
            Self::Interrupted(name) => ("Told to end within command", name),
        };
        write!(formatter, "{text} '{}'", String::from_utf8_lossy(name))
    }
}

impl std::error::Error for ReplayError {}

/// How much of the data a command may touch, as far as its line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: it is about the stream itself, as SELECT and EXEC are.
    Nothing,
    /// The slots of the keys it names.
    Named,
    /// Anything. Commands that cannot be run are among these.
    Everything,
}

/// What commands change beside the store.
#[derive(Default)]
pub struct Programs {
    /// Libraries of functions.
    pub libraries: LibraryTexts,
    /// What runs scripts; without it they are refused.
    pub scripts: Option<FileScripts>,
}

/// The state of one stream of commands: its database, and what came of them.
#[derive(Default)]
pub struct Replay {
    db: u32,
    /// Whether the store has not all slots.
    is_of_part: bool,
    last_lookup: LastLookup,
    output: Output,
    /// Commands that ran.
    pub applied: u64,
    /// Commands that answered with an error.
    pub failed: u64,
}

/// A command that was looked up and is to run.
#[derive(Clone, Copy)]
pub struct Foreseen {
    row: &'static Command,
    route: Route,
    /// Where it will look, unless the stream turns to another database before it.
    lookup: Option<Lookup>,
}

/// Finds out what a command may touch; `visit` is called with the slot of each key it names.
/// O(keys).
pub fn reach(
    last_lookup: &LastLookup,
    arguments: Arguments<'_>,
    mut visit: impl FnMut(HashSlot),
) -> Reach {
    let Ok(row) = find(last_lookup, arguments) else { return Reach::Everything };
    match row.handler {
        Some(Handler::Keys(_)) if !row.reaches_unnamed_keys() && !FileScripts::are_about(row) => {
            let mut reach = Reach::Everything;
            row.for_each_key(arguments, |key| {
                visit(HashSlot::of_key(key));
                reach = Reach::Named;
            });
            reach
        }
        _ if matches!(row.name, "select" | "multi" | "exec" | "ping") => Reach::Nothing,
        _ => Reach::Everything,
    }
}

/// The row of a command that may stand in a file.
fn find(
    last_lookup: &LastLookup,
    arguments: Arguments<'_>,
) -> Result<&'static Command, ReplayError> {
    let name = arguments.at(0);
    let look_up = || command::lookup_line(name, arguments.get(1));
    let Some(row) = last_lookup.find(name, look_up) else {
        return Err(ReplayError::UnknownCommand(name.to_vec()));
    };
    if !row.accepts_argument_count(arguments.len()) {
        return Err(ReplayError::BadArguments(name.to_vec()));
    }
    if row.flags.contains(flag::SCRIPT_RUNNER) && !FileScripts::are_about(row) {
        return Err(ReplayError::FunctionCall(name.to_vec()));
    }
    Ok(row)
}

impl Replay {
    /// One for stores that may lack slots: a command that needs one of these is refused.
    pub fn of_part() -> Self {
        Self { is_of_part: true, ..Self::default() }
    }

    /// Selects a database, as SELECT does.
    pub fn select(&mut self, db: u32) {
        self.db = db;
    }

    /// Looks up a command that is going to run in database `db`, and asks for the memory of its
    /// slot.
    ///
    /// # Errors
    /// If the command cannot come from a journal. Those before it can be run all the same.
    pub fn foresee(
        &self,
        store: &Store,
        db: u32,
        arguments: Arguments<'_>,
    ) -> Result<Foreseen, ReplayError> {
        let row = find(&self.last_lookup, arguments)?;
        let route = store.route(row, arguments);
        if let Route::One(slot, _) = route {
            store.prefetch_slot(slot, true);
        }
        Ok(Foreseen { row, route, lookup: Lookup::of(row, route, db) })
    }

    /// Runs one command on `store`, which holds all slots unless this is [`Replay::of_part`]; those
    /// on functions and scripts go to `programs`.
    ///
    /// # Errors
    /// If the command cannot come from a journal.
    pub fn apply(
        &mut self,
        store: &mut Store,
        programs: &mut Programs,
        arguments: Arguments<'_>,
    ) -> Result<(), ReplayError> {
        let foreseen = self.foresee(store, self.db, arguments)?;
        self.run(store, programs, foreseen, arguments)
    }

    /// Runs a command that was looked up with the same arguments.
    ///
    /// # Errors
    /// As [`Replay::apply`].
    pub fn run(
        &mut self,
        store: &mut Store,
        programs: &mut Programs,
        Foreseen { row, route, .. }: Foreseen,
        arguments: Arguments<'_>,
    ) -> Result<(), ReplayError> {
        if FileScripts::are_about(row) {
            return self.run_script(store, programs, row, arguments);
        }
        let Some(handler) = row.handler.and_then(Handler::on_keys) else {
            if row.container == "function" {
                self.applied += 1;
                self.failed += u64::from(programs.libraries.apply(row.name, arguments).is_err());
                return Ok(());
            }
            return self.apply_to_all(store, row.name, arguments);
        };
        self.output.clear();
        let caller = Caller { db: self.db, ..Caller::default() };
        if self.is_of_part && !has_all_slots(store, row, route, arguments) {
            return Err(ReplayError::BadArguments(arguments.at(0).to_vec()));
        }
        let reply = Reply::new(&mut self.output, caller.protocol);
        let mut call = Call::new(store, row, arguments, caller, route, reply);
        let outcome = handler(&mut call);
        self.applied += 1;
        self.failed += u64::from(outcome.is_err());
        Ok(())
    }

    /// Runs a command about scripts, which may touch anything.
    fn run_script(
        &mut self,
        store: &mut Store,
        programs: &mut Programs,
        row: &'static Command,
        arguments: Arguments<'_>,
    ) -> Result<(), ReplayError> {
        let name = || arguments.at(0).to_vec();
        if self.is_of_part && !HashSlot::all().all(|slot| store.has_slot(slot)) {
            return Err(ReplayError::BadArguments(name()));
        }
        let scripts = programs.scripts.as_mut().ok_or_else(|| ReplayError::NoScripts(name()))?;
        match scripts.run(store, row, self.db, arguments) {
            Outcome::Done => {}
            Outcome::Failed => self.failed += 1,
            Outcome::Interrupted => return Err(ReplayError::Interrupted(name())),
        }
        self.applied += 1;
        Ok(())
    }

    /// Runs a command that concerns the stream itself or all slots.
    fn apply_to_all(
        &mut self,
        store: &mut Store,
        name: &str,
        arguments: Arguments<'_>,
    ) -> Result<(), ReplayError> {
        let database = |index: usize| {
            let number = arguments.get(index).and_then(parse_integer);
            let number = number.and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| *number < store.settings().databases);
            number.ok_or_else(|| ReplayError::BadArguments(name.as_bytes().to_vec()))
        };
        match name {
            "select" => self.db = database(1)?,
            "flushdb" => drop(store.flush(Some(self.db))),
            "flushall" => drop(store.flush(None)),
            "swapdb" => {
                let (one, other) = (database(1)?, database(2)?);
                store.swap_databases(one, other);
            }
            "multi" | "exec" | "ping" => return Ok(()),
            _ => return Err(ReplayError::Unsupported(name.as_bytes().to_vec())),
        }
        self.applied += 1;
        Ok(())
    }
}

impl Foreseen {
    /// Asks for the memory that commands will look at.
    pub fn prefetch<'f>(store: &Store, commands: impl Iterator<Item = &'f Self> + Clone) {
        store.prefetch(commands.filter_map(|command| command.lookup));
    }
}

/// Whether all slots a command may reach are here.
fn has_all_slots(store: &Store, row: &Command, route: Route, arguments: Arguments<'_>) -> bool {
    if let Route::One(slot, _) = route
        && !row.reaches_unnamed_keys()
    {
        return store.has_slot(slot);
    }
    if row.reaches_unnamed_keys() {
        return HashSlot::all().all(|slot| store.has_slot(slot));
    }
    let mut has_all = true;
    row.for_each_key(arguments, |key| has_all &= store.has_slot(HashSlot::of_key(key)));
    has_all
}
