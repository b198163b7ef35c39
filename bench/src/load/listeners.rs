//! Clients that listen to a channel beside a run that publishes to it.
//!
//! One thread reads whatever comes for all of them and throws it away: what is measured is the
//! server that sends it. A listener that the server cuts off ends the run with an error, since a
//! server with fewer listeners has less to do.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{BenchError, Outcome};
use crate::resp::client::{Client, Session};
use crate::resp::endpoint::Endpoint;
use crate::resp::wire::Wire;
use crate::sys::{Interest, Poller};

/// The channel they listen to, which the table of workloads publishes to.
pub(crate) const CHANNEL: &str = "news";

/// How often the thread looks whether it is over.
const OVER_CHECK: Duration = Duration::from_millis(50);
const BUFFER_BYTES: usize = 256 << 10;

/// Listeners of one run; they leave when this is dropped.
#[derive(Debug)]
pub(crate) struct Listeners {
    is_over: Arc<AtomicBool>,
    reader: Option<JoinHandle<Outcome<u64>>>,
}

impl Listeners {
    /// Subscribes `count` connections and starts reading, on the last of `cpus` if there are any.
    pub(crate) fn subscribe(
        endpoint: &Endpoint,
        session: &Session,
        count: usize,
        cpus: &[usize],
    ) -> Outcome<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let subscribe_one = |_| {
            let mut client = Client::connect(endpoint, session)?;
            client.call(&["SUBSCRIBE", CHANNEL])?;
            client.into_wire()
        };
        let mut wires = (0..count).map(subscribe_one).collect::<Outcome<Vec<Wire>>>()?;
        let (flag, cpu) = (Arc::clone(&is_over), cpus.last().copied());
        let thread = thread::Builder::new().name("listeners".to_owned());
        let reader = thread.spawn(move || {
            if let Some(id) = cpu {
                core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            read_all(&mut wires, &flag)
        });
        let reader = reader.map_err(BenchError::io("start a thread"))?;
        Ok(Self { is_over, reader: Some(reader) })
    }

    /// Ends the listening; returns how many bytes have come.
    ///
    /// # Errors
    /// When the server has cut a listener off.
    pub(crate) fn finish(mut self) -> Outcome<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        let reader = self.reader.take().expect("it ends once");
        reader.join().expect("reading does not panic")
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn read_all(wires: &mut [Wire], is_over: &AtomicBool) -> Outcome<u64> {
    let mut poller = Poller::new().map_err(BenchError::io("watch connections"))?;
    for (token, wire) in wires.iter().enumerate() {
        let added = poller.add(wire.as_fd(), token, Interest::Read);
        added.map_err(BenchError::io("watch a connection"))?;
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut bytes = 0;
    while !is_over.load(Ordering::Relaxed) {
        let count = poller.wait(OVER_CHECK).map_err(BenchError::io("wait for messages"))?;
        for index in 0..count {
            match wires[poller.event(index).token].read(&mut buffer) {
                Ok(0) => return Err(BenchError::Disconnected),
                Ok(count) => bytes += count as u64,
                Err(failure) if failure.kind() == ErrorKind::WouldBlock => {}
                Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
                Err(failure) => return Err(BenchError::io("read messages")(failure)),
            }
        }
    }
    Ok(bytes)
}
