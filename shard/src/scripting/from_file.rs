//! Scripts of a file that tells them as such: before version 5 Redis wrote the command that ran a
//! script, not what the script did, and up to version 6 it could be told to.
//!
//! They run again when the file is loaded, with everything at hand and nobody to answer. A script
//! runs at a core, and while a file is loaded there is none with the data. So one is made when the
//! first script comes, for no clients, and the store that is being filled takes the place of its
//! own for as long as a script runs:
//!
//! ```text
//! store of the load  <--swap-->  store of the core, without data
//! ```
//!
//! What it counts is its own, so nobody hears of it. It shares one thing with the cores that serve:
//! the cache. What the file brought is there afterwards, as in Redis, and is not given up for want
//! of room, since a later command of the file may name it by its digest.
//!
//! Servers of that time began the numbers of `math.random` anew for each script, so that it did the
//! same wherever it ran; so does this.

use std::sync::Arc;

use super::cache::ScriptCache;
use super::engine::Asked;
use super::run::Reach;
use crate::acl::Acl;
use crate::arguments::Arguments;
use crate::command::{Command, Renames};
use crate::core::message::{Caller, Message};
use crate::core::shared::Shared;
use crate::core::{Core, CoreId, CoreOptions, Mesh};
use crate::error::CommandError;
use crate::host::Host;
use crate::reply::{Output, Reply};
use crate::settings::Settings;
use crate::store::Store;

/// What became of a command about scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has run.
    Done,
    /// It answered with an error.
    Failed,
    /// The process is to end, and nobody waits for what is left.
    Interrupted,
}

/// Runs the scripts of a load.
pub struct FileScripts {
    cache: Arc<ScriptCache>,
    /// For the core, until there is one.
    host: Option<Box<dyn Host>>,
    core: Option<Box<Core>>,
    output: Output,
}

impl FileScripts {
    /// Scripts that go into `cache` and know the process through `host`.
    pub fn new(host: Box<dyn Host>, cache: Arc<ScriptCache>) -> Self {
        Self { cache, host: Some(host), core: None, output: Output::default() }
    }

    /// Whether a command is one of those that run here.
    pub(crate) fn are_about(row: &Command) -> bool {
        let runs = matches!(row.name, "eval" | "eval_ro" | "evalsha" | "evalsha_ro");
        runs || row.container == "script" && matches!(row.name, "load" | "flush")
    }

    /// Runs a command about scripts on `store`, which has all slots, in database `db`.
    pub(crate) fn run(
        &mut self,
        store: &mut Store,
        row: &'static Command,
        db: u32,
        arguments: Arguments<'_>,
    ) -> Outcome {
        let Self { cache, host, core, output } = self;
        let core = core.get_or_insert_with(|| {
            let host = host.take().expect("one core is made");
            Box::new(new_core(host, Arc::clone(cache), store.settings()))
        });
        std::mem::swap(&mut core.store, store);
        output.clear();
        let result = perform(core, row, db, arguments, output);
        std::mem::swap(&mut core.store, store);
        match result {
            _ if core.host.is_ending() || core.host.is_asked_to_end() => Outcome::Interrupted,
            Ok(()) => Outcome::Done,
            Err(_) => Outcome::Failed,
        }
    }
}

/// A core for nothing but scripts. What a file holds is not measured by the limits of clients, and
/// nobody asks what was slow.
fn new_core(host: Box<dyn Host>, cache: Arc<ScriptCache>, settings: &Settings) -> Core {
    let settings = Settings {
        maxmemory: 0,
        slowlog_log_slower_than_us: -1,
        large_request_bytes: -1,
        large_reply_bytes: -1,
        latency_monitor_threshold_ms: 0,
        ..settings.clone()
    };
    let options = CoreOptions {
        id: CoreId(0),
        core_count: 1,
        seed: 0,
        settings: Arc::new(settings),
        shared: Arc::new(Shared::with_scripts(1, cache)),
        acl: Arc::new(Acl::default()),
        renames: Renames::default(),
    };
    Core::new(options, Box::new(NoMesh), host)
}

fn perform(
    core: &mut Core,
    row: &'static Command,
    db: u32,
    arguments: Arguments<'_>,
    output: &mut Output,
) -> Result<(), CommandError> {
    match row.name {
        "flush" => return flush(core, arguments),
        "load" => return keep(core, arguments.at(2)),
        "eval" | "eval_ro" => keep(core, arguments.at(1))?,
        _ => {}
    }
    core.scripting.begin_random_anew();
    let caller = Caller { db, ..Caller::default() };
    let mut reply = Reply::new(output, caller.protocol);
    let need = Asked { row, caller, arguments }.run(core, Reach::Everything, &mut reply)?;
    assert!(need.is_none(), "all slots are here");
    Ok(())
}

/// Keeps a script, which is not given up before all are.
fn keep(core: &mut Core, text: &[u8]) -> Result<(), CommandError> {
    if core.scripting.has_text(text) {
        return Ok(());
    }
    let shared = Arc::clone(core.shared());
    core.scripting.by_text(&shared.scripts, text, true).map(drop)
}

fn flush(core: &Core, arguments: Arguments<'_>) -> Result<(), CommandError> {
    let is_sound = match arguments.len() {
        2 => true,
        3 => arguments.is(2, "sync") || arguments.is(2, "async"),
        _ => false,
    };
    if !is_sound {
        return Err(crate::error::SYNTAX);
    }
    core.shared().scripts.flush();
    Ok(())
}

/// The way to other cores, of which there are none.
struct NoMesh;

impl Mesh for NoMesh {
    fn send(&mut self, _to: CoreId, _message: Message) {
        unreachable!("a script that has all slots sends nothing")
    }

    fn tail(&self) -> u64 {
        0
    }

    fn receive(&mut self, _tail: u64) -> Option<Message> {
        None
    }

    fn has_mail(&self) -> bool {
        false
    }

    fn end_turn(&mut self) {}
}
