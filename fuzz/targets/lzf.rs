//! Compressed strings: any bytes are refused or expand to what they say, and any bytes come back
//! after they were compressed. See `basalt_shard::rdb::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_shard::rdb::fuzz::lzf(data));
