//! Which keys a request touches: how a key looks, how many there are, how they are drawn, and in
//! which hash slots they lie.

pub(crate) mod distribution;
pub(crate) mod shape;
pub(crate) mod slot;
pub(crate) mod source;
