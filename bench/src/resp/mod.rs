//! The client's half of RESP: a skimmer that only counts replies, for the measured traffic, and a
//! small blocking client that reads them, for everything around it.

pub(crate) mod client;
pub(crate) mod endpoint;
pub(crate) mod skimmer;
pub(crate) mod value;
pub(crate) mod wire;
