//! What a core needs to run scripts: its machines, made when they are first needed, and what they
//! have compiled.

use std::collections::HashMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::api::Face;
use super::cache::ScriptCache;
use super::functions::{FunctionMachine, Libraries, Library};
use super::lua::machine::{Attention, Machine};
use super::lua::{GLOBALS, Lua, REGISTRY, Raise};
use super::run::{Buffers, Need, Reach, Run};
use super::source::{Script, ScriptFlags, Sha, sha_from, sha_of};
use super::{sandbox, to_reply};
use crate::arguments::Arguments;
use crate::command::Command;
use crate::core::Core;
use crate::core::message::Caller;
use crate::error::{self, CommandError};
use crate::number::parse_integer;
use crate::reply::Reply;

const NO_SCRIPT: CommandError =
    CommandError::Fixed("NOSCRIPT No matching script. Please use EVAL.");

/// Compiled scripts from which on those that are not cached any more are looked for.
const SWEEP_MIN: usize = 1024;

/// The state of `math.random` after a seed of zero.
const RANDOM_START: u64 = 0x330E;

/// Scripting of one core.
pub struct Scripting {
    /// For `EVAL`.
    pub(super) scripts: Option<Machine>,
    compiled: HashMap<Sha, Compiled>,
    /// What EVALSHA asked for last, which it often asks for again.
    last: Option<Compiled>,
    /// Digests by a hash of the text: `EVAL` of a known text works out no digest.
    digests: HashMap<u64, Sha>,
    generation: u64,
    next_place: i32,
    free_places: Vec<i32>,
    sweep_at: usize,
    /// For functions.
    pub(super) functions: Option<FunctionMachine>,
    /// The libraries in force.
    pub libraries: Arc<Libraries>,
    pub(super) random: u64,
    pub(super) buffers: Buffers,
    /// Scripts may run what they otherwise may not (`DEBUG SET-DISABLE-DENY-SCRIPTS`).
    pub allows_everything: bool,
    /// Runs since garbage was collected a little.
    pub(super) runs: u32,
}

#[derive(Clone)]
pub(crate) struct Compiled {
    pub(crate) script: Arc<Script>,
    pub(super) place: i32,
}

impl Default for Scripting {
    fn default() -> Self {
        Self {
            scripts: None,
            compiled: HashMap::new(),
            last: None,
            digests: HashMap::new(),
            generation: 0,
            next_place: sandbox::FIRST_FUNCTION,
            free_places: Vec::new(),
            sweep_at: SWEEP_MIN,
            functions: None,
            libraries: Arc::default(),
            random: RANDOM_START,
            buffers: Buffers::default(),
            allows_everything: false,
            runs: 0,
        }
    }
}

impl Scripting {
    /// Scripting of a core whose `math.random` begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: seed & 0xFFFF_FFFF_FFFF, ..Self::default() }
    }

    /// Memory of the machine for scripts and of that for functions, in bytes.
    pub fn machine_bytes(&self) -> (usize, usize) {
        let scripts = self.scripts.as_ref().map_or(0, Machine::used_bytes);
        let functions = self.functions.as_ref().map_or(0, |some| some.machine.used_bytes());
        (scripts, functions)
    }

    /// Forgets everything compiled before the last flush.
    fn keep_up(&mut self, cache: &ScriptCache) {
        let generation = cache.generation();
        if self.generation != generation {
            self.generation = generation;
            self.scripts = None;
            self.compiled.clear();
            self.last = None;
            self.digests.clear();
            self.free_places.clear();
            self.next_place = sandbox::FIRST_FUNCTION;
        }
    }

    /// Begins the numbers of `math.random` where servers before Redis 7 began them for each script.
    pub(super) fn begin_random_anew(&mut self) {
        self.random = RANDOM_START;
    }

    /// What was compiled of a text with that hash.
    fn known_text(&self, hash: u64, text: &[u8]) -> Option<&Compiled> {
        let known = self.digests.get(&hash).and_then(|sha| self.known(sha));
        known.filter(|compiled| *compiled.script.text == *text)
    }

    /// Whether the script that is this text is compiled here and still cached.
    pub(super) fn has_text(&self, text: &[u8]) -> bool {
        self.known_text(xxh3_64(text), text).is_some()
    }

    fn known(&self, sha: &Sha) -> Option<&Compiled> {
        let is_it = |last: &&Compiled| last.script.sha == *sha;
        let found = self.last.as_ref().filter(is_it).or_else(|| self.compiled.get(sha));
        found.filter(|compiled| compiled.script.is_cached())
    }

    /// The script a command asks for, if it is known already and this is no function.
    pub(crate) fn known_script(
        &self,
        cache: &ScriptCache,
        row: &Command,
        arguments: Arguments<'_>,
    ) -> Option<Arc<Script>> {
        let argument = arguments.get(1)?;
        let sha = match row.name {
            "evalsha" | "evalsha_ro" => sha_from(argument)?,
            "eval" | "eval_ro" => match self.digests.get(&xxh3_64(argument)) {
                Some(sha) => *sha,
                None => sha_of(argument),
            },
            _ => return None,
        };
        let known = self.known(&sha).map(|compiled| Arc::clone(&compiled.script));
        let script = known.or_else(|| cache.find(&sha))?;
        let is_it = row.name.starts_with("evalsha") || *script.text == *argument;
        is_it.then_some(script)
    }

    /// The script `EVALSHA` names.
    ///
    /// # Errors
    /// `NOSCRIPT`, if there is none.
    pub(crate) fn by_digest(
        &mut self,
        cache: &ScriptCache,
        argument: &[u8],
    ) -> Result<Compiled, CommandError> {
        self.keep_up(cache);
        let sha = sha_from(argument).ok_or(NO_SCRIPT)?;
        if let Some(compiled) = self.known(&sha).cloned() {
            if self.last.as_ref().is_none_or(|last| last.place != compiled.place) {
                self.last = Some(compiled.clone());
            }
            return Ok(compiled);
        }
        let script = cache.find(&sha).ok_or(NO_SCRIPT)?;
        self.compile(script)
    }

    /// The script that is this text, which `EVAL` brought, or `SCRIPT LOAD` if `is_loaded`.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn by_text(
        &mut self,
        cache: &ScriptCache,
        text: &[u8],
        is_loaded: bool,
    ) -> Result<Compiled, CommandError> {
        self.keep_up(cache);
        let hash = xxh3_64(text);
        if !is_loaded && let Some(compiled) = self.known_text(hash, text) {
            return Ok(compiled.clone());
        }
        let script = Script::new(text)?;
        // Only what compiles is kept for others.
        let compiled = match self.known(&script.sha) {
            Some(_) => cache.keep(script, is_loaded),
            None => {
                self.try_compile(&script)?;
                cache.keep(script, is_loaded)
            }
        };
        self.digests.insert(hash, compiled.sha);
        match self.known(&compiled.sha) {
            Some(known) => Ok(known.clone()),
            None => self.compile(compiled),
        }
    }

    fn machine(&mut self) -> &mut Machine {
        self.scripts.get_or_insert_with(|| {
            let machine = Machine::new();
            sandbox::furnish(&machine, Face::Scripts);
            machine
        })
    }

    fn try_compile(&mut self, script: &Script) -> Result<(), CommandError> {
        let lua = self.machine().lua();
        sandbox::restore_globals(lua);
        let outcome = lua.load(script.code(), c"@user_script").map_err(|Raise| {
            let text = String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).into_owned();
            CommandError::worded(format!("ERR Error compiling script (new function): {text}"))
        });
        lua.set_top(0);
        outcome
    }

    fn compile(&mut self, script: Arc<Script>) -> Result<Compiled, CommandError> {
        if self.compiled.len() >= self.sweep_at {
            self.sweep();
        }
        self.last = None;
        if let Some(old) = self.compiled.remove(&script.sha) {
            self.free_places.push(old.place);
        }
        let lua = self.machine().lua();
        sandbox::restore_globals(lua);
        if let Err(Raise) = lua.load(script.code(), c"@user_script") {
            let text = String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).into_owned();
            lua.set_top(0);
            let text = format!("ERR Error compiling script (new function): {text}");
            return Err(CommandError::worded(text));
        }
        let place = self.free_places.pop().unwrap_or_else(|| {
            self.next_place += 1;
            self.next_place - 1
        });
        lua.set_element(REGISTRY, place);
        let compiled = Compiled { script, place };
        self.compiled.insert(compiled.script.sha, compiled.clone());
        Ok(compiled)
    }

    /// Forgets what is not cached any more.
    fn sweep(&mut self) {
        self.last = None;
        let Self { compiled, digests, free_places, scripts, .. } = self;
        compiled.retain(|_, entry| {
            if !entry.script.is_cached() {
                free_places.push(entry.place);
                if let Some(machine) = scripts {
                    machine.lua().push_nil();
                    machine.lua().set_element(REGISTRY, entry.place);
                }
            }
            entry.script.is_cached()
        });
        digests.retain(|_, sha| compiled.contains_key(sha));
        self.sweep_at = (2 * self.compiled.len()).max(SWEEP_MIN);
    }
}

/// A command that asks for a script to be run.
pub(crate) struct Asked<'a> {
    pub(crate) row: &'static Command,
    pub(crate) caller: Caller,
    pub(crate) arguments: Arguments<'a>,
}

const TOO_MANY_KEYS: CommandError =
    CommandError::Fixed("ERR Number of keys can't be greater than number of args");
const NEGATIVE_KEYS: CommandError = CommandError::Fixed("ERR Number of keys can't be negative");
const BAD_KEYS: CommandError = CommandError::Fixed("ERR Bad number of keys provided");
const NO_FUNCTION: CommandError = CommandError::Fixed("ERR Function not found");
const WRITES_IN_READ_ONLY: CommandError =
    CommandError::Fixed("ERR Can not execute a script with write flag using *_ro command.");
const NO_OOM_FLAG: CommandError = CommandError::Fixed(
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);

/// What is to be run.
enum Subject {
    Script(Compiled),
    Function { name: String, flags: ScriptFlags, library: Arc<Library> },
}

impl Subject {
    fn flags(&self) -> ScriptFlags {
        match self {
            Self::Script(compiled) => compiled.script.flags,
            Self::Function { flags, .. } => *flags,
        }
    }

    fn is_declared(&self) -> bool {
        match self {
            Self::Script(compiled) => compiled.script.is_declared,
            Self::Function { library, .. } => library.is_declared,
        }
    }

    fn needs_all(&self) -> bool {
        match self {
            Self::Script(compiled) => compiled.script.needs_all(),
            Self::Function { library, flags, .. } => {
                library.needs_all() && !flags.contains(ScriptFlags::NO_WRITES)
            }
        }
    }

    fn note_needs_all(&self) {
        match self {
            Self::Script(compiled) => compiled.script.note_needs_all(),
            Self::Function { library, .. } => library.note_needs_all(),
        }
    }
}

/// Calls of scripts between two steps of garbage collection, and the size of a step.
const GARBAGE_PERIOD: u32 = 50;

impl<'a> Asked<'a> {
    /// Runs the script at `core` and writes its reply, or says what it needs.
    pub(crate) fn run(
        &self,
        core: &mut Core,
        reach: Reach,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Need>, CommandError> {
        let subject = self.find(core)?;
        let key_count = self.key_count(matches!(subject, Subject::Function { .. }))?;
        let flags = subject.flags();
        let is_read_only = self.row.name.ends_with("_ro");
        let is_short = core.is_short_of_memory();
        if !flags.contains(ScriptFlags::COMPATIBLE) && !flags.contains(ScriptFlags::NO_WRITES) {
            if is_read_only {
                return Err(WRITES_IN_READ_ONLY);
            }
            if is_short && !flags.contains(ScriptFlags::ALLOW_OOM) {
                return Err(NO_OOM_FLAG);
            }
        }
        let reach = match reach {
            Reach::Unknown if subject.needs_all() => return Ok(Some(Need::Everything)),
            Reach::Unknown if subject.is_declared() => Reach::Declared,
            reach => reach,
        };
        let mut run = Run::new(core, self.caller, self.arguments);
        run.reach = reach;
        run.is_short_of_memory = is_short;
        run.allows_oom = flags.contains(ScriptFlags::ALLOW_OOM);
        run.is_read_only = is_read_only || flags.contains(ScriptFlags::NO_WRITES);
        let outcome = match &subject {
            Subject::Script(compiled) => {
                compiled.script.note_run();
                self.run_script(&mut run, compiled, key_count, reply)
            }
            Subject::Function { name, .. } => self.run_function(&mut run, name, key_count, reply),
        };
        let need = run.need.take();
        run.end();
        if let Some(Need::Everything) = need {
            subject.note_needs_all();
        }
        match need {
            Some(need) => Ok(Some(need)),
            None => outcome.map(|()| None),
        }
    }

    fn find(&self, core: &mut Core) -> Result<Subject, CommandError> {
        let shared = Arc::clone(core.shared());
        let argument = self.arguments.at(1);
        match self.row.name {
            "eval" | "eval_ro" => {
                self.key_count(false)?;
                core.scripting.by_text(&shared.scripts, argument, false).map(Subject::Script)
            }
            "evalsha" | "evalsha_ro" => {
                self.key_count(false)?;
                core.scripting.by_digest(&shared.scripts, argument).map(Subject::Script)
            }
            _ => {
                let found = core.scripting.libraries.function(argument);
                let (function, library) = found.ok_or(NO_FUNCTION)?;
                let (name, library) = (function.name.clone(), Arc::clone(library));
                Ok(Subject::Function { name, flags: function.flags, library })
            }
        }
    }

    fn key_count(&self, is_function: bool) -> Result<usize, CommandError> {
        let not_a_number = if is_function { BAD_KEYS } else { error::NOT_AN_INTEGER };
        let count = parse_integer(self.arguments.at(2)).ok_or(not_a_number)?;
        if count > self.arguments.len() as i64 - 3 {
            return Err(TOO_MANY_KEYS);
        }
        usize::try_from(count).map_err(|_| NEGATIVE_KEYS)
    }

    fn run_script(
        &self,
        run: &mut Run<'_>,
        compiled: &Compiled,
        key_count: usize,
        reply: &mut Reply<'_>,
    ) -> Result<(), CommandError> {
        run.name.push_str(compiled.script.name());
        let mut machine = run.core.scripting.scripts.take().expect("it has compiled the script");
        let is_debugged = run.core.debugger.is_some();
        if is_debugged {
            machine.watch(Attention::Lines);
        }
        let outcome = machine.enter(run, |lua| {
            sandbox::restore_globals(lua);
            lua.push_element(REGISTRY, sandbox::ERROR_HANDLER);
            lua.push_element(REGISTRY, compiled.place);
            lua.push_copy(GLOBALS);
            lua.set_environment(-2);
            push_texts(lua, self.arguments.skip(3), 0, key_count);
            lua.set_field(GLOBALS, "KEYS");
            push_texts(lua, self.arguments.skip(3), key_count, self.arguments.len() - 3);
            lua.set_field(GLOBALS, "ARGV");
            let outcome = lua.call(0, 1, 1);
            finish(lua, outcome, reply)
        });
        if is_debugged {
            machine.watch(Attention::Time);
        }
        let scripting = &mut run.core.scripting;
        collect_garbage(scripting, &machine);
        scripting.scripts = Some(machine);
        outcome
    }

    fn run_function(
        &self,
        run: &mut Run<'_>,
        name: &str,
        key_count: usize,
        reply: &mut Reply<'_>,
    ) -> Result<(), CommandError> {
        run.name.push_str(name);
        run.is_eval = false;
        let libraries = Arc::clone(&run.core.scripting.libraries);
        let current = run.core.scripting.functions.take();
        let mut functions = match current {
            Some(functions) if functions.is_current(&libraries) => functions,
            _ => FunctionMachine::new(run.core, &libraries),
        };
        let place = functions.place(name.as_bytes());
        let outcome = match place {
            None => Err(NO_FUNCTION),
            Some(place) => functions.machine.enter(run, |lua| {
                sandbox::restore_globals(lua);
                lua.push_element(REGISTRY, sandbox::ERROR_HANDLER);
                lua.push_element(REGISTRY, place);
                push_texts(lua, self.arguments.skip(3), 0, key_count);
                push_texts(lua, self.arguments.skip(3), key_count, self.arguments.len() - 3);
                let outcome = lua.call(2, 1, 1);
                finish(lua, outcome, reply)
            }),
        };
        let scripting = &mut run.core.scripting;
        collect_garbage(scripting, &functions.machine);
        scripting.functions = Some(functions);
        outcome
    }
}

fn collect_garbage(scripting: &mut Scripting, machine: &Machine) {
    scripting.runs += 1;
    if scripting.runs == GARBAGE_PERIOD {
        scripting.runs = 0;
        machine.lua().collect_some(GARBAGE_PERIOD as i32);
    }
}

/// Pushes a table of some of the arguments.
fn push_texts(lua: Lua, arguments: Arguments<'_>, from: usize, to: usize) {
    lua.push_table(to - from, 0);
    for index in from..to {
        lua.push_bytes(arguments.at(index));
        lua.set_element(-2, (index - from + 1) as i32);
    }
}

/// The script is over: writes what it returned, or says why it failed. Leaves the stack empty.
fn finish(lua: Lua, outcome: Result<(), Raise>, reply: &mut Reply<'_>) -> Result<(), CommandError> {
    lua.set_aborting(false);
    let protocol = lua.with_run(|run| run.protocol).unwrap_or_default();
    let is_stopped = lua.with_run(|run| run.need.is_some()).unwrap_or(false);
    let result = match outcome {
        _ if is_stopped => Ok(()),
        Ok(()) => to_reply::write_result(lua, protocol, reply),
        Err(Raise) => Err(to_reply::failure(lua)),
    };
    lua.set_top(0);
    result
}
