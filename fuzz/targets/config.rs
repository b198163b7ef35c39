//! Configuration files: anything may be in them, and what is understood is written down so that it
//! is understood again. See `basalt::config::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt::config::fuzz(data));
