//! Signals: taken by one ordinary thread, so that no core is ever interrupted.
//!
//! ```text
//! main thread          signal thread                      any thread
//! block()              waits for every blocked signal     SEGV BUS ILL FPE ABRT
//! listen(handler) -->  TERM, INT  handler(Shutdown)         -> crash report, then the
//! start the cores      INT again  handler(Insist), exit 1      default action (core dump)
//!                      HUP        handler(ReopenLog)
//!                      others     nothing
//! ```
//!
//! Signals are blocked before the first thread is started, because threads inherit the mask. A
//! second SIGTERM is not impatience: supervisors repeat it, so it only asks again, as in Redis;
//! a second SIGINT comes from a person at a keyboard, and ends the process at once unless what the
//! first one asked for has failed or was called off ([`note_shutdown_over`]). SIGPIPE is ignored
//! altogether: whoever writes to a closed socket is told by the call. Job control (Ctrl-Z) works as
//! ever.
//!
//! The crash report may run in a thread that holds any lock, or with a broken heap. It therefore
//! only uses its own stack and `write`.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::{logging, warning};

/// Signals that mean a broken program, and end it.
const FAULTS: [libc::c_int; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// Signals that stay with the kernel: faults hit the thread at fault, the others are for shells,
/// parents of processes and profilers.
const UNBLOCKED: [libc::c_int; 7] = [
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCONT,
    libc::SIGCHLD,
    libc::SIGPROF,
    libc::SIGTRAP,
];

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Shut down as `shutdown-on-sigterm` says. May come again.
    Terminate,
    /// Shut down as `shutdown-on-sigint` says.
    Interrupt,
    /// The process ends when the handler returns: the shutdown was asked for, and again.
    Insist,
    /// Open the log file anew.
    ReopenLog,
}

/// What the signal thread does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Tell(Event),
    ExitNow,
    Nothing,
}

/// Decides what to do about each signal, given those before it.
#[derive(Debug, Default)]
struct Decider {
    is_shutting_down: AtomicBool,
}

/// The one of this process.
static DECIDER: Decider = Decider { is_shutting_down: AtomicBool::new(false) };

/// The shutdown a signal asked for has failed or was called off: the next signal asks for another.
pub fn note_shutdown_over() {
    DECIDER.is_shutting_down.store(false, Ordering::Relaxed);
}

impl Decider {
    fn decide(&self, signal: libc::c_int) -> Action {
        match signal {
            libc::SIGINT if self.is_shutting_down.load(Ordering::Relaxed) => Action::ExitNow,
            libc::SIGINT | libc::SIGTERM => {
                self.is_shutting_down.store(true, Ordering::Relaxed);
                let is_terminal = signal == libc::SIGINT;
                Action::Tell(if is_terminal { Event::Interrupt } else { Event::Terminate })
            }
            libc::SIGHUP => Action::Tell(Event::ReopenLog),
            _ => Action::Nothing,
        }
    }
}

fn signal_set(fill: impl FnOnce(&mut libc::sigset_t)) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigfillset` writes the whole set and does not fail on a valid pointer.
    let mut set = unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    };
    fill(&mut set);
    set
}

/// Every signal but faults and those of shells and parents.
fn blocked_signals() -> libc::sigset_t {
    signal_set(|set| {
        for signal in FAULTS.into_iter().chain(UNBLOCKED) {
            // SAFETY: the set was filled and the signal is one.
            unsafe { libc::sigdelset(set, signal) };
        }
    })
}

/// Blocks signals in this thread and in all it will start, and ignores SIGPIPE.
///
/// To be called before any thread is started.
///
/// # Errors
///
/// Fails where the kernel refuses, which it does not.
pub fn block() -> io::Result<()> {
    let set = blocked_signals();
    // SAFETY: the set is filled; the old mask is not asked for.
    let refused =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if refused != 0 {
        return Err(io::Error::from_raw_os_error(refused));
    }
    // SAFETY: ignoring a signal runs no code of ours.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Starts the thread that takes signals and tells the handler. It runs until the process ends.
///
/// # Errors
///
/// Fails where no thread can be started.
pub fn listen(mut handler: impl FnMut(Event) + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        loop {
            let signal = wait();
            match DECIDER.decide(signal) {
                Action::Tell(event) => {
                    log_event(event);
                    handler(event);
                }
                Action::ExitNow => {
                    warning!("You insist... exiting now.");
                    handler(Event::Insist);
                    // SAFETY: ends the process; other threads must not see its statics go.
                    unsafe { libc::_exit(1) }
                }
                Action::Nothing => {}
            }
        }
    })
}

fn log_event(event: Event) {
    match event {
        Event::Terminate => warning!("Received SIGTERM scheduling shutdown..."),
        Event::Interrupt => warning!("Received SIGINT scheduling shutdown..."),
        Event::ReopenLog | Event::Insist => {}
    }
}

fn wait() -> libc::c_int {
    let set = blocked_signals();
    let mut signal = 0;
    // SAFETY: both pointers are valid for the call.
    let refused = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
    assert_eq!(refused, 0, "the set of signals is valid");
    signal
}

/// Stops the process until it is told to go on: how upstart is told that a server is ready.
pub(crate) fn stop_process() {
    // SAFETY: takes no pointers and runs no code of ours.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Whether faults are reported: follows `crash-log-enabled`.
static REPORTS: AtomicBool = AtomicBool::new(false);

/// Writes a report into the log when the process crashes, from now on.
///
/// # Errors
///
/// Fails where the kernel refuses, which it does not.
pub fn report_crashes(is_enabled: bool) -> io::Result<()> {
    REPORTS.store(is_enabled, Ordering::Relaxed);
    for signal in FAULTS {
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_fault;
        // SAFETY: zero is a value of every field of `sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as libc::sighandler_t;
        // Once only, and on the stack that the standard library keeps for overflows.
        action.sa_flags =
            libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_NODEFER | libc::SA_ONSTACK;
        // SAFETY: the action is complete, and the handler has the type the flags promise.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    if REPORTS.load(Ordering::Relaxed) {
        // SAFETY: the kernel passes a valid pointer to handlers that ask for it.
        let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
        let mut report = Report { bytes: [0; REPORT_BYTES_MAX], length: 0 };
        report.fill(signal, code, address);
        report.write(logging::descriptor());
    }
    // The default action is back in place; it ends the process and leaves a core dump.
    // SAFETY: takes no pointers.
    unsafe { libc::raise(signal) };
}

const REPORT_BYTES_MAX: usize = 1024;

/// Text on the stack: the heap may be what is broken.
struct Report {
    bytes: [u8; REPORT_BYTES_MAX],
    length: usize,
}

impl Report {
    fn fill(&mut self, signal: libc::c_int, code: libc::c_int, address: usize) {
        self.text("\n\n=== BASALT BUG REPORT START: Cut & paste starting from here ===\n");
        self.head();
        self.text(concat!("Basalt ", env!("CARGO_PKG_VERSION"), " crashed by signal: "));
        self.number(i64::from(signal), 10);
        self.text(", si_code: ");
        self.number(i64::from(code), 10);
        self.text("\n");
        if [libc::SIGSEGV, libc::SIGBUS].contains(&signal) {
            self.head();
            self.text("Accessing address: 0x");
            self.number(address as i64, 16);
            self.text("\n");
        }
        self.text("\n=== BASALT BUG REPORT END. Make sure to include from START to END. ===\n\n");
        self.text("       Please report the crash by opening an issue:\n\n");
        self.text(concat!("           ", env!("CARGO_PKG_REPOSITORY"), "/issues\n\n"));
    }

    fn head(&mut self) {
        self.number(i64::from(std::process::id()), 10);
        self.text(":M # ");
    }

    fn text(&mut self, text: &str) {
        for &byte in text.as_bytes() {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
        }
    }

    fn number(&mut self, number: i64, radix: u64) {
        let mut digits = [0u8; 20];
        let mut start = digits.len();
        // Addresses are shown as they are, codes may be negative.
        let is_negative = number < 0 && radix == 10;
        let mut rest = if is_negative { number.unsigned_abs() } else { number as u64 };
        while start > 0 && (rest > 0 || start == digits.len()) {
            start -= 1;
            digits[start] = b"0123456789abcdef"[(rest % radix) as usize];
            rest /= radix;
        }
        self.text(if is_negative { "-" } else { "" });
        self.text(std::str::from_utf8(&digits[start..]).unwrap_or("?"));
    }

    fn write(&self, descriptor: libc::c_int) {
        let mut rest = &self.bytes[..self.length];
        while !rest.is_empty() {
            // SAFETY: the pointer and the length are those of a slice.
            let written = unsafe { libc::write(descriptor, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(count @ 1..) => rest = &rest[count..],
                _ => return,
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "processes of these tests speak to each other")]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read};
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, Command, Stdio};

    /// Set in processes that play the server.
    const PLAYED: &str = "BASALT_TEST_SIGNALS";

    /// Starts this test program again, to run one test as the server.
    fn play(test: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("a program"));
        command.args(["--exact", test, "--nocapture"]).env(PLAYED, "1");
        command.stdout(Stdio::piped());
        // SAFETY: changes the signal mask only, which a child may do. All of its threads
        // inherit it, also those of the test harness.
        unsafe { command.pre_exec(block) };
        command.spawn().expect("a process")
    }

    fn is_played() -> bool {
        std::env::var_os(PLAYED).is_some()
    }

    fn send(child: &Child, signal: libc::c_int) {
        // SAFETY: takes no pointers; the process is our child and was not waited for.
        unsafe { libc::kill(child.id() as libc::pid_t, signal) };
    }

    #[test]
    fn signals_are_told_and_impatience_ends_the_process() {
        if is_played() {
            block().expect("the mask");
            let listener = listen(|event| println!("told {event:?}")).expect("a thread");
            println!("listening");
            let _ = listener.join();
            return;
        }
        let mut child = play("signals::tests::signals_are_told_and_impatience_ends_the_process");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut lines = output.lines().map_while(Result::ok);
        let mut expect = |what: &str| {
            assert!(lines.any(|line| line.ends_with(what)), "the child never said {what}");
        };
        expect("listening");
        for (signal, told) in [
            (libc::SIGHUP, "told ReopenLog"),
            (libc::SIGTERM, "told Terminate"),
            (libc::SIGTERM, "told Terminate"),
        ] {
            send(&child, signal);
            expect(told);
        }
        send(&child, libc::SIGUSR1);
        send(&child, libc::SIGPIPE);
        send(&child, libc::SIGINT);
        assert_eq!(child.wait().expect("its end").code(), Some(1));
    }

    #[test]
    fn a_crash_is_reported_and_still_a_crash() {
        if is_played() {
            report_crashes(true).expect("handlers");
            // SAFETY: takes no pointers. Ends the process.
            unsafe { libc::raise(libc::SIGSEGV) };
            return;
        }
        let mut child = play("signals::tests::a_crash_is_reported_and_still_a_crash");
        let mut text = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
        let status = child.wait().expect("its end");
        assert_eq!(status.signal(), Some(libc::SIGSEGV), "{text}");
        let version = env!("CARGO_PKG_VERSION");
        let line = format!("{}:M # Basalt {version} crashed by signal: 11, si_code: ", child.id());
        assert!(text.contains("=== BASALT BUG REPORT START: Cut & paste starting from here ===\n"));
        assert!(text.contains(&line), "{text}");
    }

    #[test]
    fn decisions_depend_on_what_came_before() {
        let decider = Decider::default();
        assert_eq!(decider.decide(libc::SIGHUP), Action::Tell(Event::ReopenLog));
        assert_eq!(decider.decide(libc::SIGUSR2), Action::Nothing);
        assert_eq!(decider.decide(libc::SIGINT), Action::Tell(Event::Interrupt));
        assert_eq!(decider.decide(libc::SIGTERM), Action::Tell(Event::Terminate));
        assert_eq!(decider.decide(libc::SIGINT), Action::ExitNow);
        decider.is_shutting_down.store(false, Ordering::Relaxed);
        assert_eq!(decider.decide(libc::SIGINT), Action::Tell(Event::Interrupt));
    }

    #[test]
    fn reports_are_written_without_help() {
        let mut report = Report { bytes: [0; REPORT_BYTES_MAX], length: 0 };
        report.fill(libc::SIGBUS, -6, 0xdead_beef);
        let text = std::str::from_utf8(&report.bytes[..report.length]).expect("ASCII");
        assert!(text.contains("crashed by signal: 7, si_code: -6\n"), "{text}");
        assert!(text.contains("Accessing address: 0xdeadbeef\n"), "{text}");
        assert!(text.len() < REPORT_BYTES_MAX);
        let mut report = Report { bytes: [0; REPORT_BYTES_MAX], length: 0 };
        for number in [0, i64::MIN, i64::MAX] {
            report.number(number, 10);
            report.text(" ");
        }
        report.number(-1, 16);
        let text = std::str::from_utf8(&report.bytes[..report.length]).expect("ASCII");
        assert_eq!(text, "0 -9223372036854775808 9223372036854775807 ffffffffffffffff");
        report.text(&"x".repeat(REPORT_BYTES_MAX));
        assert_eq!(report.length, REPORT_BYTES_MAX);
    }
}
