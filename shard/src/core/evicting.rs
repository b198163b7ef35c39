//! How a core keeps memory within `maxmemory`. See [`crate::eviction`] for how keys are chosen.
//!
//! Room is made before a command runs: at the core of its connection, where the command may be
//! refused, and at the core it was sent to, since memory may have filled while it was under way.

use super::message::Message;
use super::{Core, CoreId};
use crate::command::{CommandFlags, flag};
use crate::error::{self, CommandError};
use crate::eviction::{Candidate, Room, Victim};
use crate::latency::event;

/// Between two looks at the level of this core.
const TICK_MS: u64 = 100;

/// Keys evicted between two looks at the clock.
const KEYS_PER_CLOCK: usize = 16;

/// On whose behalf room is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A command is about to run, and memory must not grow without bounds.
    Command,
    /// Nobody waits: what another core should do may be left to it.
    Leisure,
}

impl Cause {
    /// Keys one call may evict though another core is colder, when memory is over the limit by
    /// more than the slack.
    fn keys_out_of_order(self) -> usize {
        match self {
            Self::Command => KEYS_PER_CLOCK,
            Self::Leisure => 0,
        }
    }
}

impl Core {
    /// Makes room before a command runs, if there is a limit.
    ///
    /// # Errors
    /// `OOM` if there is none to be had and the command may need some.
    #[inline]
    pub(super) fn check_memory(&mut self, flags: CommandFlags) -> Result<(), CommandError> {
        if self.eviction.limit_bytes == 0 {
            return Ok(());
        }
        match self.make_room(Cause::Command) {
            Room::Full if flags.contains(flag::DENYOOM) => Err(error::OUT_OF_MEMORY),
            _ => Ok(()),
        }
    }

    /// Whether commands may run without making room first.
    #[inline]
    pub(super) fn is_within_memory(&self) -> bool {
        self.eviction.limit_bytes == 0 || (self.over_bytes() <= 0 && !self.eviction.is_overrun())
    }

    /// Whether there is eviction to be done between turns.
    pub fn has_eviction_work(&self) -> bool {
        self.eviction.is_pending
    }

    /// How long memory has been over the limit: in all and this time, in milliseconds.
    pub fn eviction_overrun_ms(&self) -> (u64, u64) {
        self.eviction.overrun_ms(self.host.elapsed_ns())
    }

    /// `CONFIG RESETSTAT`.
    pub fn reset_eviction_stats(&mut self) {
        self.eviction.reset_stats(self.host.elapsed_ns());
    }

    /// Goes on with what commands have left, and keeps other cores informed.
    pub(super) fn evict_between_turns(&mut self) {
        self.eviction.begin_turn();
        if self.eviction.limit_bytes == 0 || !self.eviction.has_plan() {
            self.eviction.is_pending = false;
            if self.eviction.is_overrun() {
                self.make_room(Cause::Leisure);
            }
            return;
        }
        if self.eviction.is_pending {
            self.make_room(Cause::Leisure);
        }
        let now_ms = self.store.now().monotonic_ms();
        if now_ms < self.eviction.tick_due_ms {
            return;
        }
        self.eviction.tick_due_ms = now_ms + TICK_MS;
        self.eviction.age();
        if self.make_room(Cause::Leisure) == Room::Enough
            && self.gate.is_open()
            && self.eviction.is_near(self.over_bytes())
        {
            self.eviction.look(&mut self.store);
            self.post_level();
        }
    }

    /// Another core has nothing as cold as this one.
    pub(super) fn evict_on_request(&mut self) {
        self.shared.board.answer(self.id);
        if self.eviction.limit_bytes != 0 {
            self.make_room(Cause::Leisure);
        }
    }

    /// Lets other cores know if this one has something to evict again.
    #[inline]
    pub(super) fn note_new_candidates(&mut self) {
        if self.eviction.is_barren() && self.eviction.revive(&self.store) {
            self.post_level();
        }
    }

    /// Evicts until memory is within the limit, as far as that goes now.
    #[inline]
    fn make_room(&mut self, cause: Cause) -> Room {
        if self.over_bytes() <= 0 && !self.eviction.is_overrun() {
            return Room::Enough;
        }
        let room = self.make_room_slowly(cause);
        // Word of keys that are gone goes ahead of the reply of the command they made room for.
        self.spread_pending(None);
        room
    }

    #[cold]
    fn make_room_slowly(&mut self, cause: Cause) -> Room {
        let begun_ns = self.host.elapsed_ns();
        let is_limited = self.eviction.limit_bytes != 0 && !self.store.is_paused;
        let room = if !is_limited || self.over_bytes() <= 0 {
            // Memory may have been over a limit that is gone by now.
            Room::Enough
        } else if !self.eviction.has_plan() {
            Room::Full
        } else if !self.gate.is_open() {
            // A parked core touches no key; what is to run here waits, too.
            Room::Pending
        } else {
            self.evict(cause, begun_ns)
        };
        if room == Room::Enough {
            self.eviction.is_pending = false;
        }
        let now_ns = self.host.elapsed_ns();
        self.eviction.spend(now_ns.saturating_sub(begun_ns));
        self.eviction.note_room(room, now_ns);
        self.note_latency(event::EVICTION_CYCLE, now_ns.saturating_sub(begun_ns));
        room
    }

    fn evict(&mut self, cause: Cause, begun_ns: u64) -> Room {
        let allowance_ns = self.eviction.allowance_ns();
        let mut evicted = 0;
        let room = loop {
            let over_bytes = self.over_bytes();
            if over_bytes <= 0 {
                break Room::Enough;
            }
            if evicted > 0 && evicted % KEYS_PER_CLOCK == 0 {
                let spent_ns = self.host.elapsed_ns().saturating_sub(begun_ns);
                if spent_ns >= allowance_ns {
                    self.eviction.is_pending = true;
                    break Room::Pending;
                }
            }
            match self.eviction.next_victim(&mut self.store) {
                Victim::Found(candidate) => {
                    let may_wait = over_bytes <= self.eviction.slack_bytes()
                        || evicted >= cause.keys_out_of_order();
                    if self.leaves_to_other(&candidate) && may_wait {
                        self.eviction.spare(candidate);
                        break Room::Pending;
                    }
                    self.store.evict(candidate.key());
                    self.eviction.note_evicted();
                    evicted += 1;
                }
                Victim::NotNow => break Room::Pending,
                Victim::None => break self.look_elsewhere(),
            }
        };
        self.post_level();
        // A key somebody watched over may be among those that are gone.
        self.serve_ready_keys();
        room
    }

    /// Asks another core to evict if it is colder than `candidate`; whether there is such a core.
    fn leaves_to_other(&mut self, candidate: &Candidate) -> bool {
        let Some((core, level)) = self.shared.board.coldest_other(self.id) else { return false };
        let is_colder = self.eviction.is_colder(level, candidate, self.store.now_ms());
        if is_colder {
            self.ask_to_evict(core);
        }
        is_colder
    }

    /// Nothing can be evicted here: asks the core that has most to give, if any has.
    fn look_elsewhere(&mut self) -> Room {
        // What lent slots hold will be known when they are home.
        let is_lending = !self.lent.is_empty();
        match self.shared.board.coldest_other(self.id) {
            Some((core, _)) => {
                self.ask_to_evict(core);
                Room::Pending
            }
            None if is_lending => Room::Pending,
            None => Room::Full,
        }
    }

    fn ask_to_evict(&mut self, core: CoreId) {
        if self.shared.board.ask(core) {
            self.send(core, Message::Evict);
        }
    }

    fn post_level(&mut self) {
        self.shared.board.post(self.id, self.eviction.level());
    }

    /// By how much memory is over the limit, in bytes. What waits to be freed counts as free, and
    /// so does what clients hold that are about to be ended: whoever evicted keys for them would
    /// have taken room twice.
    #[inline]
    fn over_bytes(&self) -> i64 {
        let used = self.host.used_bytes() as i64 - self.store.garbage_bytes() as i64;
        let over_bytes = used - self.eviction.limit_bytes as i64;
        if over_bytes <= 0 {
            return over_bytes;
        }
        over_bytes - self.leaving_client_bytes() as i64
    }
}
