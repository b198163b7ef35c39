//! Snapshots on demand: SAVE, BGSAVE, LASTSAVE, and the last one of SHUTDOWN.
//!
//! BGSAVE makes its cut by a parking tour; the rest happens beside the commands
//! (`crate::snapshot`). SAVE must be over when it answers, with nothing in between: its tour takes
//! the slots of all cores along, does the work where it has seen the last one, and brings them
//! home.

use std::sync::Arc;

use crate::call::SessionCall;
use crate::core::baggage::Baggage;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, CoreId, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::host::{Cut, SaveKind, ShutdownOptions, SnapshotTarget};
use crate::reply::Reply;
use crate::scripting::functions::Libraries;
use crate::snapshot::Part;
use crate::store::holding::Holding;

/// What Redis answers where only the log knows more.
const FAILED: CommandError = CommandError::Fixed("ERR");

const CANNOT_SHUT_DOWN: CommandError =
    CommandError::Fixed("ERR Errors trying to SHUTDOWN. Check logs.");

const NOTHING_TO_CANCEL: CommandError =
    CommandError::Fixed("ERR Background saving is currently not in progress or scheduled");

const SCHEDULED: &str = "Background saving scheduled";

/// LASTSAVE.
pub fn lastsave(call: &mut SessionCall<'_>) -> Outcome {
    let seconds = call.core.host.persistence().last_save_unix_seconds;
    call.reply.integer(seconds);
    Ok(())
}

/// BGSAVE.
pub fn bgsave(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    match arguments.len() {
        1 => {}
        2 if arguments.is(1, "schedule") => {
            if call.core.host.schedule_save() {
                call.reply.simple(SCHEDULED);
                return Ok(());
            }
        }
        2 if arguments.is(1, "cancel") => {
            return cancel(call);
        }
        _ => return Err(error::SYNTAX),
    }
    let target = call.core.host.begin_save(SaveKind::Background)?;
    call.tour(TourKind::Parking, BeginSnapshot { target, cut: Cut::default() });
    Ok(())
}

/// BGSAVE CANCEL.
fn cancel(call: &mut SessionCall<'_>) -> Outcome {
    match () {
        () if call.core.host.cancel_save() => call.reply.simple("Background saving cancelled"),
        () if call.core.host.unschedule_save() => {
            call.reply.simple("Scheduled background saving cancelled");
        }
        () => return Err(NOTHING_TO_CANCEL),
    }
    Ok(())
}

/// SAVE.
pub fn save(call: &mut SessionCall<'_>) -> Outcome {
    refuse_second(call.core)?;
    let work = |core: &mut Core, cut: &mut Cut| {
        core.host.count_save();
        save_now(core, cut).map(|()| None)
    };
    call.tour(TourKind::Parking, AllSlots::new(work, answer));
    Ok(())
}

pub(super) fn refuse_second(core: &Core) -> Outcome {
    if core.host.persistence().is_saving { Err(error::SAVE_IN_PROGRESS) } else { Ok(()) }
}

/// SHUTDOWN.
pub fn shutdown(call: &mut SessionCall<'_>) -> Outcome {
    let arguments = call.arguments;
    let mut options = ShutdownOptions::default();
    let mut abort = false;
    for index in 1..arguments.len() {
        match () {
            () if arguments.is(index, "nosave") && options.save != Some(true) => {
                options.save = Some(false);
            }
            () if arguments.is(index, "save") && options.save != Some(false) => {
                options.save = Some(true);
            }
            () if arguments.is(index, "now") => options.now = true,
            () if arguments.is(index, "force") => options.force = true,
            () if arguments.is(index, "abort") => abort = true,
            () => return Err(error::SYNTAX),
        }
    }
    if abort {
        if arguments.len() > 2 {
            return Err(error::SYNTAX);
        }
        if !call.core.host.abort_shutdown() {
            return Err(CommandError::Fixed("ERR No shutdown in progress."));
        }
        call.reply.ok();
        return Ok(());
    }
    check_files(call.core, options)?;
    match () {
        () if saves_at_end(call.core, options) => {
            call.tour(TourKind::Parking, last_save(options));
        }
        () if is_end_a_moment(call.core, options) => {
            call.tour(TourKind::Parking, End::new(options))
        }
        () => call.core.host.shutdown(options)?,
    }
    Ok(())
}

/// Whether the process has to end at one moment for all cores: what one of them has told may follow
/// something that another was still to do, and would be cut off at the next start, though it was
/// answered. Not where that moment may be long in coming.
fn is_end_a_moment(core: &Core, options: ShutdownOptions) -> bool {
    let is_loading = core.host.persistence().is_loading;
    let is_stuck = core.shared().watch.is_busy();
    core.store.journal().has_others() && !options.now && !is_loading && !is_stuck
}

/// Ends the process where nothing is under way. No core goes on afterwards.
struct End {
    options: ShutdownOptions,
    outcome: Option<Outcome>,
}

impl End {
    fn new(options: ShutdownOptions) -> Self {
        Self { options, outcome: None }
    }
}

impl TourTask for End {
    fn visit(&mut self, core: &mut Core) {
        core.store.settle_journal();
        if core.id().0 + 1 == core.core_count() {
            self.outcome = Some(core.host.shutdown(self.options));
        }
    }

    fn ends_process(&self) -> bool {
        matches!(self.outcome, Some(Ok(())))
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        if let Some(Err(error)) = self.outcome {
            core.stats.count_error(&error);
            reply.error(&error);
        }
    }
}

/// Whether the files may be left as they are.
///
/// # Errors
/// While the append-only file that was turned on has no base yet: the next start would find nothing
/// in it, and look nowhere else. A script that does not end keeps the base from being written, so
/// that waiting for it would be in vain: then NOSAVE is enough to leave without it.
fn check_files(core: &mut Core, options: ShutdownOptions) -> Outcome {
    if !core.host.persistence().append_only.is_first_rewrite {
        return Ok(());
    }
    let waits_in_vain = core.shared().watch.is_busy() && options.save == Some(false);
    if options.force || waits_in_vain {
        core.host.log_warning("Writing initial AOF. Exit anyway.");
        return Ok(());
    }
    core.host.log_warning("Writing initial AOF, can't exit.");
    core.host.note_shutdown_over();
    Err(CANNOT_SHUT_DOWN)
}

/// Whether there is a snapshot to be made before the process ends.
fn saves_at_end(core: &Core, options: ShutdownOptions) -> bool {
    let facts = core.host.persistence();
    // What is in memory is not the data while that is being loaded.
    !facts.is_loading && options.save.unwrap_or(facts.has_save_points)
}

fn last_save(options: ShutdownOptions) -> impl TourTask {
    AllSlots::new(
        |core: &mut Core, cut: &mut Cut| {
            core.host.cancel_save();
            core.host.log_notice("Saving the final RDB snapshot before exiting.");
            save_now(core, cut).map(|()| None)
        },
        move |core: &mut Core, outcome: Outcome, reply: &mut Reply<'_>| {
            let outcome = match outcome {
                Err(_) if !options.force => {
                    core.host.log_warning("Error trying to save the DB, can't exit.");
                    core.host.note_shutdown_over();
                    Err(CANNOT_SHUT_DOWN)
                }
                _ => core.end_process(options),
            };
            if let Err(error) = outcome {
                core.stats.count_error(&error);
                reply.error(&error);
            }
        },
    )
}

impl Core {
    /// Ends the process as a signal asks for: with a snapshot, if one is to be made.
    pub fn begin_shutdown(&mut self, options: ShutdownOptions) {
        if check_files(self, options).is_err() {
            return;
        }
        if saves_at_end(self, options) {
            self.begin_tour_unasked(TourKind::Parking, Box::new(last_save(options)));
        } else if let Err(error) = self.end_process(options) {
            self.host.log_warning(&format!("The shutdown failed: {error}"));
        }
    }

    /// Ends the process, soon or at once.
    fn end_process(&mut self, options: ShutdownOptions) -> Outcome {
        if !is_end_a_moment(self, options) {
            return self.host.shutdown(options);
        }
        self.begin_tour_unasked(TourKind::Parking, Box::new(End::new(options)));
        Ok(())
    }

    /// Begins a snapshot that nobody has asked for by a command.
    pub fn begin_background_save(&mut self) {
        // Where it cannot, the host has told the log.
        if let Ok(target) = self.host.begin_save(SaveKind::Background) {
            let task = BeginSnapshot { target, cut: Cut::default() };
            self.begin_tour_unasked(TourKind::Parking, Box::new(task));
        }
    }
}

/// The cut of a snapshot that all cores write beside what else they do.
struct BeginSnapshot {
    target: Box<dyn SnapshotTarget>,
    cut: Cut,
}

impl TourTask for BeginSnapshot {
    fn visit(&mut self, core: &mut Core) {
        self.cut.add(core);
        core.store.begin_snapshot(self.target.order(core.id()));
    }

    fn answer_in_transaction(&self) -> Option<&'static str> {
        Some(SCHEDULED)
    }

    fn finish(mut self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        self.target.cut(&self.cut);
        reply.simple("Background saving started");
    }
}

pub(super) fn answer(core: &mut Core, outcome: Outcome, reply: &mut Reply<'_>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => {
            core.stats.count_error(&error);
            reply.error(&error);
        }
    }
}

/// Writes a snapshot at a core that has all slots.
pub(super) fn save_now(core: &mut Core, cut: &mut Cut) -> Outcome {
    let mut target = core.host.begin_save(SaveKind::Foreground)?;
    target.cut(cut);
    core.store.begin_snapshot(target.order(CoreId(0)));
    core.store.write_snapshot();
    if target.wait() { Ok(()) } else { Err(FAILED) }
}

/// Replaces the file by one without keys, while all cores are empty and parked. What fails is in
/// the log.
pub(super) fn save_nothing(core: &mut Core, changes: i64) {
    if let Ok(mut target) = core.host.begin_save(SaveKind::Foreground) {
        target.cut(&Cut { changes, functions: core.function_texts(), ..Cut::default() });
        target.order(CoreId(0)).sink.send(Part { is_last: true, ..Part::default() });
        target.wait();
    }
}

/// What became of work with all slots: libraries of functions, if all cores are to have others.
pub(super) type AllSlotsOutcome = Result<Option<Arc<Libraries>>, CommandError>;

/// Work at one core with the slots of all of them, while nothing else runs.
pub(super) struct AllSlots<Work, Answer> {
    work: Work,
    answer: Answer,
    cut: Cut,
    baggage: Baggage,
    outcome: Option<AllSlotsOutcome>,
}

impl<Work, Answer> AllSlots<Work, Answer>
where
    Work: FnMut(&mut Core, &mut Cut) -> AllSlotsOutcome + Send,
    Answer: FnOnce(&mut Core, Outcome, &mut Reply<'_>) + Send,
{
    pub(super) fn new(work: Work, answer: Answer) -> Self {
        Self { work, answer, cut: Cut::default(), baggage: Baggage::default(), outcome: None }
    }
}

impl<Work, Answer> TourTask for AllSlots<Work, Answer>
where
    Work: FnMut(&mut Core, &mut Cut) -> AllSlotsOutcome + Send,
    Answer: FnOnce(&mut Core, Outcome, &mut Reply<'_>) + Send,
{
    fn visit(&mut self, core: &mut Core) {
        if self.outcome.is_some() {
            return;
        }
        self.cut.add(core);
        if self.baggage.collect(core) {
            let Self { work, cut, baggage, .. } = self;
            self.outcome = Some(baggage.unpacked(core, true, |core| work(core, cut)));
        }
    }

    fn take_holdings(&mut self) -> Vec<(CoreId, Box<Holding>)> {
        self.baggage.take()
    }

    fn take_libraries(&mut self) -> Option<Arc<Libraries>> {
        self.outcome.as_mut()?.as_mut().ok()?.take()
    }

    fn finish(self: Box<Self>, core: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        let outcome = self.outcome.expect("one core has seen the last slot");
        (self.answer)(core, outcome.map(drop), reply);
    }
}
