//! What a reactor is made from.

use std::fmt;

/// Which driver to use (`io-backend`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// io_uring if this kernel and this container allow it, else epoll.
    #[default]
    Auto,
    /// io_uring or an error.
    Uring,
    /// epoll.
    Epoll,
}

/// Which driver is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Completions through a ring shared with the kernel.
    Uring,
    /// Readiness, then one system call per transfer.
    Epoll,
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Backend::Uring => "io_uring",
            Backend::Epoll => "epoll",
        })
    }
}

/// Sizes of one reactor.
///
/// Input memory is `buffer_count * buffer_bytes`, of which the kernel backs what was once used:
/// about as many buffers as the busiest turn needed. It bounds what one poll can receive from all
/// connections together.
#[derive(Clone, Debug)]
pub struct ReactorOptions {
    /// Which driver.
    pub backend: BackendChoice,
    /// Entries of the submission ring, a power of two; the completion ring is four times as
    /// long. Ring memory counts against `RLIMIT_MEMLOCK`: when it runs out, halves are tried.
    pub ring_entries: u32,
    /// Receive buffers, rounded up to a power of two, at most 32,768.
    pub buffer_count: u16,
    /// Bytes of one receive buffer.
    pub buffer_bytes: u32,
}

impl Default for ReactorOptions {
    /// Automatic choice, 1024 entries, 256 buffers of 16 KiB.
    fn default() -> ReactorOptions {
        ReactorOptions {
            backend: BackendChoice::Auto,
            ring_entries: 1024,
            buffer_count: 256,
            buffer_bytes: 16 * 1024,
        }
    }
}

impl ReactorOptions {
    /// The number of receive buffers, as the ring of buffers needs it.
    pub(super) fn buffer_count_rounded(&self) -> u16 {
        self.buffer_count.clamp(1, 1 << 15).next_power_of_two()
    }
}
