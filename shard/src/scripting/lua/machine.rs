//! A virtual machine: its state, its memory, and the hook that looks after long runs.
//!
//! Memory comes from the process' allocator, is counted, and has a limit. The limit holds while
//! scripts run: passing it is an error the script gets. While code of ours runs inside a call from
//! a script it does not, so that no error of Lua ever jumps over our frames; what our code takes is
//! bounded by what a reply or an argument may be.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::{c_int, c_void};
use std::ptr;

use mlua_sys as ffi;

use super::super::run::Run;
use super::Lua;

/// Memory the scripts of one core may take, in bytes.
const MACHINE_BYTES_MAX: usize = 2 << 30;

/// Instructions between two looks at how long a script has run.
const INSTRUCTIONS_PER_LOOK: c_int = 100_000;

const ALIGNMENT: usize = 16;

/// What functions find through the state.
pub(super) struct Context {
    pub(super) used_bytes: usize,
    /// Whether the limit is in force.
    pub(super) is_bounded: bool,
    /// The `Run` that is going on.
    pub(super) run: *mut c_void,
}

/// What a script is interrupted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attention {
    /// How long it runs.
    Time,
    /// That, and every line: it is debugged.
    Lines,
}

/// A virtual machine.
pub(crate) struct Machine {
    state: *mut ffi::lua_State,
    context: *mut Context,
}

// SAFETY: a machine owns its state and everything that hangs on it; Lua knows no threads, so the
// whole may move to another one. Nothing outside keeps pointers into it.
unsafe impl Send for Machine {}

impl Machine {
    /// A state with the libraries of Lua that scripts may see, and `debug`.
    pub(crate) fn new() -> Self {
        let context = Box::into_raw(Box::new(Context {
            used_bytes: 0,
            is_bounded: false,
            run: ptr::null_mut(),
        }));
        // SAFETY: `context` lives until the state is closed. Libraries are opened with memory
        // unbounded, and raise no errors.
        unsafe {
            let state = ffi::lua_newstate(allocate, context.cast());
            assert!(!state.is_null(), "memory for an empty state is there");
            for open in [
                ffi::luaopen_base,
                ffi::luaopen_table,
                ffi::luaopen_string,
                ffi::luaopen_math,
                ffi::luaopen_os,
            ] {
                ffi::lua_pushcclosure(state, open, 0);
                ffi::lua_call(state, 0, 0);
            }
            let machine = Self { state, context };
            machine.watch(Attention::Time);
            machine
        }
    }

    /// Chooses what scripts are interrupted for from now on.
    pub(crate) fn watch(&self, attention: Attention) {
        let (hook, mask): (ffi::lua_Hook, c_int) = match attention {
            Attention::Time => (look, ffi::LUA_MASKCOUNT),
            Attention::Lines => (look_at_line, ffi::LUA_MASKCOUNT | ffi::LUA_MASKLINE),
        };
        // SAFETY: the state is alive.
        unsafe { ffi::lua_sethook(self.state, Some(hook), mask, INSTRUCTIONS_PER_LOOK) };
    }

    /// The state.
    pub(crate) fn lua(&self) -> Lua {
        Lua(self.state)
    }

    /// Bytes in use.
    pub(crate) fn used_bytes(&self) -> usize {
        // SAFETY: the context lives as long as the machine.
        unsafe { (*self.context).used_bytes }
    }

    /// Does `work`, in which functions called by scripts find `run`.
    pub(crate) fn enter<T>(&mut self, run: &mut Run<'_>, work: impl FnOnce(Lua) -> T) -> T {
        // SAFETY: the context lives as long as the machine. The pointer is taken back before this
        // returns, so nobody sees `run` after its time.
        unsafe {
            assert!((*self.context).run.is_null(), "scripts do not nest");
            (*self.context).run = ptr::from_mut(run).cast();
            let result = work(Lua(self.state));
            (*self.context).run = ptr::null_mut();
            result
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: nobody uses the state any more; it uses the context until it is closed.
        unsafe {
            (*self.context).is_bounded = false;
            ffi::lua_close(self.state);
            drop(Box::from_raw(self.context));
        }
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGNMENT).expect("sizes are bounded")
}

/// The allocator of a state.
unsafe extern "C" fn allocate(
    context: *mut c_void,
    block: *mut c_void,
    old_bytes: usize,
    new_bytes: usize,
) -> *mut c_void {
    // SAFETY: Lua passes the context of its state, and blocks it got here with the sizes it asked
    // for. A block that is null has no size.
    unsafe {
        let context = &mut *context.cast::<Context>();
        let old_bytes = if block.is_null() { 0 } else { old_bytes };
        if new_bytes == 0 {
            if old_bytes > 0 {
                dealloc(block.cast(), layout(old_bytes));
                context.used_bytes -= old_bytes;
            }
            return ptr::null_mut();
        }
        let used_bytes = context.used_bytes - old_bytes + new_bytes;
        let is_too_much = context.is_bounded && used_bytes > MACHINE_BYTES_MAX;
        if (is_too_much && new_bytes > old_bytes) || new_bytes > isize::MAX as usize - ALIGNMENT {
            return ptr::null_mut();
        }
        let new = if old_bytes == 0 {
            alloc(layout(new_bytes))
        } else {
            realloc(block.cast(), layout(old_bytes), new_bytes)
        };
        if new.is_null() {
            std::alloc::handle_alloc_error(layout(new_bytes));
        }
        context.used_bytes = used_bytes;
        new.cast()
    }
}

/// Called every so many instructions of a script.
unsafe extern "C-unwind" fn look(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls with a living state.
    unsafe { interrupt(state, super::super::run::look_after) }
}

/// Called besides at every line of a script that is debugged.
unsafe extern "C-unwind" fn look_at_line(state: *mut ffi::lua_State, event: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls with a living state, and with an event that lives as long as the call.
    unsafe {
        match (*event).event == ffi::LUA_HOOKLINE {
            true => interrupt(state, |lua| super::super::debugger::on_event(lua, true)),
            false => interrupt(state, |lua| super::super::debugger::on_event(lua, false)),
        }
    }
}

/// Does `work` between two instructions of a script, and raises the error it leaves on the stack,
/// if it says so. Nothing with a destructor may live in the frames of callers.
unsafe fn interrupt(state: *mut ffi::lua_State, work: fn(Lua) -> bool) {
    // SAFETY: the state is alive, as the caller says; this frame has nothing with a destructor when
    // the error is raised.
    unsafe {
        let lua = Lua(state);
        let context = lua.context();
        let was = std::mem::replace(&mut (*context).is_bounded, false);
        let must_end = work(lua);
        (*context).is_bounded = was;
        if must_end {
            ffi::lua_error(state);
        }
    }
}
