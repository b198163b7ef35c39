//! Ziplists, zipmaps and intsets: what is accepted can be walked. See `basalt_shard::rdb::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_shard::rdb::fuzz::old_encodings(data));
