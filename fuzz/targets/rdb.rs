//! RDB files: any bytes are refused or read, and nothing panics. See `basalt_persist::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_persist::fuzz::rdb(data));
