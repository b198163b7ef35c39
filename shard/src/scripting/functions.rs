//! Libraries of functions: the same for all cores at any moment.
//!
//! A set of libraries is immutable; a change makes a new one, which a tour brings to all cores.
//! Each core loads the code into a machine of its own when a function is called there for the first
//! time after a change. Before a library is taken in, its code has run once in a machine that is
//! thrown away, which tells what functions there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::api::{push_error, raise};
use super::declared::registers_only_declared_keys;
use super::lua::machine::Machine;
use super::lua::{Kind, Lua, REGISTRY, Raise};
use super::run::Run;
use super::sandbox;
use super::source::ScriptFlags;
use crate::arguments::Arguments;
use crate::core::Core;
use crate::core::message::Caller;
use crate::error::CommandError;

/// How long the code of a library may run while it is loaded, in milliseconds.
pub(super) const LOAD_MS_MAX: u64 = 500;

const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and \
                        must be at least one character long";

/// What is known about a function without running it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, unique among all libraries.
    pub name: String,
    /// What it does, in the words of its library.
    pub description: Option<Vec<u8>>,
    /// What it says about itself.
    pub flags: ScriptFlags,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its text, first line included.
    pub text: Box<[u8]>,
    /// Its functions, by name.
    pub functions: Vec<Function>,
    /// It can be seen from its text that they touch no keys they are not given.
    pub is_declared: bool,
    /// One of them has been found to need all slots at hand.
    needs_all: AtomicBool,
}

impl Library {
    /// Reads a text: its first line and, by running it, its functions.
    ///
    /// # Errors
    /// When it is no library, or the code fails.
    pub fn new(core: &mut Core, text: &[u8]) -> Result<Self, CommandError> {
        let (name, code_start) = read_first_line(text)?;
        if !is_name(name.as_bytes()) {
            return Err(worded(BAD_NAME));
        }
        let mut machine = Machine::new();
        sandbox::furnish_for_functions(&machine);
        let registry = load(core, &mut machine, &text[code_start..], sandbox::FIRST_FUNCTION)?;
        if registry.functions.is_empty() {
            return Err(worded("No functions registered"));
        }
        let mut functions: Vec<Function> =
            registry.functions.into_iter().map(|(function, _)| function).collect();
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        let is_declared = registers_only_declared_keys(&text[code_start..]);
        let needs_all = AtomicBool::new(false);
        Ok(Self { name, text: text.into(), functions, is_declared, needs_all })
    }

    /// Whether one of its functions has been found to need all slots.
    pub fn needs_all(&self) -> bool {
        self.needs_all.load(Relaxed)
    }

    /// Notes that one of its functions needs all slots.
    pub fn note_needs_all(&self) {
        self.needs_all.store(true, Relaxed);
    }
}

fn worded(text: &str) -> CommandError {
    CommandError::worded(format!("ERR {text}"))
}

/// A name as it is compared: in lower case.
pub(super) fn folded(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The name of a library, and where its code begins.
pub(super) fn read_first_line(text: &[u8]) -> Result<(String, usize), CommandError> {
    if !text.starts_with(b"#!") {
        return Err(worded("Missing library metadata"));
    }
    let end = memchr::memchr(b'\n', text).ok_or_else(|| worded("Invalid library metadata"))?;
    // Quotes may stand around a value; what they could protect is in no name that is accepted.
    let line = String::from_utf8_lossy(&text[..end]).replace('"', "");
    let mut words = line.split_ascii_whitespace();
    let engine = &words.next().unwrap_or("#!")[2..];
    let mut name = None;
    for word in words {
        let is_name = word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("name="));
        if !is_name {
            return Err(worded(&format!("Invalid metadata value given: {word}")));
        }
        if name.is_some() {
            let text = "Invalid metadata value, name argument was given multiple times";
            return Err(worded(text));
        }
        name = Some(word[5..].to_owned());
    }
    let name = name.ok_or_else(|| worded("Library name was not given"))?;
    if is_name(name.as_bytes()) && !engine.eq_ignore_ascii_case("lua") {
        return Err(worded(&format!("Engine '{engine}' not found")));
    }
    Ok((name, end))
}

/// A change of the libraries.
pub enum Change {
    /// One more, in place of one of the same name if that is wanted.
    Load(Arc<Library>, bool),
    /// One less.
    Delete(Vec<u8>),
    /// None any more.
    Flush,
    /// These and no others.
    ReplaceAll(Vec<Arc<Library>>),
    /// These as well, in place of those of the same name if that is wanted.
    Join(Vec<Arc<Library>>, bool),
}

/// All libraries at a moment. Names are compared without regard to case.
#[derive(Debug, Default)]
pub struct Libraries {
    libraries: BTreeMap<String, Arc<Library>>,
    functions: BTreeMap<String, (Arc<Library>, usize)>,
    /// Different from that of every other set.
    version: u64,
}

impl Libraries {
    /// What results from a change.
    ///
    /// # Errors
    /// When a name is taken already, or there is nothing to delete.
    pub fn after(&self, change: &Change) -> Result<Self, CommandError> {
        let mut libraries = self.libraries.clone();
        match change {
            Change::Load(library, replaces) => {
                if !replaces && libraries.contains_key(&folded(library.name.as_bytes())) {
                    let text = format!("Library '{}' already exists", library.name);
                    return Err(worded(&text));
                }
                add(&mut libraries, library, true)?;
            }
            Change::Delete(name) => {
                libraries.remove(&folded(name)).ok_or_else(|| worded("Library not found"))?;
            }
            Change::Flush => libraries.clear(),
            Change::ReplaceAll(all) => {
                libraries.clear();
                all.iter().try_for_each(|library| add(&mut libraries, library, false))?;
            }
            Change::Join(all, replaces) => {
                all.iter().try_for_each(|library| add(&mut libraries, library, *replaces))?;
            }
        }
        let mut functions = BTreeMap::new();
        for library in libraries.values() {
            for (index, function) in library.functions.iter().enumerate() {
                let place = (Arc::clone(library), index);
                let name = folded(function.name.as_bytes());
                if functions.insert(name, place).is_some() {
                    return Err(worded(&format!("Function {} already exists", function.name)));
                }
            }
        }
        Ok(Self { libraries, functions, version: self.version + 1 })
    }

    /// The libraries, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Library>> {
        self.libraries.values()
    }

    /// Number of functions of all libraries.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// Changes with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Facts about a function, and its library.
    pub fn function(&self, name: &[u8]) -> Option<(&Function, &Arc<Library>)> {
        let (library, index) = self.functions.get(&folded(name))?;
        Some((library.functions.get(*index)?, library))
    }

    /// Memory of the texts, in bytes.
    pub fn bytes(&self) -> usize {
        self.libraries.values().map(|library| size_of::<Library>() + library.text.len()).sum()
    }
}

fn add(
    libraries: &mut BTreeMap<String, Arc<Library>>,
    library: &Arc<Library>,
    replaces: bool,
) -> Result<(), CommandError> {
    let name = folded(library.name.as_bytes());
    if !replaces && libraries.contains_key(&name) {
        return Err(worded(&format!("Library {} already exists", library.name)));
    }
    libraries.insert(name, Arc::clone(library));
    Ok(())
}

/// A core's machine with the functions of a set of libraries.
pub(crate) struct FunctionMachine {
    pub(super) machine: Machine,
    version: u64,
    /// Where in the registry the functions are.
    places: BTreeMap<String, i32>,
}

impl FunctionMachine {
    /// Loads all libraries of a set.
    pub(super) fn new(core: &mut Core, libraries: &Libraries) -> Self {
        let mut machine = Machine::new();
        sandbox::furnish_for_functions(&machine);
        let mut places = BTreeMap::new();
        let mut next = sandbox::FIRST_FUNCTION;
        for library in libraries.iter() {
            let end = memchr::memchr(b'\n', &library.text).expect("it has a first line");
            // What it did when it was taken in it will do again, unless it draws lots; then its
            // functions are not found.
            if let Ok(registry) = load(core, &mut machine, &library.text[end..], next) {
                next = registry.next;
                places.extend(registry.functions.into_iter().map(|(f, place)| (f.name, place)));
            }
        }
        Self { machine, version: libraries.version, places }
    }

    /// Whether these are the libraries that it has.
    pub(super) fn is_current(&self, libraries: &Libraries) -> bool {
        self.version == libraries.version
    }

    /// Where in the registry a function is.
    pub(super) fn place(&self, name: &[u8]) -> Option<i32> {
        self.places.get(std::str::from_utf8(name).ok()?).copied()
    }
}

/// Functions that the code of a library has registered so far.
pub(crate) struct Registry {
    functions: Vec<(Function, i32)>,
    /// The next free element of the machine's registry.
    next: i32,
}

/// Runs the code of a library.
fn load(
    core: &mut Core,
    machine: &mut Machine,
    code: &[u8],
    next: i32,
) -> Result<Registry, CommandError> {
    let lua = machine.lua();
    sandbox::restore_globals(lua);
    sandbox::show_globals(lua, true);
    let mut run = Run::new(core, Caller::default(), Arguments::new(&[], &[]));
    run.is_eval = false;
    run.registry = Some(Registry { functions: Vec::new(), next });
    let outcome = machine.enter(&mut run, |lua| match lua.load(code, c"@user_function") {
        Err(Raise) => Err(format!("Error compiling function: {}", error_text(lua))),
        Ok(()) => lua
            .call(0, 0, 0)
            .map_err(|Raise| format!("Error registering functions: {}", error_text(lua))),
    });
    lua.set_aborting(false);
    sandbox::show_globals(lua, false);
    lua.set_top(0);
    let registry = run.registry.take().expect("it was put there above");
    run.end();
    outcome.map(|()| registry).map_err(|text| worded(&text))
}

/// The text of the error on top of the stack.
fn error_text(lua: Lua) -> String {
    if lua.kind(-1) == Kind::Table {
        lua.push_field(-1, "err");
    }
    String::from_utf8_lossy(lua.bytes(-1).unwrap_or(b"execution failure")).into_owned()
}

/// `redis.register_function`, which only the code of a library sees.
pub(super) fn register(lua: Lua) -> Result<i32, Raise> {
    let mut function =
        Function { name: String::new(), description: None, flags: ScriptFlags::default() };
    let read = match lua.top() {
        1 => read_named(lua, &mut function),
        2 => read_two(lua, &mut function),
        _ => Err("wrong number of arguments to redis.register_function"),
    };
    if let Err(text) = read {
        return raise(lua, text);
    }
    if !is_name(function.name.as_bytes()) {
        return raise(lua, BAD_NAME);
    }
    // The code to call is on top of the stack.
    let place = lua.with_run(|run| {
        let Some(registry) = &mut run.registry else {
            return Err("redis.register_function can only be called on FUNCTION LOAD command");
        };
        if registry.functions.iter().any(|(other, _)| other.name == function.name) {
            return Err("Function already exists in the library");
        }
        let place = registry.next;
        registry.next += 1;
        registry.functions.push((function, place));
        Ok(place)
    });
    match place {
        Some(Ok(place)) => {
            lua.set_element(REGISTRY, place);
            Ok(0)
        }
        Some(Err(text)) => raise(lua, text),
        None => {
            push_error(lua, "redis.register_function can only be called on FUNCTION LOAD command");
            Err(Raise)
        }
    }
}

fn text_at(lua: Lua, index: i32) -> Option<Vec<u8>> {
    if lua.is_string(index) { lua.bytes(index).map(<[u8]>::to_vec) } else { None }
}

fn name_of(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Name and code.
fn read_two(lua: Lua, function: &mut Function) -> Result<(), &'static str> {
    let name =
        text_at(lua, 1).ok_or("first argument to redis.register_function must be a string")?;
    if lua.kind(2) != Kind::Function {
        return Err("second argument to redis.register_function must be a function");
    }
    function.name = name_of(name);
    Ok(())
}

/// A table with everything; leaves the code on top of the stack.
fn read_named(lua: Lua, function: &mut Function) -> Result<(), &'static str> {
    if lua.kind(1) != Kind::Table {
        return Err(
            "calling redis.register_function with a single argument is only applicable to \
                    Lua table (representing named arguments).",
        );
    }
    let (mut has_name, mut has_callback) = (false, false);
    // Where the code will stay.
    lua.push_nil();
    lua.push_nil();
    while lua.next(1) {
        if lua.kind(-2) != Kind::String {
            return Err("named argument key given to redis.register_function is not a string");
        }
        let key = lua.bytes(-2).unwrap_or_default().to_ascii_lowercase();
        match &key[..] {
            b"function_name" => {
                function.name = text_at(lua, -1).map(name_of).ok_or(
                    "function_name argument given to redis.register_function must be a string",
                )?;
                has_name = true;
            }
            b"description" => {
                let text = text_at(lua, -1).ok_or(
                    "description argument given to redis.register_function must be a string",
                )?;
                function.description = Some(text);
            }
            b"callback" => {
                if lua.kind(-1) != Kind::Function {
                    return Err(
                        "callback argument given to redis.register_function must be a function",
                    );
                }
                lua.push_copy(-1);
                lua.replace(2);
                has_callback = true;
            }
            b"flags" => function.flags = read_flags(lua)?,
            _ => return Err("unknown argument given to redis.register_function"),
        }
        lua.pop(1);
    }
    match (has_name, has_callback) {
        (false, _) => Err("redis.register_function must get a function name argument"),
        (true, false) => Err("redis.register_function must get a callback argument"),
        (true, true) => Ok(()),
    }
}

/// The flags in the table on top of the stack.
fn read_flags(lua: Lua) -> Result<ScriptFlags, &'static str> {
    if lua.kind(-1) != Kind::Table {
        return Err("flags argument to redis.register_function must be a table representing \
                    function flags");
    }
    let mut flags = ScriptFlags::default();
    for number in 1.. {
        if lua.push_element(-1, number) == Kind::Nil {
            lua.pop(1);
            break;
        }
        let name = text_at(lua, -1).unwrap_or_default().to_ascii_lowercase();
        lua.pop(1);
        flags = flags.with(ScriptFlags::named(&name).ok_or("unknown flag given")?);
    }
    Ok(flags)
}
