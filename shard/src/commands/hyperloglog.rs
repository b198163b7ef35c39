//! PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST: HyperLogLogs in string values.
//!
//! A HyperLogLog is looked at where it lies. Only when something changes is it copied, if it is
//! sparse and so changes its length, or changed in place, if it is dense; most elements of a busy
//! one change nothing. A command that meets corrupted bytes changes nothing.

use super::string_bytes::string_in;
use crate::call::Call;
use crate::error::{CommandError, Outcome};
use crate::event::Event;
use crate::hash::Seed;
use crate::hyperloglog::{
    Corrupted, Encoding, Histogram, Observation, Registers, Sketch, SketchBuf, raise_dense,
    self_test, set_cached_count,
};
use crate::object::Object;
use crate::store::{Access, Key};
use crate::table::{Entry, EntryMut, Value, ValueRef};
use crate::types::Type;

const NO_SKETCH: CommandError =
    CommandError::Fixed("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPTED: CommandError = CommandError::Fixed("INVALIDOBJ Corrupted HLL object detected");
const KEY_MISSING: CommandError = CommandError::Fixed("ERR The specified key does not exist");
const NOT_SPARSE: CommandError = CommandError::Fixed("ERR HLL encoding is not sparse");

impl From<Corrupted> for CommandError {
    fn from(_: Corrupted) -> Self {
        CORRUPTED
    }
}

/// The HyperLogLog in an entry.
fn sketch_in(entry: Entry<'_, Object>) -> Result<Sketch<'_>, CommandError> {
    let bytes = match string_in(entry)? {
        ValueRef::Bytes(bytes) => bytes,
        ValueRef::Shared(bytes) => bytes,
        ValueRef::Int(_) => return Err(NO_SKETCH),
        ValueRef::Object(_) => unreachable!("a string is no object"),
    };
    Sketch::new(bytes).ok_or(NO_SKETCH)
}

/// Lets `look` see the HyperLogLog at argument `index`, if the key is there.
fn read<R>(
    call: &mut Call<'_>,
    index: usize,
    look: impl FnOnce(Sketch<'_>) -> Result<R, CommandError>,
) -> Result<Option<R>, CommandError> {
    let access = call.read_access();
    let entry = call.store.find(call.key(index), access);
    entry.map(|entry| look(sketch_in(entry)?)).transpose()
}

fn sparse_size_max(call: &Call<'_>) -> usize {
    call.store.settings().hll_sparse_max_bytes
}

fn store(entry: &mut EntryMut<'_, Object, Seed>, sketch: SketchBuf) {
    entry.set_value(Type::RawString.kind(), Value::Bytes(sketch.as_sketch().bytes()));
}

/// PFADD.
pub fn pfadd(call: &mut Call<'_>) -> Outcome {
    let key = call.key(1);
    let size_max = sparse_size_max(call);
    let observations = call.arguments.from(2).map(Observation::of);
    let added = if let Some(mut entry) = call.store.find_mut(key) {
        add(&mut entry, observations, size_max)?
    } else {
        let mut sketch = SketchBuf::new();
        sketch.mark_stale();
        for observation in observations {
            sketch.raise(observation, size_max)?;
        }
        call.store.set(key, Type::RawString, Value::Bytes(sketch.as_sketch().bytes()), None);
        true
    };
    if added {
        call.store.changed(key, Event::PfAdd);
    }
    call.reply.integer(i64::from(added));
    Ok(())
}

/// Adds to a HyperLogLog that is there; whether that changed it.
fn add(
    entry: &mut EntryMut<'_, Object, Seed>,
    mut observations: impl Iterator<Item = Observation>,
    size_max: usize,
) -> Result<bool, CommandError> {
    let sketch = sketch_in(entry.as_entry())?;
    let (first, mark) = loop {
        let Some(observation) = observations.next() else { return Ok(false) };
        if let Some(mark) = sketch.rise(observation)? {
            break (observation, mark);
        }
    };
    match sketch.encoding() {
        Encoding::Dense => {
            entry.set_kind(Type::RawString.kind());
            raise_dense(entry.bytes_mut(0), std::iter::once(first).chain(observations));
        }
        Encoding::Sparse => {
            let mut changed = SketchBuf::copy_of(sketch);
            changed.raise_at(mark, first, size_max)?;
            for observation in observations {
                changed.raise(observation, size_max)?;
            }
            store(entry, changed);
        }
    }
    Ok(true)
}

/// PFCOUNT.
pub fn pfcount(call: &mut Call<'_>) -> Outcome {
    let count = if call.arguments.len() == 2 { count_one(call)? } else { count_union(call)? };
    call.reply.integer(count as i64);
    Ok(())
}

/// The count of one HyperLogLog, which keeps it until it changes.
fn count_one(call: &mut Call<'_>) -> Result<u64, CommandError> {
    let counted = read(call, 1, |sketch| match sketch.cached_count() {
        Some(count) => Ok((count, true)),
        None => Ok((sketch.count()?, false)),
    })?;
    let (count, was_cached) = counted.unwrap_or((0, true));
    let key = call.key(1);
    if !was_cached {
        if let Some(mut entry) = call.store.find_mut(key) {
            entry.set_kind(Type::RawString.kind());
            set_cached_count(entry.bytes_mut(0), count);
        }
        call.store.changed_quietly(key);
    }
    Ok(count)
}

fn count_union(call: &mut Call<'_>) -> Result<u64, CommandError> {
    let mut registers = Registers::new();
    for index in 1..call.arguments.len() {
        read(call, index, |sketch| Ok(sketch.merge_into(&mut registers)?))?;
    }
    let mut histogram = Histogram::default();
    histogram.add_ranks(registers.ranks());
    Ok(histogram.estimate())
}

/// PFMERGE. The destination is one of the sources.
pub fn pfmerge(call: &mut Call<'_>) -> Outcome {
    let mut registers = Registers::new();
    let mut any_dense = false;
    for index in 1..call.arguments.len() {
        read(call, index, |sketch| {
            any_dense |= sketch.encoding() == Encoding::Dense;
            Ok(sketch.merge_into(&mut registers)?)
        })?;
    }
    let (key, size_max) = (call.key(1), sparse_size_max(call));
    let merge = |mut sketch: SketchBuf| -> Result<SketchBuf, Corrupted> {
        if any_dense {
            sketch.replace_by_dense(&registers);
        } else {
            sketch.raise_all(&registers, size_max)?;
        }
        sketch.mark_stale();
        Ok(sketch)
    };
    if let Some(mut entry) = call.store.find_mut(key) {
        let present = SketchBuf::copy_of(sketch_in(entry.as_entry())?);
        store(&mut entry, merge(present)?);
    } else {
        let merged = merge(SketchBuf::new())?;
        call.store.set(key, Type::RawString, Value::Bytes(merged.as_sketch().bytes()), None);
    }
    call.store.changed(key, Event::PfAdd);
    call.reply.ok();
    Ok(())
}

/// PFDEBUG.
pub fn pfdebug(call: &mut Call<'_>) -> Outcome {
    let key = call.key(2);
    let sketch = sketch_in(call.store.find(key, Access::Peek).ok_or(KEY_MISSING)?)?;
    let arguments = call.arguments;
    match () {
        () if arguments.is(1, "getreg") => get_registers(call, key),
        () if arguments.is(1, "decode") => {
            let runs = sketch.describe_runs().ok_or(NOT_SPARSE)??;
            call.reply.bulk(runs.as_bytes());
            Ok(())
        }
        () if arguments.is(1, "encoding") => {
            call.reply.simple(sketch.encoding().name());
            Ok(())
        }
        () if arguments.is(1, "todense") => {
            let converted = make_dense(call, key)?;
            call.reply.integer(i64::from(converted));
            Ok(())
        }
        () => {
            let name = String::from_utf8_lossy(arguments.at(1));
            Err(CommandError::worded(format!("ERR Unknown PFDEBUG subcommand '{name}'")))
        }
    }
}

/// Gives the HyperLogLog at `key` the dense encoding; whether it had another.
fn make_dense(call: &mut Call<'_>, key: Key<'_>) -> Result<bool, CommandError> {
    let mut entry = call.store.find_mut(key).ok_or(KEY_MISSING)?;
    let sketch = sketch_in(entry.as_entry())?;
    if sketch.encoding() == Encoding::Dense {
        return Ok(false);
    }
    let mut converted = SketchBuf::copy_of(sketch);
    converted.make_dense()?;
    store(&mut entry, converted);
    drop(entry);
    call.store.changed_quietly(key);
    Ok(true)
}

/// PFDEBUG GETREG: makes it dense, as Redis does, and shows all registers.
fn get_registers(call: &mut Call<'_>, key: Key<'_>) -> Outcome {
    make_dense(call, key)?;
    let mut registers = Registers::new();
    let entry = call.store.find(key, Access::Peek).ok_or(KEY_MISSING)?;
    sketch_in(entry)?.merge_into(&mut registers)?;
    call.reply.array_len(registers.ranks().len());
    registers.ranks().iter().for_each(|rank| call.reply.integer(i64::from(*rank)));
    Ok(())
}

/// PFSELFTEST.
pub fn pfselftest(call: &mut Call<'_>) -> Outcome {
    let size_max = sparse_size_max(call);
    self_test(|| call.store.random(), size_max)
        .map_err(|failure| CommandError::worded(format!("ERR {failure}")))?;
    call.reply.ok();
    Ok(())
}
