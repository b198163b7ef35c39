//! One run of a script: who asked, what it may do, and what it has done so far.

use super::libraries::cjson;
use super::lua::Lua;
use super::watch::Running;
use crate::arguments::{ArgRange, Arguments};
use crate::core::Core;
use crate::core::message::Caller;
use crate::hash::HashSlot;
use crate::host::LogLevel;
use crate::reply::{Output, Protocol};

/// Slots a script that only reads may ask for one after the other before it is given all.
pub(crate) const EXTRA_SLOTS_MAX: usize = 8;

/// Why a script has to stop and run again.
#[derive(Debug)]
pub(crate) enum Need {
    /// It reads keys of these slots, which are elsewhere.
    Slots(Vec<HashSlot>),
    /// Only with all slots at hand is it sure to come to an end.
    Everything,
}

/// What a script may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All slots are here.
    Everything,
    /// Its declared keys are here, and it can be seen that it touches no others.
    Declared,
    /// Its declared keys are here; what else it touches will be seen. It must not write before
    /// all slots are here.
    Unknown,
}

/// Memory a run uses again.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ranges: Vec<ArgRange>,
    pub(crate) output: Output,
}

/// A run.
pub struct Run<'a> {
    pub(crate) core: &'a mut Core,
    /// The client, with the database the script has selected.
    pub(crate) caller: Caller,
    /// The protocol replies of commands come in.
    pub(crate) protocol: Protocol,
    /// The digest or the name of the function.
    pub(crate) name: String,
    /// The command that started it.
    pub(crate) command: Arguments<'a>,
    pub(crate) is_eval: bool,
    pub(crate) is_read_only: bool,
    pub(crate) allows_oom: bool,
    /// Memory was short when it began.
    pub(crate) is_short_of_memory: bool,
    pub(crate) reach: Reach,
    /// It has written, or was about to.
    pub(crate) has_written: bool,
    /// Why it stops, if it does.
    pub(crate) need: Option<Need>,
    pub(crate) is_killed: bool,
    pub(crate) is_busy: bool,
    pub(crate) started_ns: u64,
    /// The state of `math.random`.
    pub(crate) random: u64,
    pub(crate) json: cjson::Configuration,
    pub(crate) buffers: Buffers,
    /// Functions it has registered, if it is the code of a library.
    pub(crate) registry: Option<super::functions::Registry>,
}

impl<'a> Run<'a> {
    /// A run at `core` for `caller`, which may do everything.
    pub(crate) fn new(core: &'a mut Core, caller: Caller, command: Arguments<'a>) -> Self {
        let started_ns = core.host.elapsed_ns();
        let random = core.scripting.random;
        let buffers = std::mem::take(&mut core.scripting.buffers);
        Self {
            core,
            caller,
            protocol: Protocol::Resp2,
            name: String::new(),
            command,
            is_eval: true,
            is_read_only: false,
            allows_oom: false,
            is_short_of_memory: false,
            reach: Reach::Everything,
            has_written: false,
            need: None,
            is_killed: false,
            is_busy: false,
            started_ns,
            random,
            json: cjson::Configuration::default(),
            buffers,
            registry: None,
        }
    }

    /// Gives back what the core keeps from run to run.
    pub(crate) fn end(mut self) {
        self.core.scripting.random = self.random;
        self.buffers.output.clear();
        self.core.scripting.buffers = std::mem::take(&mut self.buffers);
        if self.is_busy {
            let place = self.core.id().index();
            self.core.shared().watch.leave(place);
        }
    }

    /// The next number of `math.random`, of 31 bits: the generator of POSIX' `lrand48`.
    pub(crate) fn next_random(&mut self) -> u32 {
        self.random = self.random.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & 0xFFFF_FFFF_FFFF;
        (self.random >> 17) as u32
    }

    /// `math.randomseed`.
    pub(crate) fn seed_random(&mut self, seed: u32) {
        self.random = u64::from(seed) << 16 | 0x330E;
    }

    /// Whether the run is to end: it was killed, or has to start anew with more at hand.
    pub(crate) fn must_end(&self) -> bool {
        self.is_killed || self.need.is_some()
    }

    /// Looks at how long the run has taken.
    fn look_after(&mut self) {
        let place = self.core.id().index();
        if self.registry.is_some() {
            let elapsed_ns = self.core.host.elapsed_ns().saturating_sub(self.started_ns);
            self.is_killed = elapsed_ns > super::functions::LOAD_MS_MAX * 1_000_000;
            return;
        }
        if self.ends_with_process() {
            self.is_killed = true;
            return;
        }
        if !self.is_busy {
            let threshold_ms = self.core.store.settings().busy_reply_threshold_ms;
            let elapsed_ms =
                self.core.host.elapsed_ns().saturating_sub(self.started_ns) / 1_000_000;
            if threshold_ms == 0 || elapsed_ms < threshold_ms {
                return;
            }
            self.note_busy(elapsed_ms);
        }
        self.is_killed |= self.core.serve_while_busy();
        self.is_killed |= self.core.shared().watch.is_killed(place);
    }

    /// Whether the process is to end, and does not wait for the run.
    fn ends_with_process(&self) -> bool {
        let host = &self.core.host;
        if self.core.store.is_loading() {
            // What was loaded so far is of no use without the rest.
            return host.is_ending() || host.is_asked_to_end();
        }
        // One that has written is not stopped half way: the end waits for it.
        !self.has_written && host.is_ending()
    }

    fn note_busy(&mut self, elapsed_ms: u64) {
        self.is_busy = true;
        self.core.has_been_busy = true;
        let how = if self.is_eval { "SCRIPT KILL" } else { "FUNCTION KILL" };
        self.core.host.log(
            LogLevel::Warning,
            &format!(
                "Slow script detected: still in execution after {elapsed_ms} milliseconds. You \
                 can try killing the script using the {how} command. Script name is: {}.",
                self.name
            ),
        );
        let running = Running {
            name: self.name.clone(),
            command: self.command.from(0).map(<[u8]>::to_vec).collect(),
            started_ns: self.started_ns,
            is_eval: self.is_eval,
        };
        let place = self.core.id().index();
        self.core.shared().watch.enter(place, running, self.has_written);
    }
}

/// Called by the machine every so many instructions: whether the script is to end. Then the error
/// is on the stack.
pub(super) fn look_after(lua: Lua) -> bool {
    let ends = lua.with_run(|run| {
        run.look_after();
        (run.must_end(), run.is_killed, run.registry.is_some())
    });
    let Some((true, is_killed, is_loading)) = ends else { return false };
    lua.set_aborting(true);
    lua.has_room(4);
    if is_killed {
        let killed = "Script killed by user with SCRIPT KILL...";
        super::api::push_error(lua, if is_loading { "FUNCTION LOAD timeout" } else { killed });
    } else {
        lua.push_nil();
    }
    true
}
