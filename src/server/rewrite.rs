//! The rewrite of the append-only file: its cut, and the base that is written beside the commands.

use std::sync::Arc;

use basalt_persist::aof::text_base::TextBase;
use basalt_persist::output::{FileOutput, Output};
use basalt_persist::save::{Outcome, Save, SaveOptions};
use basalt_shard::core::CoreId;
use basalt_shard::error::CommandError;
use basalt_shard::host::{Cut, RewriteTarget};
use basalt_shard::store::Store;

use super::aof::{NewGeneration, location};
use super::clock;
use super::host::command_settings;
use super::persistence::{order_of, preamble_of};
use super::process::Process;
use super::processors;
use crate::config::Settings;
use crate::{notice, warning};

const IN_PROGRESS: CommandError =
    CommandError::Fixed("ERR Background append only file rewriting already in progress");
const CANNOT_BEGIN: CommandError = CommandError::Fixed(
    "ERR Can't execute an AOF background rewriting. Please check the server logs for more \
     information.",
);

/// Begins a rewrite. The append-only file is on from its cut on, if it was not and `settings` ask
/// for it.
///
/// # Errors
/// When one is under way, or the system refuses. While a snapshot is made there is none: it is put
/// off.
pub fn begin(
    process: &Arc<Process>,
    settings: Arc<Settings>,
) -> Result<Option<Box<dyn RewriteTarget>>, CommandError> {
    let turns_on = settings.append_only.appendonly && !process.append_only.is_on();
    // Files that are not needed any more are still removed when there is a new base.
    let is_rewriting = process.append_only.is_rewriting() || process.persistence.is_making_base();
    if is_rewriting && !turns_on {
        return Err(IN_PROGRESS);
    }
    // A base that is written while it is off has no use for what comes.
    let number = if is_rewriting { None } else { process.persistence.reserve_for_rewrite() };
    let Some(number) = number else {
        process.append_only.put_rewrite_off(turns_on);
        if turns_on {
            notice!("The append only file is turned on when what is being written is complete.");
        }
        return Ok(None);
    };
    match prepare(process, &settings, number) {
        Ok((new, save)) => {
            notice!("Background append only file rewriting started");
            let process = Arc::clone(process);
            let target = Target { process, settings, number, new, save: Some(save), is_cut: false };
            Ok(Some(Box::new(target)))
        }
        Err(error) => {
            process.append_only.fail_to_begin();
            process.persistence.release_rewrite(number);
            warning!("Can't rewrite append only file in background: {error}");
            Err(CANNOT_BEGIN)
        }
    }
}

fn prepare(
    process: &Arc<Process>,
    settings: &Arc<Settings>,
    number: u32,
) -> std::io::Result<(Option<NewGeneration>, Save)> {
    let core_count = process.persistence.core_count();
    process.append_only.start_threads(process, core_count)?;
    // While nothing was written before, the files mean nothing without their base.
    let is_named = process.append_only.has_base();
    let make = || process.append_only.new_generation(settings, core_count, is_named);
    // With the append-only file off there is a base, and nothing that follows it.
    let new = settings.append_only.appendonly.then(make).transpose()?;
    process.append_only.begin_rewrite(settings, new.as_ref().map(NewGeneration::number));
    process.append_only.create_directory(settings)?;
    let place = location(settings);
    let temporary = place.file(&format!("temp-rewriteaof-bg-{}.aof", std::process::id()));
    let target = process.append_only.base_path(settings);
    let syncs = settings.append_only.aof_rewrite_incremental_fsync;
    let is_text = !settings.append_only.aof_use_rdb_preamble;
    let commands = is_text.then(|| Arc::new(command_settings(settings)));
    let has_times = settings.append_only.aof_timestamp_enabled;
    let seconds = has_times.then(|| clock::now().unix_seconds());
    let open = move || -> std::io::Result<Box<dyn Output>> {
        processors::yield_to_cores();
        Ok(match commands {
            None => Box::new(FileOutput::create(place.disk, &temporary, &target, syncs)?),
            Some(commands) => Box::new(TextBase::create(
                place.disk, &temporary, &target, syncs, commands, seconds,
            )?),
        })
    };
    let (waking, ending) = (Arc::clone(process), Arc::clone(process));
    let options = SaveOptions {
        core_count,
        has_checksum: settings.snapshots.rdbchecksum,
        on_room: Box::new(move || waking.wake_cores()),
        on_end: Box::new(move |outcome| {
            let bytes = match outcome {
                Outcome::Done(bytes) => Some(bytes),
                Outcome::Abandoned => None,
                Outcome::Failed(error) => {
                    warning!("Write error writing the base of the append only file: {error}");
                    None
                }
            };
            let settings = ending.settings();
            // Whoever sees that the rewrite is over may begin a snapshot.
            ending.persistence.release_rewrite(number);
            ending.append_only.end_rewrite(&settings, bytes);
            ending.append_only.set_policy(&settings, ending.persistence.is_writing());
            ending.persistence.note_writers(-1);
        }),
    };
    process.persistence.note_writers(1);
    let save = Save::begin(Box::new(open), options);
    let save = save.inspect_err(|_| process.persistence.note_writers(-1))?;
    process.persistence.note_progress(number, save.progress());
    process.append_only.set_policy(settings, true);
    Ok((new, save))
}

/// A rewrite whose cut is being made.
struct Target {
    process: Arc<Process>,
    settings: Arc<Settings>,
    number: u32,
    new: Option<NewGeneration>,
    save: Option<Save>,
    is_cut: bool,
}

impl Target {
    fn save(&self) -> &Save {
        self.save.as_ref().expect("it is there until the target is dropped")
    }
}

impl RewriteTarget for Target {
    fn visit(&mut self, core: CoreId, store: &mut Store) {
        if let Some(new) = &mut self.new {
            self.process.append_only.turn_to(new, core, store);
        }
        store.begin_snapshot(order_of(&self.settings, self.number, self.save(), core));
    }

    fn cut(&mut self, cut: &Cut) {
        self.is_cut = true;
        self.process.persistence.note_cut(self.number, cut);
        self.save().cut(&preamble_of(&self.settings, cut, "1"));
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(save) = self.save.as_ref().filter(|_| !self.is_cut) {
            save.progress().abandon();
        }
    }
}
