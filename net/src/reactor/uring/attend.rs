//! The half of a turn before the kernel is entered: what was decided becomes entries of the ring.
//!
//! Every entry is made here (cancelling accepts and everything at the end aside), so here is where
//! the memory and the sockets that entries name are vouched for.

use super::connection::{Armed, Gather};
use super::operation::{Kind, Operation};
use super::{ConnectionId, Uring, buffers};
use io_uring::{opcode, types};
use std::os::fd::AsRawFd;

/// Longest single transfer in bytes: lengths are 32 bits wide.
const TRANSFER_BYTES_MAX: usize = 1 << 30;

impl Uring {
    pub(super) fn attend(&mut self) {
        if self.rearm {
            self.rearm = false;
            self.arm_listeners();
            self.arm_wakings();
        }
        let mut scheduled = std::mem::take(&mut self.scheduled);
        for id in scheduled.drain(..) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.scheduled = false;
                self.arrange_receive(id);
                self.start_send(id);
                self.remove_if_at_rest(id);
            }
        }
        self.scheduled = scheduled;
    }

    fn arm_listeners(&mut self) {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let Some(listener) = listener else { continue };
            if !listener.armed && !listener.resting {
                let fd = types::Fd(listener.socket.as_raw_fd());
                let entry = opcode::AcceptMulti::new(fd).flags(libc::SOCK_CLOEXEC).build();
                // SAFETY: the socket is closed only when the accept has ended; no memory.
                unsafe { self.ring.push(entry, Operation::of_index(Kind::Accept, index as u32)) };
                listener.armed = true;
            }
        }
    }

    fn arm_wakings(&mut self) {
        for (index, waking) in self.wakings.iter_mut().enumerate() {
            if !waking.armed {
                let fd = types::Fd(waking.source.as_raw_fd());
                let entry = opcode::Read::new(fd, waking.counter.as_mut_ptr(), 8).build();
                // SAFETY: source and counter live as long as the ring and are used by this
                // operation only, of which there is one at a time.
                unsafe { self.ring.push(entry, Operation::of_index(Kind::Wake, index as u32)) };
                waking.armed = true;
            }
        }
    }

    /// Brings what the kernel receives after what is wished for.
    fn arrange_receive(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let fd = types::Fd(connection.socket.as_raw_fd());
        let (kind, entry) = match (connection.armed, connection.wish()) {
            (armed, wish) if armed == wish => return,
            (Armed::Nothing, Armed::Stream) => {
                (Kind::Stream, opcode::RecvMulti::new(fd, buffers::GROUP).build())
            }
            (Armed::Nothing, _) => {
                let direct = connection.direct.as_mut().expect("wished for");
                let len = direct.missing().min(TRANSFER_BYTES_MAX) as u32;
                let start = direct.bytes.spare_capacity_mut().as_mut_ptr().cast();
                (Kind::Direct, opcode::Recv::new(fd, start, len).build())
            }
            (armed, _) => {
                if !connection.cancelling {
                    connection.cancelling = true;
                    let kind = if armed == Armed::Stream { Kind::Stream } else { Kind::Direct };
                    self.ring.cancel(Operation::of_connection(kind, id));
                }
                return;
            }
        };
        connection.armed = if kind == Kind::Stream { Armed::Stream } else { Armed::Direct };
        // SAFETY: the socket is closed, and the buffer touched or dropped, only when `armed` says
        // that the receive has ended; the buffer has room for what is missing.
        unsafe { self.ring.push(entry, Operation::of_connection(kind, id)) };
    }

    fn start_send(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        if connection.sending || connection.output.is_empty() {
            return;
        }
        let fd = types::Fd(connection.socket.as_raw_fd());
        let chunk_count = connection.output.slice_count();
        let entry = if chunk_count == 1 {
            let slice = connection.output.slices().next().expect("counted");
            let len = slice.len().min(TRANSFER_BYTES_MAX) as u32;
            opcode::Send::new(fd, slice.as_ptr(), len).flags(libc::MSG_NOSIGNAL).build()
        } else {
            let gather = self.gathers.pop().unwrap_or_else(Gather::new);
            let gather = connection.gather.insert(gather);
            let message = gather.describe(&connection.output);
            opcode::SendMsg::new(fd, message).flags(libc::MSG_NOSIGNAL as u32).build()
        };
        connection.output.lock(chunk_count);
        connection.sending = true;
        // SAFETY: the chunks are locked, the description is kept, and the socket stays open,
        // until `sending` is over.
        unsafe { self.ring.push(entry, Operation::of_connection(Kind::Send, id)) };
    }
}
