//! Serialized streams: what RESTORE accepts can be written and read back. See
//! `basalt_shard::rdb::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_shard::rdb::fuzz::stream(data));
