//! A snapshot on its way: the bytes of all cores become one file, on a thread of its own.
//!
//! ```text
//! core 0 --parts--> queue \
//! core 1 --parts--> queue --> writer: header, parts, end, checksum --> Output
//! ```
//!
//! The header is given last, when the cut has seen every core, and written first.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use basalt_shard::rdb::crc64::Checksum;
use basalt_shard::rdb::opcode;
use basalt_shard::snapshot::SnapshotSink;

use crate::output::Output;
use crate::preamble::{Preamble, ending};
use crate::queue::{Next, QueueSink, Queues};

/// How a snapshot ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is where it belongs; its size in bytes.
    Done(u64),
    /// Somebody gave it up.
    Abandoned,
    /// The system refused.
    Failed(io::Error),
}

/// How a snapshot is made.
pub struct SaveOptions {
    /// How many cores take part.
    pub core_count: usize,
    /// Whether a checksum is computed (`rdbchecksum`); zero stands in its place if not.
    pub has_checksum: bool,
    /// Called when cores may go on that have paused. Must not wait.
    pub on_room: Box<dyn Fn() + Send + Sync>,
    /// Called at the end, on the writer's thread.
    pub on_end: Box<dyn FnOnce(Outcome) + Send>,
}

/// Makes the place where the bytes go.
pub type OpenOutput = Box<dyn FnOnce() -> io::Result<Box<dyn Output>> + Send>;

/// A snapshot on its way.
pub struct Save {
    queues: Arc<Queues>,
    thread: Option<JoinHandle<()>>,
}

/// A look at a snapshot on its way, for others.
#[derive(Clone)]
pub struct SaveProgress(Arc<Queues>);

impl SaveProgress {
    /// Keys that were written so far.
    pub fn keys(&self) -> u64 {
        self.0.keys.load(Ordering::Relaxed)
    }

    /// Gives it up: it ends soon, and leaves nothing behind.
    pub fn abandon(&self) {
        self.0.abandon();
    }
}

impl Save {
    /// Starts the thread that writes. It opens the output itself, once the cut is made, so that no
    /// core waits for the disk.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn begin(open: OpenOutput, options: SaveOptions) -> io::Result<Self> {
        let queues = Arc::new(Queues::new(options.core_count, options.on_room));
        let (on_end, has_checksum) = (options.on_end, options.has_checksum);
        let thread = Builder::new().name("snapshot".into()).spawn({
            let queues = Arc::clone(&queues);
            move || on_end(write(&queues, open, has_checksum))
        })?;
        Ok(Self { queues, thread: Some(thread) })
    }

    /// Where core `core` sends its part.
    pub fn sink(&self, core: usize) -> Box<dyn SnapshotSink> {
        Box::new(QueueSink { queues: Arc::clone(&self.queues), core })
    }

    /// A look at it.
    pub fn progress(&self) -> SaveProgress {
        SaveProgress(Arc::clone(&self.queues))
    }

    /// The cut has seen every core: this comes in front.
    pub fn cut(&self, preamble: &Preamble) {
        self.queues.put_header(preamble.to_bytes());
    }

    /// Waits until it has ended.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the writer does not panic");
        }
    }
}

/// Writes everything; whatever goes wrong, cores are told to stop and nothing is left behind.
fn write(queues: &Queues, open: OpenOutput, has_checksum: bool) -> Outcome {
    let outcome = write_all(queues, open, has_checksum);
    if !matches!(outcome, Outcome::Done(_)) {
        queues.abandon();
    }
    outcome
}

fn write_all(queues: &Queues, open: OpenOutput, has_checksum: bool) -> Outcome {
    let Next::Bytes(header) = queues.header() else { return Outcome::Abandoned };
    let mut output = match open() {
        Ok(output) => output,
        Err(error) => return Outcome::Failed(error),
    };
    match write_parts(queues, &header, &mut *output, has_checksum) {
        Ok(Some(bytes)) => match output.finish() {
            Ok(()) => Outcome::Done(bytes),
            Err(error) => Outcome::Failed(error),
        },
        Ok(None) => {
            output.discard();
            Outcome::Abandoned
        }
        Err(error) => {
            output.discard();
            Outcome::Failed(error)
        }
    }
}

/// Writes what comes until the end; returns how many bytes that were, `None` if it was given up.
fn write_parts(
    queues: &Queues,
    header: &[u8],
    output: &mut dyn Output,
    has_checksum: bool,
) -> io::Result<Option<u64>> {
    let (mut checksum, mut total) = (Checksum::default(), 0);
    let mut write = |bytes: &[u8], output: &mut dyn Output| {
        if has_checksum {
            checksum.update(bytes);
        }
        total += bytes.len() as u64;
        output.write(bytes)
    };
    write(header, output)?;
    let mut current = None;
    loop {
        match queues.next(&mut current) {
            Next::Bytes(bytes) => write(&bytes, output)?,
            Next::End => break,
            Next::Abandoned => return Ok(None),
        }
    }
    write(&[opcode::EOF], output)?;
    let ending = ending(if has_checksum { checksum.value() } else { 0 });
    output.write(&ending)?;
    Ok(Some(total + ending.len() as u64))
}
