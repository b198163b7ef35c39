//! What must hold of a server at rest, whatever happened: looked at from the inside.

use basalt_shard::commands::object::encoding_of;
use basalt_shard::core::CoreId;
use basalt_shard::hash::HashSlot;
use basalt_shard::object::Object;
use basalt_shard::table::Table;

use crate::cluster::Cluster;
use crate::meter;
use crate::tally::Tally;

/// Checks a cluster in which nothing is going on.
///
/// # Errors
/// What does not hold.
///
/// # Panics
/// If a table breaks a promise of its own, of its accounts among others.
pub fn check(cluster: &mut Cluster, tally: &mut Tally) -> Result<(), String> {
    check_slots(cluster)?;
    check_accounts(cluster, tally)?;
    let shared = cluster.core(0).shared();
    if shared.any_claim() {
        return Err("a slot is claimed, or a tour counted, though nothing is under way".to_owned());
    }
    Ok(())
}

/// Takes a cluster apart that nobody needs any more: what its tables give back, allocation by
/// allocation, is what they said they have. Nothing is known where nothing is counted.
///
/// # Errors
/// If a table has taken more or less.
pub fn weigh(cluster: &mut Cluster, tally: &mut Tally) -> Result<(), String> {
    if !meter::is_counting() {
        return Ok(());
    }
    for number in 0..cluster.core_count() {
        let store = &mut cluster.core(number).store;
        for slot in HashSlot::all() {
            let Some(mut content) = store.take_slot(slot) else { continue };
            let is_full = |(_, table): &(u32, &Table<Object>)| !table.is_empty();
            let databases: Vec<u32> = content.tables().filter(is_full).map(|(db, _)| db).collect();
            for db in databases {
                let table = content.take_table(db);
                let (account_bytes, keys) = (table.bytes() as i64, describe(&table));
                let bytes = meter::weigh(table);
                if bytes != account_bytes {
                    return Err(format!(
                        "a table has {bytes} bytes and an account of {account_bytes}: {keys}"
                    ));
                }
                tally.weighed += 1;
            }
        }
    }
    Ok(())
}

fn describe(table: &Table<Object>) -> String {
    let entries = table.iter();
    let keys =
        entries.map(|entry| format!("{} {}", entry.key().escape_ascii(), encoding_of(entry)));
    keys.collect::<Vec<_>>().join(", ")
}

/// Whether there is a key of this name in database 0, wherever its slot is.
pub fn has_key(cluster: &mut Cluster, name: &str) -> bool {
    let slot = HashSlot::of_key(name.as_bytes());
    let owner = cluster.core(0).owner(slot);
    let store = &mut cluster.core(owner.index()).store;
    let key = store.key(0, name.as_bytes());
    store.exists(key)
}

/// Every slot is in one place, and all cores agree where.
fn check_slots(cluster: &mut Cluster) -> Result<(), String> {
    let core_count = cluster.core_count();
    for slot in HashSlot::all() {
        let owner = cluster.core(0).owner(slot);
        for number in 0..core_count {
            let core = cluster.core(number);
            if core.owner(slot) != owner {
                return Err(format!("cores disagree about who owns slot {}", slot.number()));
            }
            if core.store.has_slot(slot) != (owner == CoreId(number as u16)) {
                let number = slot.number();
                return Err(format!("slot {number} is not where it belongs, at core {owner:?}"));
            }
        }
    }
    Ok(())
}

/// Keys are counted right, and so is the memory they take.
fn check_accounts(cluster: &mut Cluster, tally: &mut Tally) -> Result<(), String> {
    let mut counted = std::collections::BTreeMap::<u32, (i64, i64)>::new();
    let mut accounts = counted.clone();
    for number in 0..cluster.core_count() {
        let store = &cluster.core(number).store;
        for (db, count) in store.database_counts() {
            let sum = accounts.entry(*db).or_default();
            (sum.0, sum.1) = (sum.0 + count.keys, sum.1 + count.expiring);
        }
        for (_, slot) in store.slots() {
            for (db, table) in slot.tables().filter(|(_, table)| !table.is_empty()) {
                table.check_invariants();
                for entry in table.iter() {
                    tally.reach(("encodings", encoding_of(entry)));
                }
                let sum = counted.entry(db).or_default();
                sum.0 += table.len() as i64;
                sum.1 += table.expiring_len() as i64;
            }
        }
    }
    accounts.retain(|_, sum| *sum != (0, 0));
    if accounts != counted {
        return Err(format!("keys by database are {counted:?}, but counted as {accounts:?}"));
    }
    Ok(())
}
