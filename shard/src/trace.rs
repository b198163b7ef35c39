//! What ran, in the order in which it ran, for simulations.
//!
//! With all cores on one thread there is one order in which commands ran. Whatever clients are
//! told has to follow from running the same commands one after the other on a single core: a
//! simulation does that, and compares.
//!
//! Only builds with assertions have this, and only a thread that asked for it pays.

use std::cell::{Cell, RefCell};

use crate::arguments::Arguments;
use crate::command::{Command, flag};
use crate::journal::GlobalEffect;
use crate::store::Store;

/// Something that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// A command on keys, also one of a transaction or a script.
    Command {
        /// Whether it may have changed something.
        is_write: bool,
        /// The database it ran in.
        db: u32,
        /// The time it had, milliseconds since 1970.
        now_ms: i64,
        /// The command.
        request: Vec<Vec<u8>>,
        /// What it answered.
        reply: Vec<u8>,
    },
    /// All cores did something at one moment.
    Everywhere {
        /// The database it is told in.
        db: u32,
        /// The command.
        request: Vec<Vec<u8>>,
    },
    /// A key went because memory is short.
    Evicted {
        /// Its database.
        db: u32,
        /// Its name.
        name: Vec<u8>,
    },
}

thread_local! {
    static IS_ON: Cell<bool> = const { Cell::new(false) };
    static TRACE: RefCell<Vec<Ran>> = const { RefCell::new(Vec::new()) };
}

/// Whether this build can tell what ran.
pub const IS_BUILT: bool = cfg!(debug_assertions);

/// Begins to note what runs on this thread, or ends it. What was noted before is forgotten.
pub fn switch(is_on: bool) {
    IS_ON.set(is_on);
    TRACE.take();
}

/// How much was noted so far.
pub fn len() -> usize {
    TRACE.with_borrow(Vec::len)
}

/// What was noted, which is forgotten here.
pub fn take() -> Vec<Ran> {
    TRACE.take()
}

/// Whether anything is noted. False, and known when this is built, without assertions.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    IS_BUILT && IS_ON.get()
}

#[cold]
fn note(ran: Ran) {
    TRACE.with_borrow_mut(|trace| trace.push(ran));
}

/// A command has its reply.
#[cold]
pub(crate) fn note_command(
    store: &Store,
    row: &Command,
    db: u32,
    arguments: Arguments<'_>,
    reply: Vec<u8>,
) {
    let (is_write, now_ms) = (row.flags.contains(flag::WRITE), store.now_ms());
    let request = (0..arguments.len()).map(|index| arguments.at(index).to_vec()).collect();
    note(Ran::Command { is_write, db, now_ms, request, reply });
}

/// All cores have done something.
pub(crate) fn note_everywhere(effect: Option<GlobalEffect>) {
    if let (true, Some(GlobalEffect { db, parts })) = (is_on(), effect) {
        note(Ran::Everywhere { db, request: parts });
    }
}

/// A key was evicted.
#[inline]
pub(crate) fn note_evicted(db: u32, name: &[u8]) {
    if is_on() {
        note(Ran::Evicted { db, name: name.to_vec() });
    }
}
