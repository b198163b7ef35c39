//! From the cores to the thread that writes: one queue per core, with room for so much.
//!
//! The writer takes parts in the order of each core, from the core that has most queued, and never
//! lets go of a core in the midst of a record. So a core whose walk always has more ready does not
//! keep the changes of another one waiting. Two limits bound what is queued: above [`ROOM_BYTES`] a
//! core's walk pauses, above [`WAIT_BYTES`] a change that has to be preceded by its old value waits
//! for the disk.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use basalt_shard::hash::HashSlot;
use basalt_shard::snapshot::{Part, SnapshotSink};

/// Bytes of one core that may be queued before its walk pauses.
const ROOM_BYTES: usize = 2 << 20;

/// Bytes of one core that may be queued before the core itself has to wait.
const WAIT_BYTES: usize = 32 << 20;

/// The queues of all cores.
pub(crate) struct Queues {
    state: Mutex<State>,
    /// Something came, or nothing will.
    arrived: Condvar,
    /// Something was taken.
    drained: Condvar,
    slots_left: AtomicU32,
    abandoned: AtomicBool,
    /// Keys whose records were queued.
    pub(crate) keys: AtomicU64,
    room_callback: Box<dyn Fn() + Send + Sync>,
}

struct State {
    header: Option<Vec<u8>>,
    cores: Vec<CoreQueue>,
}

#[derive(Default)]
struct CoreQueue {
    parts: VecDeque<Part>,
    bytes: usize,
    is_over: bool,
}

/// What the writer is given.
pub(crate) enum Next {
    /// Bytes to write.
    Bytes(Vec<u8>),
    /// There are no more.
    End,
    /// They are not wanted any more.
    Abandoned,
}

impl Queues {
    /// Queues for so many cores. `room_callback` is called when a core whose walk may have paused
    /// can go on.
    pub(crate) fn new(core_count: usize, room_callback: Box<dyn Fn() + Send + Sync>) -> Self {
        let cores = (0..core_count).map(|_| CoreQueue::default()).collect();
        Self {
            state: Mutex::new(State { header: None, cores }),
            arrived: Condvar::new(),
            drained: Condvar::new(),
            slots_left: AtomicU32::new(u32::from(HashSlot::COUNT)),
            abandoned: AtomicBool::new(false),
            keys: AtomicU64::new(0),
            room_callback,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the queues")
    }

    /// Puts what comes first of all into line.
    pub(crate) fn put_header(&self, bytes: Vec<u8>) {
        self.state().header = Some(bytes);
        self.arrived.notify_one();
    }

    /// Tells everybody that the bytes are not wanted any more.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        let mut state = self.state();
        for core in &mut state.cores {
            (core.parts, core.bytes) = (VecDeque::new(), 0);
        }
        self.arrived.notify_all();
        self.drained.notify_all();
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Waits for the header.
    pub(crate) fn header(&self) -> Next {
        let mut state = self.state();
        loop {
            match state.header.take() {
                _ if self.is_abandoned() => return Next::Abandoned,
                Some(bytes) => return Next::Bytes(bytes),
                None => state = self.arrived.wait(state).expect("nobody panics with the lock"),
            }
        }
    }

    /// Waits for the next bytes, those of core `current` if that is in the midst of a record.
    /// Notes in `current` whether it is afterwards.
    pub(crate) fn next(&self, current: &mut Option<usize>) -> Next {
        let mut state = self.state();
        loop {
            if self.is_abandoned() {
                return Next::Abandoned;
            }
            let is_ready = |core: &usize| !state.cores[*core].parts.is_empty();
            let ready = match *current {
                Some(core) => Some(core).filter(is_ready),
                None => (0..state.cores.len())
                    .filter(is_ready)
                    .max_by_key(|core| state.cores[*core].bytes),
            };
            if let Some(index) = ready {
                let core = &mut state.cores[index];
                let part = core.parts.pop_front().expect("the core was chosen for it");
                let had_room = core.bytes < ROOM_BYTES;
                core.bytes -= part.bytes.len();
                core.is_over |= part.is_last;
                let gives_room = !had_room && core.bytes < ROOM_BYTES;
                *current = part.is_open.then_some(index);
                drop(state);
                self.drained.notify_all();
                if gives_room {
                    (self.room_callback)();
                }
                return Next::Bytes(part.bytes);
            }
            if state.cores.iter().all(|core| core.is_over) {
                return Next::End;
            }
            state = self.arrived.wait(state).expect("nobody panics with the lock");
        }
    }
}

/// The way of one core into the queues.
pub(crate) struct QueueSink {
    pub(crate) queues: std::sync::Arc<Queues>,
    pub(crate) core: usize,
}

impl SnapshotSink for QueueSink {
    fn has_room(&self) -> bool {
        self.queues.state().cores[self.core].bytes < ROOM_BYTES
    }

    fn send(&mut self, part: Part) {
        let queues = &*self.queues;
        queues.keys.fetch_add(part.keys, Ordering::Relaxed);
        let mut state = queues.state();
        while state.cores[self.core].bytes >= WAIT_BYTES && !queues.is_abandoned() {
            state = queues.drained.wait(state).expect("nobody panics with the lock");
        }
        if queues.is_abandoned() {
            return;
        }
        let core = &mut state.cores[self.core];
        core.bytes += part.bytes.len();
        core.parts.push_back(part);
        drop(state);
        queues.arrived.notify_one();
    }

    fn slot_done(&mut self) {
        let before = self.queues.slots_left.fetch_sub(1, Ordering::AcqRel);
        assert!(before > 0, "a slot is finished once");
        if before == 1 {
            (self.queues.room_callback)();
        }
    }

    fn all_slots_done(&self) -> bool {
        self.queues.slots_left.load(Ordering::Acquire) == 0
    }

    fn is_abandoned(&self) -> bool {
        self.queues.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn part(core: u8, bytes: usize, is_open: bool) -> Part {
        Part { bytes: vec![core; bytes], is_open, is_last: false, keys: 0 }
    }

    /// Of which core the next part is, and its length.
    fn take(queues: &Queues, current: &mut Option<usize>) -> (u8, usize) {
        match queues.next(current) {
            Next::Bytes(bytes) => (bytes[0], bytes.len()),
            Next::End | Next::Abandoned => panic!("there is more"),
        }
    }

    #[test]
    fn the_core_with_most_is_served_first_but_no_record_is_torn() {
        let queues = Arc::new(Queues::new(2, Box::new(|| {})));
        let mut sinks = [0, 1].map(|core| QueueSink { queues: Arc::clone(&queues), core });
        for (core, bytes, is_open) in
            [(0, 10, false), (0, 10, true), (0, 1, false), (1, 15, false), (1, 8, false)]
        {
            sinks[core].send(part(core as u8, bytes, is_open));
        }
        let mut current = None;
        // 21 bytes against 23; 21 against 8; the rest of a record; 0 against 8.
        for expected in [(1, 15), (0, 10), (0, 10), (0, 1), (1, 8)] {
            assert_eq!(take(&queues, &mut current), expected);
        }
        assert_eq!(current, None);
    }
}
