//! Debugging sessions of scripts over sockets (SCRIPT DEBUG): what a client sees of its script,
//! what others see meanwhile, and what is left afterwards.
//!
//! While a script stands still, its core takes no new connections, so tests connect before.

mod support;

use support::{
    Client, NIL, OK, Reply, Secured, Test, bulk, each, each_with, encode, eventually, is_basalt,
    signal, skip,
};

/// A session that has not ended.
struct Session {
    client: Client,
    /// Where it stopped first.
    first: Vec<String>,
}

impl Session {
    fn begin(t: &Test<'_>, script: &str, keys: &[&str]) -> Session {
        let count = keys.len().to_string();
        let mut client = t.connect();
        client.check("SCRIPT DEBUG SYNC", OK);
        let command = [&["EVAL", script, &count], keys].concat();
        let first = client.call(&command[..]).texts();
        Session { client, first }
    }

    /// What the debugger answers.
    #[track_caller]
    fn ask(&mut self, command: &str) -> Vec<String> {
        self.client.call(command).texts()
    }

    #[track_caller]
    fn check(&mut self, command: &str, expected: &[&str]) {
        assert_eq!(self.ask(command), expected, "{command}");
    }

    /// Says the last word; returns what came before the end and the script's reply, behind which
    /// the connection ends.
    #[track_caller]
    fn end(mut self, command: &str) -> (Vec<String>, Reply) {
        let mut lines = self.ask(command);
        assert_eq!(lines.pop().as_deref(), Some("<endsession>"), "{lines:?}");
        let reply = self.client.read_reply();
        assert!(self.client.read_until_closed().is_empty());
        (lines, reply)
    }
}

fn is_busy(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with("BUSY"))
}

#[test]
fn a_script_is_run_step_by_step() {
    each(|t| {
        let script = "local a = redis.call('set', KEYS[1], 'v')\n\
                      local b = redis.pcall('lpush', KEYS[1], 'x')\n\
                      redis.debug('seen', {1, {x = true}})\n\
                      return b.err";
        let mut session = Session::begin(t, script, &["k"]);
        let stopped = "* Stopped at 1, stop reason = step over";
        assert_eq!(session.first, [stopped, "-> 1   local a = redis.call('set', KEYS[1], 'v')"]);
        let second = [
            "<redis> set k v",
            "<reply> \"+OK\"",
            "* Stopped at 2, stop reason = step over",
            "-> 2   local b = redis.pcall('lpush', KEYS[1], 'x')",
        ];
        session.check("step", &second);
        let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
        let lines = session.ask("N");
        assert_eq!(lines[0], "<redis> lpush k x");
        assert_eq!(lines[1], format!("<error> -{wrong}"));
        assert_eq!(lines[2], format!("<reply> \"-{wrong}\""));
        assert_eq!(lines.len(), 5);
        let lines = session.ask("s");
        assert_eq!(lines[0], "<debug> line 3: \"seen\", {1; {[\"x\"]=true}}");
        let (lines, reply) = session.end("c");
        assert!(lines.is_empty());
        assert_eq!(reply.text(), wrong);
        t.check("GET k", bulk("v"));
    });
}

#[test]
fn breakpoints_stop_a_script_that_goes_on() {
    each(|t| {
        let script = "local a = 1\nfor i = 1, 3 do\n  a = a + i\nend\n\
                      local b = redis.breakpoint()\nreturn b";
        let mut session = Session::begin(t, script, &[]);
        session.check("b", &["No breakpoints set. Use 'b <line>' to add one."]);
        session.check("b 3", &["   2   for i = 1, 3 do", "  #3     a = a + i", "   4   end"]);
        session.check(
            "b 3 99 x",
            &["Wrong line number.", "Wrong line number.", "Invalid argument:'x'"],
        );
        session.check("break", &["1 breakpoints set:", "  #3     a = a + i"]);
        let stopped = ["* Stopped at 3, stop reason = break point", "->#3     a = a + i"];
        session.check("c", &stopped);
        session.check("continue", &stopped);
        session.check("list 1 1", &["   1   local a = 1", "   2   for i = 1, 3 do"]);
        assert_eq!(session.ask("whole").len(), 6);
        session.check("b -2 -3", &["No breakpoint in the specified line.", "Breakpoint removed."]);
        session.check("b 1", &["  #1   local a = 1", "   2   for i = 1, 3 do"]);
        session.check("b 0", &["All breakpoints removed."]);
        let called = "* Stopped at 6, stop reason = redis.breakpoint() called";
        session.check("c", &[called, "-> 6   return b"]);
        let (_, reply) = session.end("c");
        assert_eq!(reply, Reply::Integer(1));
        t.check(["EVAL", "return redis.breakpoint()", "0"], NIL);
        t.check(["EVAL", "return redis.debug(1)", "0"], NIL);
    });
}

#[test]
fn there_are_no_more_breakpoints_than_64() {
    each(|t| {
        let script = "local a = 1\n".repeat(70);
        let mut session = Session::begin(t, &script, &[]);
        for line in 1..=64 {
            assert!(session.ask(&format!("b {line}")).len() > 1);
        }
        session.check("b 65", &["Too many breakpoints set."]);
        session.end("abort");
    });
}

#[test]
fn variables_and_calls_are_shown() {
    each(|t| {
        let script = "local a, t = 1.5, {1, 'x\\n', {y = false}}\n\
                      local function inner(p)\n  return p\nend\n\
                      local r = inner(a)\nreturn r";
        let mut session = Session::begin(t, script, &["k"]);
        session.check("p", &["No local variables in the current context."]);
        session
            .check("b 3", &["   2   local function inner(p)", "  #3     return p", "   4   end"]);
        session.ask("c");
        session.check("p", &["<value> p = 1.5"]);
        session.check("p t", &["<value> {1; \"x\\n\"; {[\"y\"]=false}}"]);
        session.check("print KEYS", &["<value> {\"k\"}"]);
        session.check("print ARGV", &["<value> {}"]);
        session.check("print nobody", &["No such variable."]);
        session.check(
            "t",
            &["In inner:", "->#3     return p", "From top level:", "   5   local r = inner(a)"],
        );
        session.end("a");
    });
}

#[test]
fn code_and_commands_run_in_between() {
    each(|t| {
        let mut session = Session::begin(t, "return redis.call('get', 'k')", &[]);
        session.check("e 1 + 1", &["<retval> 2"]);
        session.check("eval return 1 / 3", &["<retval> 0.333333"]);
        session.check("e error('no', 0)", &["<error> no"]);
        session.check("r set k v", &["<redis> set k v", "<reply> \"+OK\""]);
        session.check("redis lrange none 0 1", &["<redis> lrange none 0 1", "<reply> []"]);
        let unknown = "<error> Unknown Redis Lua debugger command or wrong number of arguments.";
        session.check("redis", &[unknown]);
        session.check("nothing", &[unknown]);
        session.check("m", &["<value> replies are truncated at 256 bytes."]);
        let lines = session.ask("e string.rep('x', 1000)");
        assert_eq!(lines[0], format!("<retval> \"{} ...", "x".repeat(256 - 10)));
        assert!(lines[1].starts_with("<hint> "));
        session.check("maxlen 10", &["<value> replies are truncated at 60 bytes."]);
        assert_eq!(session.ask("e string.rep('x', 1000)")[0].len(), 60 + 4);
        session.check("maxlen 0", &["<value> replies are unlimited."]);
        assert_eq!(session.ask("e string.rep('x', 1000)")[0].len(), 9 + 1002);
        let (_, reply) = session.end("c");
        assert_eq!(reply.text(), "v");
        t.check("GET k", bulk("v"));
    });
}

/// An error that is no text ended real Redis 7.2.
#[test]
fn errors_of_commands_in_evaluated_code_are_shown() {
    if !is_basalt() {
        return skip("ends Redis 7.2");
    }
    each(|t| {
        let mut session = Session::begin(t, "return 1", &[]);
        let unknown = "<error> ERR Unknown Redis command called from script";
        session.check("e redis.call('nothing')", &[unknown]);
        session.end("c");
    });
}

#[test]
fn an_aborted_script_keeps_what_it_has_written() {
    each(|t| {
        let script = "redis.call('set', 'a', 1)\nredis.call('set', 'b', 2)\nreturn 1";
        let mut session = Session::begin(t, script, &[]);
        session.ask("s");
        let (_, reply) = session.end("abort");
        assert!(reply.error().starts_with("ERR script aborted for user request"), "{reply:?}");
        t.check("GET a", bulk("1"));
        t.check("GET b", NIL);
    });
}

#[test]
fn errors_of_a_script_end_its_session() {
    each(|t| {
        let mut client = t.connect();
        client.check("SCRIPT DEBUG SYNC", OK);
        assert_eq!(client.call(["EVAL", "return = 1", "0"]).texts(), ["<endsession>"]);
        assert!(client.read_reply().error().starts_with("ERR Error compiling script"));
        assert!(client.read_until_closed().is_empty());
        let session = Session::begin(t, "local x = nil\nreturn x.y", &[]);
        let (_, reply) = session.end("c");
        assert!(reply.error().contains("attempt to index local 'x'"), "{reply:?}");
        t.check(["EVAL", "return 1", "0"], 1);
    });
}

#[test]
fn words_that_are_none_end_a_session() {
    each(|t| {
        for sent in ["*0\r\n", "hello\r\n", "*1\r\n$0\r\n\r\n", "*1\r\n$1025\r\n", "*1\r\n:1\r\n"] {
            let mut session = Session::begin(t, "return 1", &[]);
            session.client.send(sent.as_bytes());
            assert_eq!(session.client.read_reply().texts(), ["<endsession>"], "{sent:?}");
            let reply = session.client.read_reply();
            assert!(reply.error().starts_with("ERR protocol error"), "{sent:?}: {reply:?}");
            assert!(session.client.read_until_closed().is_empty());
        }
    });
}

#[test]
fn a_word_may_come_byte_by_byte() {
    each(|t| {
        let mut session = Session::begin(t, "local a = 7\nreturn a", &[]);
        session.ask("s");
        for byte in encode("print a") {
            session.client.send(&[byte]);
        }
        assert_eq!(session.client.read_reply().texts(), ["<value> 7"]);
        session.end("c");
    });
}

#[test]
fn a_script_whose_client_goes_runs_to_its_end() {
    each(|t| {
        let script = "redis.call('set', 'a', 1)\nredis.breakpoint()\n\
                      for i = 1, 10 do redis.call('incr', 'a') end";
        let mut session = Session::begin(t, script, &[]);
        session.ask("s");
        drop(session);
        eventually("the script is over", || t.call("GET a") == Reply::Bulk(b"11".to_vec()));
    });
}

#[test]
fn a_loop_ends_with_its_client() {
    each_with(&["--busy-reply-threshold", "50"], |t| {
        let mut session = Session::begin(t, "while true do end", &[]);
        let stopped = "* Stopped at 1, stop reason = timeout reached, infinite loop?";
        assert_eq!(session.ask("c")[0], stopped);
        drop(session);
        t.server.wait_for_log("the session is over");
        eventually("the server serves", || t.call("PING") == Reply::Simple("PONG".into()));
    });
}

#[test]
fn evaluated_code_cannot_loop() {
    if !is_basalt() {
        return skip("Redis stands still");
    }
    each_with(&["--busy-reply-threshold", "50"], |t| {
        let mut session = Session::begin(t, "return 1", &[]);
        let lines = session.ask("e (function() while true do end end)()");
        assert!(lines[0].contains("longer than busy-reply-threshold"), "{lines:?}");
        session.end("c");
    });
}

#[test]
fn others_are_told_that_a_script_is_busy_and_may_end_it() {
    if !is_basalt() {
        return skip("Redis stands still");
    }
    each_with(&["--busy-reply-threshold", "50"], |t| {
        let mut others: Vec<Client> = (0..8).map(|_| t.connect()).collect();
        others.iter_mut().for_each(|other| other.check("PING", "+PONG"));
        let mut session = Session::begin(t, "local a = 1\nredis.call('set', 'a', 1)", &[]);
        // A command on a key that comes before the script counts as busy waits for its end.
        for other in &mut others {
            eventually("the script is busy", || is_busy(&other.call("PING")));
            assert!(is_busy(&other.call("GET a")));
        }
        others[0].check("SCRIPT KILL", OK);
        assert_eq!(session.client.read_reply().texts(), ["<endsession>"]);
        let reply = session.client.read_reply();
        assert!(reply.error().contains("killed by user"), "{reply:?}");
        others.iter_mut().for_each(|other| other.check("GET a", NIL));
        let mut session = Session::begin(t, "redis.call('set', 'a', 1)\nreturn 2", &[]);
        session.ask("s");
        eventually("the script is busy", || is_busy(&others[0].call("PING")));
        assert!(others[0].call("SCRIPT KILL").error().starts_with("UNKILLABLE"));
        assert_eq!(session.end("c").1, Reply::Integer(2));
        others[0].check("GET a", bulk("1"));
    });
}

#[test]
fn a_script_reaches_keys_of_all_cores() {
    each(|t| {
        let script = "for i = 1, 50 do redis.call('set', 'key' .. i, i) end\n\
                      return redis.call('dbsize')";
        let mut session = Session::begin(t, script, &[]);
        session.check("r set one 1", &["<redis> set one 1", "<reply> \"+OK\""]);
        session.check("r mget one two", &["<redis> mget one two", "<reply> [\"1\",NULL]"]);
        assert_eq!(session.end("c").1, Reply::Integer(51));
        for number in 1..=50 {
            t.check(["GET", &format!("key{number}")], bulk(number.to_string()));
        }
        t.check("DBSIZE", 51);
    });
}

#[test]
fn what_a_session_writes_is_in_the_append_only_file() {
    each_with(&["--appendonly", "yes", "--enable-debug-command", "yes"], |t| {
        let script = "redis.call('set', 'a', 1)\nredis.call('incr', 'b')\nreturn 1";
        let mut session = Session::begin(t, script, &[]);
        session.ask("r set c 3");
        session.ask("s");
        session.end("c");
        t.check("DEBUG LOADAOF", OK);
        t.check("MGET a b c", [bulk("1"), bulk("1"), bulk("3")]);
    });
}

#[test]
fn the_process_ends_in_the_middle_of_a_session() {
    if !is_basalt() {
        return skip("Redis is a process of another kind");
    }
    for has_written in [false, true] {
        // The first core ends the process; a session on another one is waited for.
        each_with(&["--save", "", "--cores", "1"], |t| {
            let mut session = Session::begin(t, "redis.call('set', 'a', 1)\nreturn 1", &[]);
            if has_written {
                session.ask("s");
            }
            signal(t.server.process().id(), "TERM");
            assert!(t.server.process().wait_for_exit().success());
        });
    }
}

#[test]
fn what_is_refused() {
    each(|t| {
        let use_words = "-ERR Use SCRIPT DEBUG YES/SYNC/NO";
        t.check("SCRIPT DEBUG maybe", use_words);
        t.check("SCRIPT DEBUG SYNC", OK);
        let digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        let by_digest = "-ERR Please use EVAL instead of EVALSHA for debugging";
        t.check(["EVALSHA", digest, "0"], by_digest);
        t.check("SCRIPT DEBUG NO", OK);
        t.check(["EVAL", "return 1", "0"], 1);
        let replies = t.pipeline(["PING", "SCRIPT DEBUG SYNC"]);
        let outside = "ERR SCRIPT DEBUG must be called outside a pipeline";
        assert_eq!(replies[1].error(), outside);
        t.check("MULTI", OK);
        t.check("SCRIPT DEBUG SYNC", "+QUEUED");
        assert_eq!(t.call("EXEC").elements()[0].error(), outside);
        t.check(["EVAL", "return 1", "0"], 1);
    });
}

#[test]
fn what_is_refused_here() {
    if !is_basalt() {
        return skip("Redis forks");
    }
    each(|t| {
        // The user expects that nothing stays, and redis-cli does not look at this answer.
        let error = t.call("SCRIPT DEBUG YES").error().to_owned();
        assert!(error.contains("redis-cli --ldb-sync-mode"), "{error}");
        let write = ["EVAL", "return redis.call('set', 'a', 1)", "0"];
        t.check(write, &*format!("-{error}"));
        t.check("SCRIPT DEBUG NO", OK);
        t.check("GET a", NIL);
        t.check("SCRIPT DEBUG SYNC", OK);
        t.check("MULTI", OK);
        t.check(write, "-ERR scripts cannot be debugged inside a transaction");
        assert!(t.call("EXEC").error().starts_with("EXECABORT"));
        t.check("SCRIPT DEBUG NO", OK);
        t.check(write, OK);
    });
}

#[test]
fn not_over_tls() {
    if !is_basalt() {
        return skip("Redis talks plainly to a client of TLS");
    }
    each_with(&[], |t| {
        let secured = Secured::open(t, "no");
        let mut client = secured.connect();
        let refusal = "-ERR scripts cannot be debugged over TLS: connect without it";
        client.check("SCRIPT DEBUG SYNC", refusal);
        client.check(["EVAL", "return 1", "0"], 1);
        secured.close(t);
    });
}
