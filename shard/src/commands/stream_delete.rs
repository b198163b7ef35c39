//! Entries that are done with: XDEL, XDELEX, XACK, XACKDEL.

use super::operand::count_from;
use super::stream::has_stream;
use super::stream_add::references_at;
use super::stream_id::{id_at, ids_from};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::error::{self, CommandError, Outcome};
use crate::event::Event;
use crate::object::Missing;
use crate::stream::{Deletion, References, Stream, StreamId};

/// XDEL.
pub fn xdel(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    if !has_stream(call, key)? {
        call.reply.integer(0);
        return Ok(());
    }
    let ids = ids_from(call.arguments, 2)?;
    let deleted = call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
        ids.into_iter().filter(|id| stream.log_mut().delete(*id)).count()
    })?;
    let deleted = deleted.expect("the stream is there");
    if deleted > 0 {
        call.store.changed(key, Event::XDel);
    }
    call.reply.integer(deleted as i64);
    Ok(())
}

/// `[KEEPREF|DELREF|ACKED] IDS numids id [id ...]`, in this or another order.
struct Selection {
    references: References,
    ids: Vec<StreamId>,
}

impl Selection {
    fn parse(arguments: Arguments<'_>, first: usize) -> Result<Self, CommandError> {
        const BAD_COUNT: CommandError =
            CommandError::Fixed("ERR Number of IDs must be a positive integer");
        const COUNT_MISMATCH: CommandError =
            CommandError::Fixed("ERR The `numids` parameter must match the number of arguments");
        let (mut references, mut ids) = (None, None);
        let mut index = first;
        while index < arguments.len() {
            if let Some(named) = references_at(arguments, index) {
                if references.replace(named).is_some() {
                    return Err(error::SYNTAX);
                }
                index += 1;
            } else if ids.is_none() && arguments.is(index, "ids") && index + 1 < arguments.len() {
                let count = count_from(1, arguments, index + 1, BAD_COUNT)?;
                if count > arguments.len() - (index + 2) {
                    return Err(COUNT_MISMATCH);
                }
                ids = Some(index + 2..index + 2 + count);
                index += 2 + count;
            } else if ids.is_some() && references.is_none() {
                return Err(COUNT_MISMATCH);
            } else {
                return Err(error::SYNTAX);
            }
        }
        let ids = ids.ok_or(error::SYNTAX)?.map(|index| id_at(arguments, index));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { references: references.unwrap_or_default(), ids })
    }
}

fn code_of(deletion: Deletion) -> i64 {
    match deletion {
        Deletion::Missing => -1,
        Deletion::Done => 1,
        Deletion::Spared => 2,
    }
}

/// XDELEX.
pub fn xdelex(call: &mut Call<'_>) -> Outcome {
    let selection = Selection::parse(call.arguments, 2)?;
    let references = selection.references;
    let key = call.key(1);
    let deletions = call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
        selection.ids.iter().map(|id| stream.delete(*id, references)).collect::<Vec<_>>()
    })?;
    let deletions = deletions.unwrap_or_else(|| vec![Deletion::Missing; selection.ids.len()]);
    if deletions.contains(&Deletion::Done) {
        call.store.changed(key, Event::XDel);
    }
    call.reply.array_len(deletions.len());
    deletions.into_iter().for_each(|deletion| call.reply.integer(code_of(deletion)));
    Ok(())
}

/// XACK.
pub fn xack(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let group = call.arguments.at(2);
    let access = call.read_access();
    let stream = call.store.collection::<Stream>(key, access)?;
    if stream.is_none_or(|stream| stream.group(group).is_none()) {
        call.reply.integer(0);
        return Ok(());
    }
    let ids = ids_from(call.arguments, 3)?;
    let acknowledged =
        call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
            stream.change_group(group, |group, _| {
                ids.into_iter().filter(|id| group.acknowledge(*id)).count()
            })
        })?;
    let acknowledged = acknowledged.flatten().expect("stream and group are there");
    if acknowledged > 0 {
        call.store.changed_quietly(key);
    }
    call.reply.integer(acknowledged as i64);
    Ok(())
}

/// XACKDEL.
pub fn xackdel(call: &mut Call<'_>) -> Outcome {
    let selection = Selection::parse(call.arguments, 3)?;
    let references = selection.references;
    let (key, group) = (call.key(1), call.arguments.at(2));
    let outcome = call.store.change_collection(key, Missing::Skip, |stream: &mut Stream| {
        let acknowledge_and_delete = |id: &StreamId| {
            let was_pending = stream.change_group(group, |group, _| group.acknowledge(*id));
            if was_pending == Some(true) {
                (true, stream.delete(*id, references))
            } else {
                (false, Deletion::Missing)
            }
        };
        selection.ids.iter().map(acknowledge_and_delete).collect::<Vec<_>>()
    })?;
    let outcome = outcome.unwrap_or_else(|| vec![(false, Deletion::Missing); selection.ids.len()]);
    if outcome.iter().any(|(_, deletion)| *deletion == Deletion::Done) {
        call.store.changed(key, Event::XDel);
    } else if outcome.iter().any(|(was_pending, _)| *was_pending) {
        call.store.changed_quietly(key);
    }
    call.reply.array_len(outcome.len());
    for (was_pending, deletion) in outcome {
        // An entry that had gone before it was acknowledged counts as deleted.
        let is_gone = was_pending && deletion == Deletion::Missing;
        call.reply.integer(if is_gone { 1 } else { code_of(deletion) });
    }
    Ok(())
}
