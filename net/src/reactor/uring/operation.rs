//! The name an operation carries through the kernel: 64 bits of user data.
//!
//! ```text
//!   63      56 55              32 31                       0
//!   [  kind   |  generation (24) |  index                   ]
//! ```
//!
//! A connection's index is not reused while one of its operations is in the kernel, so the
//! generation can only agree; it is carried to have that checked.

use super::super::event::ConnectionId;

const KIND_SHIFT: u32 = 56;
const GENERATION_SHIFT: u32 = 32;
const GENERATION_MASK: u32 = 0x00ff_ffff;

/// What an operation is and whom it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) index: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Multishot receive into provided buffers, of a connection.
    Stream,
    /// Receive into a buffer of the caller's, of a connection.
    Direct,
    /// Send, of a connection.
    Send,
    /// Multishot accept, of a listener.
    Accept,
    /// Read of a counter, of a wake source.
    Wake,
    /// Cancellation of another operation; its own result does not matter.
    Cancel,
}

impl Operation {
    pub(super) fn of_connection(kind: Kind, id: ConnectionId) -> Operation {
        Operation { kind, index: id.index, generation: id.generation & GENERATION_MASK }
    }

    pub(super) fn of_index(kind: Kind, index: u32) -> Operation {
        Operation { kind, index, generation: 0 }
    }

    pub(super) const CANCEL: Operation = Operation { kind: Kind::Cancel, index: 0, generation: 0 };

    pub(super) fn names(self, id: ConnectionId) -> bool {
        self.index == id.index && self.generation == id.generation & GENERATION_MASK
    }

    #[inline]
    pub(super) fn pack(self) -> u64 {
        (self.kind as u64) << KIND_SHIFT
            | u64::from(self.generation) << GENERATION_SHIFT
            | u64::from(self.index)
    }

    #[inline]
    pub(super) fn unpack(user_data: u64) -> Operation {
        let kind = match user_data >> KIND_SHIFT {
            0 => Kind::Stream,
            1 => Kind::Direct,
            2 => Kind::Send,
            3 => Kind::Accept,
            4 => Kind::Wake,
            5 => Kind::Cancel,
            other => unreachable!("completion of unknown kind {other}"),
        };
        let generation = (user_data >> GENERATION_SHIFT) as u32 & GENERATION_MASK;
        Operation { kind, index: user_data as u32, generation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_kernel() {
        let id = ConnectionId { index: u32::MAX - 1, generation: 0xfedc_ba98 };
        for kind in [Kind::Stream, Kind::Direct, Kind::Send] {
            let operation = Operation::of_connection(kind, id);
            assert_eq!(Operation::unpack(operation.pack()), operation);
            assert!(operation.names(id));
            assert!(!operation.names(ConnectionId { generation: id.generation + 1, ..id }));
        }
        for kind in [Kind::Accept, Kind::Wake, Kind::Cancel] {
            let operation = Operation::of_index(kind, 7);
            assert_eq!(Operation::unpack(operation.pack()), operation);
        }
    }
}
