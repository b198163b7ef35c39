//! Files: what keeps the data when the process ends.
//!
//! The data itself, and how values look as bytes, is `basalt-shard`'s; this crate brings bytes into
//! files and back, on threads of its own, and never on that of a core.
//!
//! | module | holds |
//! |---|---|
//! | [`aof`] | the append-only file |
//! | [`opcode`] | what stands between the keys of an RDB file |

pub mod aof;
pub mod opcode;
