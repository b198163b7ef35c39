//! Manifests of the append-only directory: what is accepted reads the same once it is written. See
//! `basalt_persist::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_persist::fuzz::manifest(data));
