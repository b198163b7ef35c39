//! Looks keys up as GET and writes to them do, for counting instructions.
//!
//! ```text
//! cargo build --profile quick -p basalt-shard --example lookup_cost
//! valgrind --tool=callgrind --toggle-collect="*look_up*" \
//!     target/quick/examples/lookup_cost read ttl
//! ```
//!
//! First word: `read` or `write`; second: `ttl` (every key expires some day) or `plain`. Divide
//! the instructions by the number of lookups printed.

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;

use basalt_shard::clock::Now;
use basalt_shard::hash::HashSlot;
use basalt_shard::settings::Settings;
use basalt_shard::store::{Access, Store};
use basalt_shard::table::Value;
use basalt_shard::types::Type;

const KEY_COUNT: usize = 100_000;
const ROUNDS: usize = 5;
const NOW_MS: i64 = 1_700_000_000_000;

#[inline(never)]
fn look_up_to_read(store: &mut Store, names: &[Vec<u8>]) {
    for name in names {
        let key = store.key(0, name);
        let entry = store.find(key, Access::Read).expect("stored before");
        black_box(entry.kind());
    }
}

#[inline(never)]
fn look_up_to_write(store: &mut Store, names: &[Vec<u8>]) {
    for name in names {
        let key = store.key(0, name);
        let entry = store.find_mut(key).expect("stored before");
        black_box(entry.as_entry().kind());
    }
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|it| it == word);
    let expiry_ms = has("ttl").then_some(NOW_MS + 3_600_000);
    let mut store = Store::new(HashSlot::all(), 1, 0, Arc::new(Settings::default()));
    store.set_now(Now { unix_us: NOW_MS * 1000, monotonic_us: 0 });
    let names: Vec<Vec<u8>> =
        (0..KEY_COUNT).map(|number| format!("key:{number:012}").into_bytes()).collect();
    for name in &names {
        let key = store.key(0, name);
        store.set(key, Type::String, Value::Bytes(b"0123456789abcdef"), expiry_ms);
    }
    let look_up = if has("write") { look_up_to_write } else { look_up_to_read };
    for _ in 0..ROUNDS {
        look_up(&mut store, &names);
    }
    writeln!(io::stdout(), "{} lookups", KEY_COUNT * ROUNDS)
}
