//! The request parser: how a stream is cut into reads never matters. See `basalt_net::resp::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| basalt_net::resp::fuzz(data));
