//! DEBUG RELOAD and DEBUG LOADAOF: the data set forgotten and loaded again from its files, while
//! nothing else runs.
//!
//! Both work with the slots of all cores at one of them (see [`super::save`]). Libraries of
//! functions come from the files as well; all cores have them from the end of the tour on.

use std::sync::Arc;

use super::save::{AllSlots, AllSlotsOutcome, answer, refuse_second, save_now};
use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, CoreId, SessionId};
use crate::error::{CommandError, Outcome};
use crate::host::{Cut, Garbage};
use crate::reply::Reply;
use crate::scripting::functions::{Change, Libraries};
use crate::store::holding::Holding;
use crate::table::Table;

const CANNOT_LOAD: CommandError =
    CommandError::Fixed("ERR Error trying to load the RDB dump, check server logs.");
const CANNOT_LOAD_AOF: CommandError =
    CommandError::Fixed("ERR Error trying to load the AOF files, check server logs.");

/// `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`: saves, forgets everything, and loads it again.
pub(super) fn reload(call: &mut SessionCall<'_>) -> Outcome {
    let (mut saves, mut flushes, mut replaces) = (true, true, false);
    for index in 2..call.arguments.len() {
        match () {
            () if call.arguments.is(index, "merge") => replaces = true,
            () if call.arguments.is(index, "noflush") => flushes = false,
            () if call.arguments.is(index, "nosave") => saves = false,
            () => {
                return Err(CommandError::Fixed(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    if saves {
        refuse_second(call.core)?;
    }
    let work = move |core: &mut Core, cut: &mut Cut| {
        if saves {
            save_now(core, cut)?;
        }
        let mut libraries = Arc::clone(&core.scripting.libraries);
        if flushes {
            forget_everything(core);
            libraries = Arc::new(libraries.after(&Change::Flush)?);
        }
        let texts = core.host.load_snapshot(&mut core.store, replaces).ok_or(CANNOT_LOAD)?;
        libraries_of(core, libraries, &texts, replaces)
    };
    call.tour(TourKind::Parking, AllSlots::new(work, answer));
    Ok(())
}

/// Libraries that came from a file, beside those there are. What is wrong with one is in the log.
fn libraries_of(
    core: &mut Core,
    libraries: Arc<Libraries>,
    texts: &[Vec<u8>],
    replaces: bool,
) -> AllSlotsOutcome {
    core.libraries_with(libraries, texts, replaces).map(Some).map_err(|error| {
        core.host.log_warning(&format!("A library of functions cannot be loaded: {error}"));
        CANNOT_LOAD
    })
}

/// Empties all databases; that is no change, for what was there comes back.
fn forget_everything(core: &mut Core) {
    let changes = core.store.stats.changes;
    let tables = core.store.flush(None);
    core.store.stats.changes = changes;
    let bytes = tables.iter().map(Table::bytes).sum();
    core.host.discard(Garbage::new(Box::new(tables), bytes));
}

/// `DEBUG LOADAOF`: forgets everything and loads the append-only file.
pub(super) fn load_append_only(call: &mut SessionCall<'_>) -> Outcome {
    call.tour(TourKind::Parking, LoadAppendOnly(AllSlots::new(load_append_only_now, answer)));
    Ok(())
}

type Work = fn(&mut Core, &mut Cut) -> AllSlotsOutcome;
type Answer = fn(&mut Core, Outcome, &mut Reply<'_>);

/// What cores have told has to be in the files before these are read.
struct LoadAppendOnly(AllSlots<Work, Answer>);

impl TourTask for LoadAppendOnly {
    fn visit(&mut self, core: &mut Core) {
        let id = core.id();
        // Else what is open would be cut off, of files that go on being written.
        core.store.settle_journal();
        core.host.write_out_append_only(id, &mut core.store);
        self.0.visit(core);
    }

    fn answer_in_transaction(&self) -> Option<&'static str> {
        // What the transaction does belongs to the files first.
        Some("OK")
    }

    fn take_holdings(&mut self) -> Vec<(CoreId, Box<Holding>)> {
        self.0.take_holdings()
    }

    fn take_libraries(&mut self) -> Option<Arc<Libraries>> {
        self.0.take_libraries()
    }

    fn finish(self: Box<Self>, core: &mut Core, session: SessionId, reply: &mut Reply<'_>) {
        Box::new(self.0).finish(core, session, reply);
    }
}

/// What is loaded was told before, and is not told again: the journal rests meanwhile.
fn load_append_only_now(core: &mut Core, _: &mut Cut) -> AllSlotsOutcome {
    let journal = std::mem::take(core.store.journal_mut());
    forget_everything(core);
    let libraries = Arc::new(core.scripting.libraries.after(&Change::Flush)?);
    let loaded = core.host.load_append_only(&mut core.store);
    *core.store.journal_mut() = journal;
    let texts = loaded.ok_or(CANNOT_LOAD_AOF)?;
    libraries_of(core, libraries, &texts, false)
}
