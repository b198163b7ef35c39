//! What DEBUG tells of keys: how a value is kept, and digests of values and of everything.
//!
//! DEBUG is no command on keys, so nothing has brought the keys together when it runs: a parking
//! tour looks at them where they are.

use super::dump::compression;
use super::object::{encoding_of, references_to};
use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, SessionId};
use crate::digest::{self, Digest};
use crate::error::{self, Outcome};
use crate::field_expiry::is_listed;
use crate::list::{List, Part};
use crate::object::Object;
use crate::rdb::payload;
use crate::reply::Reply;
use crate::store::{Access, Store};
use crate::table::ValueRef;

/// `DEBUG OBJECT key`.
pub(super) fn object(call: &mut SessionCall<'_>) -> Outcome {
    let (db, name) = (call.session().db, call.arguments.at(2).to_vec());
    call.tour(TourKind::Parking, ObjectFacts { db, name, facts: None });
    Ok(())
}

/// Looks for one key and describes it.
struct ObjectFacts {
    db: u32,
    name: Vec<u8>,
    facts: Option<String>,
}

impl TourTask for ObjectFacts {
    fn visit(&mut self, core: &mut Core) {
        if self.facts.is_none() {
            self.facts = describe(&mut core.store, self.db, &self.name);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        match self.facts {
            Some(facts) => reply.simple(&facts),
            None => reply.error(&error::NO_SUCH_KEY),
        }
    }
}

/// The line about a key, if it is here.
fn describe(store: &mut Store, db: u32, name: &[u8]) -> Option<String> {
    let key = store.key(db, name);
    if !store.has_slot(key.slot) {
        return None;
    }
    let (now_ms, settings) = (store.now_ms(), store.settings().clone());
    // One whose time has come is described, too, as long as it is there.
    let entry = store.table(key.slot, db)?.get(key.hash, name)?;
    let (value, lru_bits) = (entry.value(), entry.lru_bits());
    let references = references_to(value, &settings);
    let (version, compression) = (settings.rdb_version, compression(&settings));
    let length = payload::serialized_length(value, version, now_ms, compression);
    let nodes = match value {
        ValueRef::Object(Object::List(list)) if list.encoding() == "quicklist" => {
            describe_nodes(list, settings.list_max_listpack_size)
        }
        _ => String::new(),
    };
    let facts = format!(
        "Value at:{:p} refcount:{references} encoding:{} serializedlength:{length} lru:{lru_bits}",
        entry.key().as_ptr(),
        encoding_of(entry),
    );
    let idle_seconds = store.idle_seconds(lru_bits);
    Some(format!("{facts} lru_seconds_idle:{idle_seconds}{nodes}"))
}

fn describe_nodes(list: &List, setting: i32) -> String {
    let count = list.part_count();
    let average = list.len() as f64 / count as f64;
    let bytes: usize = list
        .parts()
        .map(|part| match part {
            Part::Run(run) => run.listpack_bytes(),
            Part::Large(text) => text.len(),
        })
        .sum();
    format!(
        " ql_nodes:{count} ql_avg_node:{average:.2} ql_listpack_max:{setting} ql_compressed:0 \
         ql_uncompressed_size:{bytes}"
    )
}

/// `DEBUG DIGEST-VALUE [key ...]`.
pub(super) fn digest_value(call: &mut SessionCall<'_>) -> Outcome {
    let db = call.session().db;
    let keys = call.arguments.from(2).map(|name| (name.to_vec(), Digest::default())).collect();
    call.tour(TourKind::Parking, ValueDigests { db, keys });
    Ok(())
}

/// Digests of values by name, those of missing keys being zero.
struct ValueDigests {
    db: u32,
    keys: Vec<(Vec<u8>, Digest)>,
}

impl TourTask for ValueDigests {
    fn visit(&mut self, core: &mut Core) {
        let now_ms = core.store.now_ms();
        for (name, digest) in &mut self.keys {
            let key = core.store.key(self.db, name);
            if !core.store.has_slot(key.slot) {
                continue;
            }
            if let Some(entry) = core.store.find(key, Access::Peek) {
                *digest = digest::of_entry(entry, now_ms);
            }
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.array_len(self.keys.len());
        for (_, digest) in self.keys {
            reply.simple(&digest.to_hexadecimal());
        }
    }
}

/// `DEBUG DIGEST`.
pub(super) fn digest(call: &mut SessionCall<'_>) -> Outcome {
    let databases = call.core.store.settings().databases as usize;
    call.tour(TourKind::Parking, DatasetDigest { databases: vec![None; databases] });
    Ok(())
}

/// The sum of the digests of the keys of each database that has some.
struct DatasetDigest {
    databases: Vec<Option<Digest>>,
}

impl TourTask for DatasetDigest {
    fn visit(&mut self, core: &mut Core) {
        let now_ms = core.store.now_ms();
        for (_, slot) in core.store.slots() {
            for (db, table) in slot.tables() {
                for entry in table.iter().filter(|entry| is_listed(*entry, now_ms)) {
                    let sum = self.databases[db as usize].get_or_insert_default();
                    sum.add_digest(digest::of_key(entry, now_ms));
                }
            }
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        let mut all = Digest::default();
        for (db, sum) in self.databases.into_iter().enumerate() {
            if let Some(sum) = sum {
                all.mix(&(db as u32).to_be_bytes());
                all.join(sum);
            }
        }
        reply.simple(&all.to_hexadecimal());
    }
}
