//! Load generator and side-by-side harness of Basalt.
#![allow(dead_code)]
mod args;
mod error;
mod keys;
mod procfs;
mod request;
mod resp;
mod sys;

fn main() {}
