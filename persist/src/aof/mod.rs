//! The append-only file: every change, as the commands that make it again.
//!
//! | module | holds |
//! |---|---|
//! | [`ahead`] | a segment that is read ahead by a thread |
//! | `batch` | records on their way to a thread |
//! | [`check`] | looking through files, mending them, making one of them |
//! | `group` | how long one fsync waits for those who may share it |
//! | `hands` | records, run by several threads |
//! | [`item`] | a segment, read item by item |
//! | [`commit`] | what replies wait for |
//! | [`cut`] | how much of the segments of a generation is a prefix of history |
//! | [`load`], `load_error` | from a directory to the data; why that fails |
//! | [`manifest`] | which files there are |
//! | [`merge`] | the records of several segments in an order in which they may run |
//! | `parts` | what a directory is made of, for `check` |
//! | [`segment`] | the writing end, and what has reached the disk |
//! | [`text_base`] | a base that is commands |
//! | [`thread`] | who writes the segments of a core |
//! | `unsynced` | what is kept in memory until it is safe |
//! | [`writer`] | the segments of a core, one after the other |

pub mod ahead;
mod batch;
pub mod check;
pub mod commit;
pub mod cut;
mod group;
mod hands;
pub mod item;
pub mod load;
mod load_error;
pub mod manifest;
pub mod merge;
mod parts;
pub mod segment;
pub mod text_base;
pub mod thread;
mod unsynced;
pub mod writer;
