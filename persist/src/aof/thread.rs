//! The thread that writes the segments of one core.
//!
//! ```text
//! core --orders, batches--> thread --SegmentWriter--> file
//!   ^---- spare memory ---------/
//! ```
//!
//! A core hands batches over and goes on; how much may be under way is bounded in batches and in
//! bytes. What is safe is told by [`super::segment::Durable`].

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::commit::Generation;
use super::group::Group;
use super::segment::SyncPolicy;
use super::writer::SegmentWriter;
use crate::disk::DiskFile;

/// Orders that may wait for the thread.
const QUEUE_MAX: usize = 4096;

/// Bytes that may wait for the thread, or batches. A core that finds no room keeps its records for
/// a later turn, up to [`BACKLOG_BYTES_MAX`].
const QUEUED_BYTES_MAX: usize = 32 << 20;
const QUEUED_BATCHES_MAX: u64 = QUEUE_MAX as u64 / 2;

/// Records a core keeps before it waits for the thread, in bytes.
pub const BACKLOG_BYTES_MAX: usize = 32 << 20;

/// Memory of batches that is kept for later ones.
const SPARE_BYTES_MAX: usize = 8 << 20;

/// Between two writes that nobody waits for. Batches come together meanwhile: a core that hands one
/// over does not have to wake the thread, and one write takes them all. After a rest the first one
/// is written at once.
const GATHERING: Duration = Duration::from_millis(10);

/// Between two fsyncs of `everysec`, and between two attempts on a disk that fails.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Between two looks whether the generation before is on the disk.
const TURN_PAUSE: Duration = Duration::from_millis(1);

/// How long the end of the thread waits for that.
const TURN_PATIENCE: Duration = Duration::from_secs(5);

/// A flush that takes so long is a slow one: records that came meanwhile have waited for it. Redis
/// calls an fsync delayed when a write has waited as long.
const SLOW_FLUSH: Duration = Duration::from_secs(2);

/// What the thread of a segment is asked to do.
enum Order {
    Append { bytes: Vec<u8>, items: u64 },
    Begin { file: Box<dyn DiskFile>, length: u64, generation: Arc<Generation> },
    Policy(SyncPolicy),
    Delay(Duration),
    WriteOut(SyncSender<()>),
    End,
    Stop,
}

/// The way of batches to the thread, and of their memory back.
#[derive(Default)]
struct Way {
    batches: AtomicU64,
    bytes: AtomicUsize,
    spares: Mutex<Spares>,
    /// Slow flushes that records had to wait for.
    delayed_syncs: AtomicU64,
}

/// Empty batches.
#[derive(Default)]
struct Spares {
    batches: Vec<Vec<u8>>,
    bytes: usize,
}

impl Spares {
    fn put(&mut self, mut batch: Vec<u8>) {
        if self.bytes + batch.capacity() <= SPARE_BYTES_MAX {
            batch.clear();
            self.bytes += batch.capacity();
            self.batches.push(batch);
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let batch = self.batches.pop().unwrap_or_default();
        self.bytes -= batch.capacity();
        batch
    }
}

impl Way {
    fn has_room(&self) -> bool {
        self.batches.load(SeqCst) < QUEUED_BATCHES_MAX && self.bytes.load(SeqCst) < QUEUED_BYTES_MAX
    }

    fn enter(&self, bytes: usize) {
        self.batches.fetch_add(1, SeqCst);
        self.bytes.fetch_add(bytes, SeqCst);
    }

    /// A batch has arrived, and was copied.
    fn leave(&self, batch: Vec<u8>) {
        self.batches.fetch_sub(1, SeqCst);
        self.bytes.fetch_sub(batch.len(), SeqCst);
        self.spares().put(batch);
    }

    fn spares(&self) -> MutexGuard<'_, Spares> {
        self.spares.lock().expect("nobody panics with the lock")
    }
}

/// The thread of the segments of one core, seen from the core.
pub struct SegmentThread {
    orders: SyncSender<Order>,
    way: Arc<Way>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SegmentThread {
    /// Starts it. `on_durable` is called when something has reached the disk, or failed to.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        core: usize,
        policy: SyncPolicy,
        on_durable: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let (orders, received) = sync_channel(QUEUE_MAX);
        let way = Arc::new(Way::default());
        let worker = Worker {
            writer: SegmentWriter::new(core, policy),
            on_durable,
            way: Arc::clone(&way),
            delay: Duration::ZERO,
            items: 0,
            group: Group::default(),
        };
        let work = move || worker.run(&received);
        let thread = Builder::new().name(format!("aof-{core}")).spawn(work)?;
        Ok(Self { orders, way, thread: Mutex::new(Some(thread)) })
    }

    /// From now on batches go to `file`, behind `length` bytes that are safe; it is part of
    /// `generation`. What went to the one before is brought to the disk first, by all cores. May
    /// wait.
    pub fn begin(&self, file: Box<dyn DiskFile>, length: u64, generation: Arc<Generation>) {
        self.order(Order::Begin { file, length, generation });
    }

    /// Batches are no longer written. May wait.
    pub fn end(&self) {
        self.order(Order::End);
    }

    /// Changes the policy. May wait.
    pub fn set_policy(&self, policy: SyncPolicy) {
        // Whoever ends a snapshot says so even if the process, and the thread, have ended before.
        let _ = self.orders.send(Order::Policy(policy));
    }

    /// Puts every write off by so much, for tests of what waits for it. May wait.
    pub fn set_delay(&self, delay: Duration) {
        self.order(Order::Delay(delay));
    }

    /// Whether a batch can be handed over without waiting, but for rare orders.
    pub fn has_room(&self) -> bool {
        self.way.has_room()
    }

    /// Bytes that were handed over and that the thread has not taken.
    pub fn queued_bytes(&self) -> u64 {
        self.way.bytes.load(SeqCst) as u64
    }

    /// How many times records had to wait for a flush of two seconds or more, with replies that do
    /// not wait for the disk.
    pub fn delayed_syncs(&self) -> u64 {
        self.way.delayed_syncs.load(SeqCst)
    }

    /// Counts those anew.
    pub fn reset_stats(&self) {
        self.way.delayed_syncs.store(0, SeqCst);
    }

    /// Empty memory for the next batch, of one that was written if there is any.
    pub fn spare(&self) -> Vec<u8> {
        self.way.spares().take()
    }

    /// Hands a batch over, after which the core has told so many items. Waits if there is no room.
    pub fn append(&self, bytes: Vec<u8>, items: u64) {
        self.way.enter(bytes.len());
        self.order(Order::Append { bytes, items });
    }

    /// Waits until everything handed over before is in the file, or cannot be.
    pub fn wait_until_written(&self) {
        let (done, is_done) = sync_channel(1);
        self.order(Order::WriteOut(done));
        let _ = is_done.recv();
    }

    /// Brings everything to the disk and ends the thread.
    pub fn stop(&self) {
        let thread = self.thread.lock().expect("nobody panics here").take();
        if let Some(thread) = thread {
            self.order(Order::Stop);
            thread.join().expect("the thread of a segment does not panic");
        }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).unwrap_or_else(|_| panic!("the thread of a segment has ended"));
    }
}

struct Worker<N> {
    writer: SegmentWriter,
    on_durable: N,
    way: Arc<Way>,
    /// How long a write is put off, so that tests can see what does not wait for it.
    delay: Duration,
    /// Items handed over in this generation.
    items: u64,
    group: Group,
}

impl<N: Fn()> Worker<N> {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut last_sync = Instant::now();
        let mut gathers_until = last_sync;
        loop {
            let early = orders.try_recv().ok();
            let came_early = early.is_some();
            let first = early.or_else(|| self.wait(orders, last_sync));
            if matches!(first, Some(Order::Append { .. })) && !self.writer.is_awaited() {
                std::thread::sleep(gathers_until.saturating_duration_since(Instant::now()));
            }
            for order in first.into_iter().chain(orders.try_iter()) {
                if !self.take(order) {
                    return;
                }
            }
            self.group.begin(came_early.then_some(self.items));
            if self.writer.is_awaited() && !self.wait_for_company(orders) {
                return;
            }
            let due = last_sync.elapsed() >= SYNC_INTERVAL;
            if due {
                last_sync = Instant::now();
            }
            let begun = Instant::now();
            if self.flush(due) {
                self.group.written(self.items, begun.elapsed());
                gathers_until = Instant::now() + GATHERING;
            }
        }
    }

    /// Waits for something to do, until the next fsync is due.
    fn wait(&self, orders: &Receiver<Order>, last_sync: Instant) -> Option<Order> {
        let until_sync = SYNC_INTERVAL.saturating_sub(last_sync.elapsed());
        let wait = if self.writer.may_write() { until_sync } else { until_sync.min(TURN_PAUSE) };
        match orders.recv_timeout(wait) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Order::Stop),
        }
    }

    /// Takes what still comes of the group; whether to go on.
    fn wait_for_company(&mut self, orders: &Receiver<Order>) -> bool {
        let until = Instant::now() + self.group.patience();
        while self.group.lacks(self.items) {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(order) = orders.recv_timeout(left) else { break };
            if !self.take(order) {
                return false;
            }
        }
        true
    }

    /// Waits until it is the turn of this core's oldest segment, as long as that makes sense: other
    /// threads are about to finish what comes before, unless their disk fails.
    fn wait_for_turn(&self) {
        let begun = Instant::now();
        while !self.writer.may_write() && begun.elapsed() < TURN_PATIENCE {
            std::thread::sleep(TURN_PAUSE);
        }
    }

    /// Writes what there is, and brings it to the disk if that is `due`; whether it tried anything.
    fn flush(&mut self, due: bool) -> bool {
        let begun = Instant::now();
        if !self.delay.is_zero() && self.writer.may_write_on(due) {
            self.writer.announce_flush(due);
            std::thread::sleep(self.delay);
        }
        let was_tried = self.writer.flush(due);
        if was_tried {
            (self.on_durable)();
        }
        let have_waited = self.way.batches.load(SeqCst) > 0 && !self.writer.is_awaited();
        if have_waited && begun.elapsed() >= SLOW_FLUSH {
            self.way.delayed_syncs.fetch_add(1, SeqCst);
        }
        was_tried
    }

    /// Does what is asked; whether to go on.
    fn take(&mut self, order: Order) -> bool {
        match order {
            Order::Append { bytes, items } => {
                self.writer.append(&bytes, items);
                self.way.leave(bytes);
                self.items = items;
            }
            Order::Begin { file, length, generation } => {
                self.writer.begin(file, length, generation);
                (self.items, self.group) = (0, Group::default());
                (self.on_durable)();
            }
            Order::Policy(policy) => self.writer.set_policy(policy),
            Order::Delay(delay) => self.delay = delay,
            Order::WriteOut(done) => {
                self.wait_for_turn();
                self.flush(false);
                // Whoever asked may have lost patience.
                let _ = done.send(());
            }
            Order::End => self.close(),
            Order::Stop => {
                self.close();
                while self.writer.has_unfinished() {
                    self.wait_for_turn();
                    let is_finished = self.writer.finish_older();
                    (self.on_durable)();
                    if !is_finished {
                        break;
                    }
                }
                return false;
            }
        }
        true
    }

    /// The present segment is over.
    fn close(&mut self) {
        self.writer.close();
        (self.on_durable)();
    }
}
