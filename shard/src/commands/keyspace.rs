//! Commands on all keys of a database, or on all databases: they visit every core.
//!
//! Those whose answer must be true of one moment, or that must take effect at one, stop the world
//! for it by a parking tour.

use super::save::save_nothing;
use crate::call::SessionCall;
use crate::core::tour::{TourKind, TourTask};
use crate::core::{Core, CoreId, SessionId};
use crate::error::{self, CommandError, Outcome};
use crate::field_expiry::is_listed;
use crate::glob;
use crate::host::Garbage;
use crate::journal::GlobalEffect;
use crate::mutation::{self, Mutation};
use crate::number::parse_integer;
use crate::reply::Reply;
use crate::table::Table;

/// DBSIZE.
pub fn dbsize(call: &mut SessionCall<'_>) -> Outcome {
    let db = call.session().db;
    call.tour(TourKind::Parking, DatabaseSize { db, keys: 0 });
    Ok(())
}

struct DatabaseSize {
    db: u32,
    keys: i64,
}

impl TourTask for DatabaseSize {
    fn visit(&mut self, core: &mut Core) {
        let counts = core.store.database_counts().iter();
        self.keys +=
            counts.filter(|(db, _)| *db == self.db).map(|(_, count)| count.keys).sum::<i64>();
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        assert!(self.keys >= 0, "the differences of all cores add up to a count");
        reply.integer(self.keys);
    }
}

/// KEYS.
pub fn keys(call: &mut SessionCall<'_>) -> Outcome {
    let pattern = call.arguments.at(1).to_vec();
    let db = call.session().db;
    call.tour(TourKind::Parking, Keys { db, pattern, names: Vec::new() });
    Ok(())
}

struct Keys {
    db: u32,
    pattern: Vec<u8>,
    names: Vec<Vec<u8>>,
}

impl TourTask for Keys {
    fn visit(&mut self, core: &mut Core) {
        let now_ms = core.store.now_ms();
        let everything = self.pattern == b"*";
        for table in core.store.slots().filter_map(|(_, slot)| slot.table(self.db)) {
            for entry in table.iter().filter(|entry| is_listed(*entry, now_ms)) {
                let name = entry.key();
                if everything || glob::matches(&self.pattern, name, glob::Case::Sensitive) {
                    self.names.push(name.to_vec());
                }
            }
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.array_len(self.names.len());
        for name in &self.names {
            reply.bulk(name);
        }
    }
}

/// RANDOMKEY.
pub fn randomkey(call: &mut SessionCall<'_>) -> Outcome {
    let db = call.session().db;
    call.tour(TourKind::Gathering, RandomKey { db, seen: 0, name: None });
    Ok(())
}

/// Keeps one key of those seen so far, each core's share weighted by its keys.
struct RandomKey {
    db: u32,
    seen: u64,
    name: Option<Vec<u8>>,
}

impl TourTask for RandomKey {
    fn visit(&mut self, core: &mut Core) {
        let Some((name, keys)) = core.store.random_key(self.db) else { return };
        self.seen += keys;
        if core.store.random() % self.seen < keys {
            self.name = Some(name);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        match self.name {
            Some(name) => reply.bulk(&name),
            None => reply.null(),
        }
    }
}

/// FLUSHDB.
pub fn flushdb(call: &mut SessionCall<'_>) -> Outcome {
    let db = call.session().db;
    flush(call, Some(db))
}

/// FLUSHALL.
pub fn flushall(call: &mut SessionCall<'_>) -> Outcome {
    flush(call, None)
}

fn flush(call: &mut SessionCall<'_>, db: Option<u32>) -> Outcome {
    let arguments = call.arguments;
    let in_background = match arguments.len() {
        1 => call.core.store.settings().lazyfree_lazy_user_flush,
        2 if arguments.is(1, "async") => true,
        2 if arguments.is(1, "sync") => false,
        _ => return Err(error::SYNTAX),
    };
    let asker = (call.core.id(), call.session);
    let told_in = call.session().db;
    call.tour(TourKind::Parking, Flush { db, told_in, in_background, asker, changes: 0 });
    Ok(())
}

/// The tables are taken out while the world stands still, which is a few pointers a slot; they are
/// freed afterwards: by the background, or by each core before it goes on.
struct Flush {
    db: Option<u32>,
    /// The database the client is in, which the journal need not leave for it.
    told_in: u32,
    in_background: bool,
    asker: (CoreId, SessionId),
    /// Changes counted by the cores that were visited.
    changes: i64,
}

impl TourTask for Flush {
    fn visit(&mut self, core: &mut Core) {
        if mutation::is_on(Mutation::FlushMissed) && core.id().0 == 1 {
            return;
        }
        core.forget_all_reads(self.asker);
        let tables = core.store.flush(self.db);
        if self.in_background {
            let bytes = tables.iter().map(Table::bytes).sum();
            core.host.discard(Garbage::new(Box::new(tables), bytes));
        }
        self.changes += core.store.stats.changes;
        // What a script of a file empties while that is loaded is no news for snapshots.
        let is_last = core.id().0 + 1 == core.core_count();
        if self.db.is_none() && is_last && !core.store.is_loading() {
            // What a snapshot under way would leave in the file is what was just thrown away.
            core.host.cancel_save();
            if core.host.persistence().has_save_points {
                save_nothing(core, self.changes);
            }
        }
    }

    fn effect(&self) -> Option<GlobalEffect> {
        Some(match self.db {
            Some(db) => GlobalEffect { db, parts: vec![b"FLUSHDB".to_vec()] },
            None => GlobalEffect { db: self.told_in, parts: vec![b"FLUSHALL".to_vec()] },
        })
    }

    fn finish(self: Box<Self>, core: &mut Core, session: SessionId, reply: &mut Reply<'_>) {
        core.invalidate_everything_for(session);
        reply.ok();
    }
}

/// SWAPDB.
pub fn swapdb(call: &mut SessionCall<'_>) -> Outcome {
    let databases = call.core.store.settings().databases;
    let number = |index: usize, refusal: &'static str| {
        let number = parse_integer(call.arguments.at(index)).ok_or(CommandError::Fixed(refusal))?;
        u32::try_from(number).ok().filter(|db| *db < databases).ok_or(error::BAD_DATABASE)
    };
    let one = number(1, "ERR invalid first DB index")?;
    let other = number(2, "ERR invalid second DB index")?;
    call.tour(TourKind::Parking, Swap { one, other });
    Ok(())
}

struct Swap {
    one: u32,
    other: u32,
}

impl TourTask for Swap {
    fn visit(&mut self, core: &mut Core) {
        if self.one != self.other {
            core.store.swap_databases(self.one, self.other);
        }
    }

    fn effect(&self) -> Option<GlobalEffect> {
        let numbers = [self.one, self.other].map(|number| number.to_string().into_bytes());
        let parts = std::iter::once(b"SWAPDB".to_vec()).chain(numbers).collect();
        (self.one != self.other).then_some(GlobalEffect { db: 0, parts })
    }

    fn finish(self: Box<Self>, _: &mut Core, _: SessionId, reply: &mut Reply<'_>) {
        reply.ok();
    }
}
