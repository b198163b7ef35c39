//! Lua scripts and functions: the machine they run in, and what they see of the server.
//!
//! | module | holds |
//! |---|---|
//! | [`lua`] | the virtual machine behind a safe face |
//! | `sandbox`, `api` | the globals: what scripts find, and `redis.*` |
//! | `libraries` | `bit`, `cjson`, `cmsgpack`, `struct` |
//! | `command` | `redis.call`: a command in the middle of a script |
//! | `to_lua`, `to_reply` | replies to values of Lua, and back |
//! | [`cache`], [`source`], `declared` | scripts by digest, for all cores; what they say |
//! | [`functions`], [`texts`] | libraries of functions, for all cores; as files tell of them |
//! | [`engine`], [`run`] | a core's machines; one run of a script |
//! | [`from_file`] | scripts of a file that tells them as such, run while it is loaded |
//! | [`debugger`] | sessions that stop a script at lines |
//! | [`watch`] | scripts that take long, and how they are ended |
//!
//! Where a script runs, and with which slots at hand, is decided in `core/scripting.rs`.

mod api;
pub mod cache;
mod check;
mod command;
pub mod debugger;
mod declared;
pub mod engine;
pub mod from_file;
pub mod functions;
mod libraries;
mod lua;
mod reply_reader;
pub mod run;
mod sandbox;
pub mod source;
pub mod texts;
mod to_lua;
mod to_reply;
pub mod watch;
