//! Segments of the append-only file and its manifest: any bytes are read without harm. See
//! `basalt_persist::aof::check`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_persist::aof::check::read_anything(data));
