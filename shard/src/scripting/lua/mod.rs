//! The Lua 5.1 virtual machine behind a safe face. All `unsafe` of scripting stands in this folder.
//!
//! A [`Lua`] is a handle on a state (or a coroutine of it) that is alive: [`machine::Machine`]
//! makes one for its own state, and the trampoline below makes one for each call of a function of
//! ours. It is not kept beyond that.
//!
//! # Errors of Lua
//!
//! Lua raises errors with `longjmp`, which skips destructors. So no function of ours raises: it
//! returns `Err(Raise)` with the error on the stack, and the trampoline, which owns nothing, raises
//! it. What the methods of [`Lua`] call raises nothing either: tables are accessed raw, and memory
//! does not run out while our own code runs (see [`machine`] for how that is).

pub(super) mod machine;

use std::ffi::{CStr, c_int, c_void};

use mlua_sys as ffi;

use self::machine::Context;
use super::run::Run;

unsafe extern "C-unwind" {
    fn lua_setreadonly(state: *mut ffi::lua_State, index: c_int, enabled: c_int);
    fn lua_isreadonly(state: *mut ffi::lua_State, index: c_int) -> c_int;
    fn lua_setaborting(state: *mut ffi::lua_State, enabled: c_int);
}

/// Index of the table of globals.
pub(super) const GLOBALS: i32 = ffi::LUA_GLOBALSINDEX;
/// Index of the table scripts cannot see.
pub(super) const REGISTRY: i32 = ffi::LUA_REGISTRYINDEX;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value at that index.
    None,
    Nil,
    Boolean,
    /// A pointer of ours.
    Pointer,
    Number,
    String,
    Table,
    Function,
    /// Userdata or a coroutine: nothing of ours makes the one, nothing here looks at the other.
    Other,
}

/// An error value lies on top of the stack and is to be raised.
#[derive(Debug)]
pub(super) struct Raise;

/// A function scripts can call: takes what is on its stack, returns how many results it pushed.
pub(super) type Function = fn(Lua) -> Result<i32, Raise>;

/// Where in a script something happened.
pub(super) struct Location {
    /// The chunk, as it was named when it was loaded.
    pub(super) source: Vec<u8>,
    /// The line, or -1.
    pub(super) line: i32,
    /// Whether it is a function written in Lua.
    pub(super) is_lua: bool,
    /// The name of the function as it was called, if there is one.
    pub(super) name: Option<Vec<u8>>,
}

/// A handle on a living state.
#[derive(Clone, Copy)]
pub(super) struct Lua(*mut ffi::lua_State);

/// Calls into the machine.
macro_rules! raw {
    ($function:ident($($argument:expr),*)) => {
        // SAFETY: the state is alive (see `Lua`); the function raises no error, since tables are
        // accessed raw and memory does not run out here; our callers keep to indices that exist
        // and to the stack room they asked for.
        unsafe { ffi::$function($($argument),*) }
    };
}

impl Lua {
    /// Makes sure that so many values can be pushed; false past the limit of the machine.
    pub(super) fn has_room(self, count: i32) -> bool {
        raw!(lua_checkstack(self.0, count)) != 0
    }

    /// Number of values on the stack.
    pub(super) fn top(self) -> i32 {
        raw!(lua_gettop(self.0))
    }

    pub(super) fn set_top(self, top: i32) {
        raw!(lua_settop(self.0, top));
    }

    pub(super) fn pop(self, count: i32) {
        raw!(lua_settop(self.0, -count - 1));
    }

    pub(super) fn insert(self, index: i32) {
        raw!(lua_insert(self.0, index));
    }

    /// Pops a value into the place at `index`.
    pub(super) fn replace(self, index: i32) {
        raw!(lua_replace(self.0, index));
    }

    /// The kind of the value at `index`.
    pub(super) fn kind(self, index: i32) -> Kind {
        match raw!(lua_type(self.0, index)) {
            ffi::LUA_TNONE => Kind::None,
            ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Kind::Pointer,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            ffi::LUA_TFUNCTION => Kind::Function,
            _ => Kind::Other,
        }
    }

    /// The name Lua has for the kind of the value at `index`.
    pub(super) fn kind_name(self, index: i32) -> String {
        let kind = raw!(lua_type(self.0, index));
        let name = raw!(lua_typename(self.0, kind));
        text_of(name)
    }

    pub(super) fn push_nil(self) {
        raw!(lua_pushnil(self.0));
    }

    pub(super) fn push_boolean(self, value: bool) {
        raw!(lua_pushboolean(self.0, c_int::from(value)));
    }

    pub(super) fn push_number(self, value: f64) {
        raw!(lua_pushnumber(self.0, value));
    }

    pub(super) fn push_bytes(self, bytes: &[u8]) {
        raw!(lua_pushlstring_(self.0, bytes.as_ptr().cast(), bytes.len()));
    }

    /// A pointer that stands for something and is never followed.
    pub(super) fn push_mark(self, mark: usize) {
        raw!(lua_pushlightuserdata(self.0, mark as *mut c_void));
    }

    /// Whether the value at `index` is that pointer.
    pub(super) fn is_mark(self, index: i32, mark: usize) -> bool {
        self.kind(index) == Kind::Pointer
            && raw!(lua_touserdata(self.0, index)) == mark as *mut c_void
    }

    /// A copy of the value at `index`.
    pub(super) fn push_copy(self, index: i32) {
        raw!(lua_pushvalue(self.0, index));
    }

    /// Pushes a function of ours.
    pub(super) fn push_function(self, function: Function) {
        raw!(lua_pushlightuserdata(self.0, function as *mut c_void));
        raw!(lua_pushcclosure(self.0, trampoline, 1));
    }

    /// A new table with room for so many elements and fields.
    pub(super) fn push_table(self, elements: usize, fields: usize) {
        let room = |count: usize| count.min(1 << 24) as c_int;
        raw!(lua_createtable(self.0, room(elements), room(fields)));
    }

    pub(super) fn to_boolean(self, index: i32) -> bool {
        raw!(lua_toboolean(self.0, index)) != 0
    }

    /// The number at `index`, or in the text there; 0 if there is none.
    pub(super) fn to_number(self, index: i32) -> f64 {
        raw!(lua_tonumber(self.0, index))
    }

    /// Whether the value at `index` is a number or a text that is one.
    pub(super) fn is_number(self, index: i32) -> bool {
        raw!(lua_isnumber(self.0, index)) != 0
    }

    /// Whether the value at `index` is a text or a number.
    pub(super) fn is_string(self, index: i32) -> bool {
        raw!(lua_isstring(self.0, index)) != 0
    }

    /// The bytes of the text at `index`; a number becomes a text in place, so not for keys of a
    /// table that is walked. They are there as long as the value is on the stack.
    pub(super) fn bytes(&self, index: i32) -> Option<&[u8]> {
        let mut len = 0;
        let start = raw!(lua_tolstring(self.0, index, &mut len));
        if start.is_null() {
            return None;
        }
        // SAFETY: Lua says that `len` bytes are there; they do not move while the value is on the
        // stack, where callers leave it as long as they look at the bytes.
        Some(unsafe { std::slice::from_raw_parts(start.cast(), len) })
    }

    /// Pops a value into field `name` of the table at `index`, which may be read-only.
    pub(super) fn set_field(self, index: i32, name: &str) {
        let index = self.absolute(index);
        self.push_bytes(name.as_bytes());
        self.insert(-2);
        self.set_raw(index);
    }

    /// Pops a value and a key below it into the table at `index`, which may be read-only. The key
    /// must be neither nil nor NaN.
    pub(super) fn set_raw(self, index: i32) {
        let was_read_only = self.is_read_only(index);
        let index = self.absolute(index);
        if was_read_only {
            self.set_read_only(index, false);
        }
        raw!(lua_rawset(self.0, index));
        if was_read_only {
            self.set_read_only(index, true);
        }
    }

    /// Pops a value into element `number` of the table at `index`, which is not read-only.
    pub(super) fn set_element(self, index: i32, number: i32) {
        raw!(lua_rawseti_(self.0, index, number));
    }

    /// Pushes field `name` of the table at `index`.
    pub(super) fn push_field(self, index: i32, name: &str) -> Kind {
        let index = self.absolute(index);
        self.push_bytes(name.as_bytes());
        raw!(lua_rawget_(self.0, index));
        self.kind(-1)
    }

    /// Pushes element `number` of the table at `index`.
    pub(super) fn push_element(self, index: i32, number: i32) -> Kind {
        raw!(lua_rawgeti_(self.0, index, number));
        self.kind(-1)
    }

    /// Pops a key and pushes the next key of the table at `index` and its value, if there is one.
    /// The key must be one of the table, or nil to begin with.
    pub(super) fn next(self, index: i32) -> bool {
        raw!(lua_next(self.0, index)) != 0
    }

    /// Pops a table and makes it the metatable of the value at `index`.
    pub(super) fn set_metatable(self, index: i32) {
        raw!(lua_setmetatable(self.0, index));
    }

    /// Pushes the metatable of the value at `index`, if it has one.
    pub(super) fn push_metatable(self, index: i32) -> bool {
        raw!(lua_getmetatable(self.0, index)) != 0
    }

    /// Pops a table and makes it the globals of the function at `index`.
    pub(super) fn set_environment(self, index: i32) {
        raw!(lua_setfenv(self.0, index));
    }

    pub(super) fn is_read_only(self, index: i32) -> bool {
        // SAFETY: as for `raw!`; the function looks at a value and changes nothing.
        unsafe { lua_isreadonly(self.0, index) != 0 }
    }

    /// Lets scripts change the table at `index`, or not.
    pub(super) fn set_read_only(self, index: i32, enabled: bool) {
        assert!(self.kind(index) == Kind::Table, "only tables are read-only");
        // SAFETY: as for `raw!`; it is a table.
        unsafe { lua_setreadonly(self.0, index, c_int::from(enabled)) }
    }

    /// From now on no script keeps an error, so the one that runs ends soon.
    pub(super) fn set_aborting(self, enabled: bool) {
        // SAFETY: sets a number of the state.
        unsafe { lua_setaborting(self.0, c_int::from(enabled)) }
    }

    /// Pops `arguments` values and the function below them, calls it and pushes `results` values;
    /// on failure an error, as the function at `handler` made it.
    pub(super) fn call(self, arguments: i32, results: i32, handler: i32) -> Result<(), Raise> {
        let context = self.context();
        // SAFETY: the context lives as long as the state. Memory may run out while scripts run,
        // which the machine turns into an error that this call catches.
        let status = unsafe {
            let was = std::mem::replace(&mut (*context).is_bounded, true);
            let status = ffi::lua_pcall(self.0, arguments, results, handler);
            (*context).is_bounded = was;
            status
        };
        if status == 0 { Ok(()) } else { Err(Raise) }
    }

    /// Compiles a chunk and pushes it; on failure the message.
    pub(super) fn load(self, source: &[u8], name: &CStr) -> Result<(), Raise> {
        let (start, len) = (source.as_ptr().cast(), source.len());
        let status = raw!(luaL_loadbuffer(self.0, start, len, name.as_ptr()));
        if status == 0 { Ok(()) } else { Err(Raise) }
    }

    /// Where the function at `level` of the calls is: 0 the one that runs.
    pub(super) fn location(self, level: i32) -> Option<Location> {
        // SAFETY: an all-zero `lua_Debug` is valid (numbers, pointers and bytes), and Lua fills it.
        let mut debug: ffi::lua_Debug = unsafe { std::mem::zeroed() };
        if raw!(lua_getstack(self.0, level, &mut debug)) == 0 {
            return None;
        }
        raw!(lua_getinfo(self.0, c"nSl".as_ptr(), &mut debug));
        Some(Location {
            source: bytes_of(debug.source),
            line: debug.currentline,
            is_lua: bytes_of(debug.what) != b"C",
            name: (!debug.name.is_null()).then(|| bytes_of(debug.name)),
        })
    }

    /// Pushes local variable `number`, from 1, of the function at `level` and returns its name, if
    /// there is one.
    pub(super) fn push_local(self, level: i32, number: i32) -> Option<Vec<u8>> {
        // SAFETY: as in `location`.
        let mut debug: ffi::lua_Debug = unsafe { std::mem::zeroed() };
        if raw!(lua_getstack(self.0, level, &mut debug)) == 0 || !self.has_room(1) {
            return None;
        }
        let name = raw!(lua_getlocal(self.0, &debug, number));
        (!name.is_null()).then(|| bytes_of(name))
    }

    /// Where the value at `index` lies, if it is one that lies anywhere.
    pub(super) fn address(self, index: i32) -> usize {
        raw!(lua_topointer(self.0, index)) as usize
    }

    /// Does `work` with a coroutine that is gone afterwards.
    pub(super) fn in_coroutine<T>(self, work: impl FnOnce(Lua) -> T) -> T {
        assert!(self.has_room(1), "a call has room for a value");
        let result = work(Lua(raw!(lua_newthread(self.0))));
        self.pop(1);
        result
    }

    /// Does a step of garbage collection.
    pub(super) fn collect_some(self, step: i32) {
        raw!(lua_gc(self.0, ffi::LUA_GCSTEP, step));
    }

    /// Collects all garbage.
    pub(super) fn collect(self) {
        raw!(lua_gc(self.0, ffi::LUA_GCCOLLECT, 0));
    }

    /// Bytes in use.
    pub(super) fn used_bytes(self) -> usize {
        // SAFETY: the context lives as long as the state, and this only reads a number.
        unsafe { (*self.context()).used_bytes }
    }

    /// Lets `work` see the run that is going on; nothing when there is none, or it is seen already.
    pub(super) fn with_run<T>(self, work: impl FnOnce(&mut Run<'_>) -> T) -> Option<T> {
        let context = self.context();
        // SAFETY: the context lives as long as the state. The run was put there by
        // `Machine::enter`, which is still on the call stack and does not touch it until we
        // return; taking the pointer out keeps anybody else from making a second reference.
        unsafe {
            let run = std::mem::replace(&mut (*context).run, std::ptr::null_mut());
            let seen = run.cast::<Run<'_>>().as_mut().map(work);
            (*context).run = run;
            seen
        }
    }

    fn context(self) -> *mut Context {
        let mut context = std::ptr::null_mut();
        raw!(lua_getallocf(self.0, &mut context));
        context.cast()
    }

    fn absolute(self, index: i32) -> i32 {
        if index < 0 && index > REGISTRY { self.top() + index + 1 } else { index }
    }
}

/// Calls the function of ours that is the upvalue.
unsafe extern "C-unwind" fn trampoline(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls with a living state. The upvalue was put there by `push_function` from a
    // `Function`, and scripts cannot reach upvalues. Nothing with a destructor lives in this frame
    // when the error is raised.
    unsafe {
        let function = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1));
        let function = std::mem::transmute::<*mut c_void, Function>(function);
        let context = Lua(state).context();
        let was = std::mem::replace(&mut (*context).is_bounded, false);
        let outcome = function(Lua(state));
        (*context).is_bounded = was;
        match outcome {
            Ok(count) => count,
            Err(Raise) => ffi::lua_error(state),
        }
    }
}

fn bytes_of(text: *const std::ffi::c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: Lua gives texts that end with a zero, and they are copied before anything else runs.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}

fn text_of(text: *const std::ffi::c_char) -> String {
    String::from_utf8_lossy(&bytes_of(text)).into_owned()
}
