//! Listpacks: what is accepted can be packed and written. See `basalt_shard::rdb::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_shard::rdb::fuzz::listpack(data));
