//! SPOP and SRANDMEMBER: members drawn at random, taken out or left there.

use super::operand::{count, symmetric_integer};
use super::set::{reply_member, reply_set};
use crate::call::Call;
use crate::error::{self, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::random::Random;
use crate::set::{Member, Set};
use crate::store::{Access, Key, Store};

/// Most members one SRANDMEMBER draws with repetition: what it answers has to fit into memory.
const DRAWS_MAX: u64 = 1 << 27;

/// SPOP.
pub fn spop(call: &mut Call<'_>) -> Outcome {
    match call.arguments.len() {
        2 => pop_one(call),
        3 => pop_several(call),
        _ => Err(error::SYNTAX),
    }
}

fn pop_one(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let mut random = Random::new(call.store.random());
    let reply = &mut call.reply;
    let mut taken = Taken::new(call.store);
    let left = call.store.change_collection(key, Missing::Skip, |set: &mut Set| {
        set.take_random(1, &mut random, |member| {
            taken.note(member);
            reply_member(reply, member);
        });
        set.len()
    })?;
    match left {
        Some(left) => {
            call.store.changed_by_removal(key, Event::SPop, left);
            taken.tell(call.store, key);
        }
        None => call.reply.null(),
    }
    Ok(())
}

fn pop_several(call: &mut Call<'_>) -> Outcome {
    let count = count(call.arguments, 2)?;
    let key = call.key(1);
    let Some(set) = call.store.collection::<Set>(key, Access::Peek)? else {
        call.reply.set_len(0);
        return Ok(());
    };
    if count == 0 {
        call.reply.set_len(0);
    } else if count >= set.len() {
        reply_set(&mut call.reply, set);
        remove_popped(call, key);
    } else {
        let mut random = Random::new(call.store.random());
        let reply = &mut call.reply;
        reply.set_len(count);
        let mut taken = Taken::new(call.store);
        call.store.change_collection(key, Missing::Skip, |set: &mut Set| {
            set.take_random(count, &mut random, |member| {
                taken.note(member);
                reply_member(reply, member);
            });
        })?;
        call.store.changed(key, Event::SPop);
        taken.tell(call.store, key);
    }
    Ok(())
}

/// Removes a set all members of which were popped; a large one may be freed elsewhere.
fn remove_popped(call: &mut Call<'_>, key: Key<'_>) {
    let lazily = call.store.settings().lazyfree_lazy_server_del;
    call.store.remove(key, lazily);
    call.store.changed_by_removal(key, Event::SPop, 0);
    call.did(key, &[if lazily { b"UNLINK" } else { b"DEL" }, key.name]);
}

/// Members that were taken out at random, for the journal, if anybody listens.
struct Taken(Option<Vec<Vec<u8>>>);

impl Taken {
    fn new(store: &Store) -> Self {
        Self(store.journal.is_on().then(Vec::new))
    }

    fn note(&mut self, member: Member<'_>) {
        if let Some(members) = &mut self.0 {
            members.push(member.to_vec());
        }
    }

    fn tell(self, store: &mut Store, key: Key<'_>) {
        let Some(members) = self.0 else { return };
        let head: [&[u8]; 2] = [b"SREM", key.name];
        let parts: Vec<&[u8]> = head.into_iter().chain(members.iter().map(Vec::as_slice)).collect();
        store.journal.replace(key.db, &parts);
    }
}

/// SRANDMEMBER.
pub fn srandmember(call: &mut Call<'_>) -> Outcome {
    match call.arguments.len() {
        2 => draw_one(call),
        3 => draw_several(call),
        _ => Err(error::SYNTAX),
    }
}

fn draw_one(call: &mut Call<'_>) -> Outcome {
    let mut random = Random::new(call.store.random());
    let access = call.read_access();
    match call.store.collection::<Set>(call.key(1), access)? {
        Some(set) => reply_member(&mut call.reply, set.random(&mut random)),
        None => call.reply.null(),
    }
    Ok(())
}

fn draw_several(call: &mut Call<'_>) -> Outcome {
    let count = symmetric_integer(call.arguments, 2)?;
    let mut random = Random::new(call.store.random());
    let access = call.read_access();
    let Some(set) = call.store.collection::<Set>(call.key(1), access)? else {
        call.reply.array_len(0);
        return Ok(());
    };
    let reply = &mut call.reply;
    if count < 0 {
        if count.unsigned_abs() > DRAWS_MAX {
            return Err(error::NOT_SYMMETRIC);
        }
        reply.array_len(count.unsigned_abs() as usize);
        (0..count.unsigned_abs()).for_each(|_| reply_member(reply, set.random(&mut random)));
        return Ok(());
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
    reply.array_len(count);
    set.sample(count, &mut random, |member| reply_member(reply, member));
    Ok(())
}
