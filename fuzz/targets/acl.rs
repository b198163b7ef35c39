//! Rules of users, as clients send them and as files hold them: none makes the server panic, and
//! what was taken can be written down and read again.

#![no_main]

use basalt_shard::acl::fuzz::{apply_rules, read_file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    apply_rules(data);
    read_file(data);
});
