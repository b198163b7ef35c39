//! One connection of a worker: bytes to send, replies awaited, and since when.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use hdrhistogram::Histogram;

use crate::error::{BenchError, Outcome};
use crate::resp::skimmer::{ProtocolError, Skimmer, Tally};
use crate::resp::wire::Wire;
use crate::sys::{Interest, Poller};

/// Replies awaited to what was sent together, which share a start time.
#[derive(Clone, Copy, Debug)]
struct Batch {
    started_ns: u64,
    count: u64,
}

/// A greeted, non-blocking connection and the lane (key source) it draws keys from.
#[derive(Debug)]
pub(crate) struct Link {
    /// What its bytes go through.
    pub(crate) wire: Wire,
    /// Index of the key source.
    pub(crate) lane: usize,
}

/// A non-blocking connection. Invariant: `outstanding` is the sum over `batches`.
#[derive(Debug)]
pub(crate) struct Connection {
    wire: Wire,
    token: usize,
    /// Which key source of the worker it draws from.
    pub(crate) lane: usize,
    /// Encoded requests; the first `sent` bytes are gone already.
    pub(crate) outgoing: Vec<u8>,
    sent: usize,
    awaits_room: bool,
    skimmer: Skimmer,
    batches: VecDeque<Batch>,
    outstanding: u64,
}

impl Connection {
    /// Takes over a link and registers it under `token`.
    pub(crate) fn new(link: Link, token: usize, poller: &Poller) -> io::Result<Self> {
        let Link { wire, lane } = link;
        poller.add(wire.as_fd(), token, Interest::Read)?;
        Ok(Self {
            wire,
            token,
            lane,
            outgoing: Vec::new(),
            sent: 0,
            awaits_room: false,
            skimmer: Skimmer::new(),
            batches: VecDeque::new(),
            outstanding: 0,
        })
    }

    /// Replies that are awaited.
    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Notes that requests which draw `count` replies were appended to `outgoing`, to be timed from
    /// `started_ns`.
    pub(crate) fn expect_replies(&mut self, started_ns: u64, count: u64) {
        assert!(count > 0, "a batch of nothing");
        self.batches.push_back(Batch { started_ns, count });
        self.outstanding += count;
    }

    /// Sends what the socket takes now; the rest goes when there is room.
    pub(crate) fn flush(&mut self, poller: &Poller) -> Outcome<()> {
        while self.sent < self.outgoing.len() {
            match self.wire.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(BenchError::Disconnected),
                Ok(count) => self.sent += count,
                Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => break,
                Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
                Err(failure) => return Err(lost("send requests")(failure)),
            }
        }
        let is_sent = self.sent == self.outgoing.len();
        let is_done = is_sent && self.wire.flush_sealed().map_err(lost("send requests"))?;
        if is_sent {
            self.outgoing.clear();
            self.sent = 0;
        }
        if is_done == self.awaits_room {
            self.awaits_room = !is_done;
            let interest = if is_done { Interest::Read } else { Interest::ReadWrite };
            let changed = poller.modify(self.wire.as_fd(), self.token, interest);
            changed.map_err(BenchError::io("watch a connection"))?;
        }
        Ok(())
    }

    /// Reads what has arrived, once; returns how many replies it completed. More bytes than
    /// `buffer` holds announce themselves again: the poller is level-triggered.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], tally: &mut Tally) -> Outcome<u64> {
        let count = match self.wire.read(buffer) {
            Ok(0) => return Err(BenchError::Disconnected),
            Ok(count) => count,
            Err(failure) => match failure.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return Ok(0),
                _ => return Err(lost("read replies")(failure)),
            },
        };
        let before = tally.replies;
        self.skimmer.feed(&buffer[..count], tally)?;
        Ok(tally.replies - before)
    }

    /// Takes `replies` off the awaited ones and records their latencies.
    pub(crate) fn settle(
        &mut self,
        mut replies: u64,
        now_ns: u64,
        latency_ns: &mut Histogram<u64>,
    ) -> Outcome<()> {
        if replies > self.outstanding {
            return Err(ProtocolError::Unasked.into());
        }
        self.outstanding -= replies;
        while replies > 0 {
            let batch = self.batches.front_mut().expect("batches add up to the outstanding");
            let settled = replies.min(batch.count);
            latency_ns.saturating_record_n(now_ns.saturating_sub(batch.started_ns), settled);
            batch.count -= settled;
            replies -= settled;
            if batch.count == 0 {
                self.batches.pop_front();
            }
        }
        Ok(())
    }
}

/// A reset is a closed connection by another name.
fn lost(doing: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |failure| match failure.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => BenchError::Disconnected,
        _ => BenchError::io(doing)(failure),
    }
}
