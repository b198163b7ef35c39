//! Scripts that take long: what other cores know about them, and how they are told to end.
//!
//! Each core has a place on a board all cores share. A script leaves a mark there when it has run
//! for longer than `busy-reply-threshold` (it looks at the time every so many instructions); from
//! then on every core refuses all commands but those that may run beside a busy script, and one of
//! these may ask it to end. A script that has written is not ended: half of what it does would
//! stay.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// A busy script has been started by `EVAL`.
const IS_EVAL: u8 = 1;
/// It has written.
const HAS_WRITTEN: u8 = 2;
/// It is to end.
const IS_KILLED: u8 = 4;
/// There is one.
const IS_BUSY: u8 = 8;

/// What `FUNCTION STATS` tells about a script.
#[derive(Clone, Debug)]
pub struct Running {
    /// The digest, or the name of the function.
    pub name: String,
    /// The command that started it.
    pub command: Vec<Vec<u8>>,
    /// When it started, in the time of `Host::elapsed_ns`.
    pub started_ns: u64,
    /// Whether it is a script; otherwise it is a function.
    pub is_eval: bool,
}

/// What became of a wish to end a busy script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// It will end.
    Granted,
    /// No script is busy.
    NoneBusy,
    /// The busy one has written.
    HasWritten,
    /// The busy one is a script, not a function, or the other way round.
    OtherKind,
}

/// The board.
#[derive(Default)]
pub struct Watch {
    busy: AtomicU32,
    places: Box<[Place]>,
}

#[derive(Default)]
struct Place {
    state: AtomicU8,
    running: Mutex<Option<Running>>,
}

impl Watch {
    /// A board for so many cores.
    pub fn new(core_count: u16) -> Self {
        let places = (0..core_count).map(|_| Place::default()).collect();
        Self { busy: AtomicU32::new(0), places }
    }

    /// Whether any script has passed its time.
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.busy.load(std::sync::atomic::Ordering::Relaxed) != 0
    }

    /// The script of `core` has passed its time.
    pub fn enter(&self, core: usize, running: Running, has_written: bool) {
        let place = &self.places[core];
        let mut state = IS_BUSY;
        state |= if running.is_eval { IS_EVAL } else { 0 };
        state |= if has_written { HAS_WRITTEN } else { 0 };
        *place.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        place.state.store(state, SeqCst);
        self.busy.fetch_add(1, SeqCst);
    }

    /// The script of `core`, which is busy, is about to write; false if it is to end instead.
    pub fn may_write(&self, core: usize) -> bool {
        let state = &self.places[core].state;
        state.fetch_or(HAS_WRITTEN, SeqCst) & IS_KILLED == 0
    }

    /// Whether the script of `core` is to end.
    pub fn is_killed(&self, core: usize) -> bool {
        self.places[core].state.load(SeqCst) & IS_KILLED != 0
    }

    /// The busy script of `core` is over.
    pub fn leave(&self, core: usize) {
        let place = &self.places[core];
        self.busy.fetch_sub(1, SeqCst);
        place.state.store(0, SeqCst);
        *place.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// `SCRIPT KILL` (`is_eval`) and `FUNCTION KILL`.
    pub fn kill(&self, is_eval: bool) -> Kill {
        let mut answer = Kill::NoneBusy;
        for place in &self.places {
            let state = place.state.load(SeqCst);
            if state & IS_BUSY == 0 {
                continue;
            }
            if state & HAS_WRITTEN != 0 {
                answer = Kill::HasWritten;
            } else if (state & IS_EVAL != 0) != is_eval {
                answer = Kill::OtherKind;
            } else {
                // Between the look and the wish it may have begun to write.
                let exchange =
                    place.state.compare_exchange(state, state | IS_KILLED, SeqCst, SeqCst);
                match exchange {
                    Ok(_) => return Kill::Granted,
                    Err(_) => answer = Kill::HasWritten,
                }
            }
        }
        answer
    }

    /// Whether the busy script, the first if there are several, is a script, not a function.
    pub fn busy_kind(&self) -> Option<bool> {
        let states = self.places.iter().map(|place| place.state.load(SeqCst));
        states.into_iter().find(|state| state & IS_BUSY != 0).map(|state| state & IS_EVAL != 0)
    }

    /// What runs and is busy, the first if there are several.
    pub fn running(&self) -> Option<Running> {
        self.places
            .iter()
            .find_map(|place| place.running.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
