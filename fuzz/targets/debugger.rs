//! What clients say to the debugger of scripts: more bytes never change what was understood.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_shard::scripting::debugger::input::fuzz(data));
