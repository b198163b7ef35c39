//! Scripts and functions: what they return, and that each is one unit, whatever keys it touches, on
//! however many cores, while slots move and others look on.

mod support;

use basalt_shard::hash::HashSlot;
use support::resp::{show, split_line, split_replies};
use support::scenario::each;
use support::{ClientId, Cluster, Request, seed};

const ACCOUNTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Moves money between two accounts it does not declare.
const UNDECLARED: &str = "redis.call('DECRBY', ARGV[1], ARGV[3]) \
                          return redis.call('INCRBY', ARGV[2], ARGV[3])";
/// The same between its keys, by names that are not seen to be its keys.
const HIDDEN: &str = "local from, to = KEYS[1], KEYS[2] redis.call('DECRBY', from, ARGV[1]) \
                      return redis.call('INCRBY', to, ARGV[1])";
/// The same in a form that is seen to keep to its keys.
const DECLARED: &str = "redis.call('DECRBY', KEYS[1], ARGV[1]) \
                        return redis.call('INCRBY', KEYS[2], ARGV[1])";
/// Goes its way by what it finds: writes first, then reaches for an account nobody named.
const BY_TURNS: &str = "local n = redis.call('INCR', 'turns') redis.call('DECRBY', KEYS[1], 1) \
                        local names = {'a', 'b', 'c', 'd', 'e', 'f'} \
                        return redis.call('INCRBY', names[n % 6 + 1], 1)";
/// Adds all accounts up without naming any.
const SUM: &str = "local sum = 0 for _, name in ipairs({'a', 'b', 'c', 'd', 'e', 'f'}) do \
                   sum = sum + redis.call('GET', name) end return sum";

fn request(words: &[&str]) -> Request {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn eval(script: &str, keys: &[&str], arguments: &[&str]) -> Request {
    let count = keys.len().to_string();
    request(&[&["EVAL", script, &count], keys, arguments].concat())
}

#[test]
fn values_become_replies() {
    each(|talk| {
        talk.check("EVAL \"return 7.9\" 0", ":7\r\n");
        talk.check("EVAL \"return 'x'\" 0", "$1\r\nx\r\n");
        talk.check(
            "EVAL \"return {1, 'a', {2}, nil, 3}\" 0",
            "*3\r\n:1\r\n$1\r\na\r\n*1\r\n:2\r\n",
        );
        talk.check("EVAL \"return false\" 0", "$-1\r\n");
        talk.check("EVAL \"return true\" 0", ":1\r\n");
        talk.check("EVAL \"return {ok='fine'}\" 0", "+fine\r\n");
        talk.check("EVAL \"return {err='MY fault'}\" 0", "-MY fault\r\n");
        talk.check("EVAL \"return KEYS[2] .. ARGV[1]\" 2 k l m", "$2\r\nlm\r\n");
        talk.check_ok("EVAL \"return redis.call('SET', KEYS[1], 'v')\" 1 k");
        talk.check_bulk("EVAL \"return redis.call('GET', 'k')\" 0", "v");
    });
}

#[test]
fn scripts_are_known_by_their_digest() {
    each(|talk| {
        let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        talk.check(
            &format!("EVALSHA {sha} 0"),
            "-NOSCRIPT No matching script. Please use EVAL.\r\n",
        );
        talk.check_bulk("SCRIPT LOAD \"return 1\"", sha);
        talk.check_integer(&format!("EVALSHA {sha} 0"), 1);
        talk.check_integer(&format!("EVALSHA {} 0", sha.to_uppercase()), 1);
        talk.check(&format!("SCRIPT EXISTS {sha} 0123"), "*2\r\n:1\r\n:0\r\n");
        talk.check_bulk(&format!("SCRIPT SHOW {sha}"), "return 1");
        talk.check_ok("SCRIPT FLUSH");
        talk.check(
            &format!("EVALSHA {sha} 0"),
            "-NOSCRIPT No matching script. Please use EVAL.\r\n",
        );
        talk.check("SCRIPT KILL", "-NOTBUSY No scripts in execution right now.\r\n");
    });
}

/// Whoever is told that a script is loaded finds it on every core, and whoever is told that all are
/// flushed finds none.
#[test]
fn all_cores_know_the_same_scripts() {
    let seed = seed();
    let mut cluster = Cluster::new(4, seed);
    let clients: Vec<ClientId> = (0..4).map(|core| cluster.connect(core)).collect();
    for round in 0..20 {
        let script = format!("return {round}");
        let loaded =
            cluster.execute_request(clients[round % 4], request(&["SCRIPT", "LOAD", &script]));
        let sha = String::from_utf8_lossy(&loaded[5..45]).into_owned();
        for client in &clients {
            let reply = cluster.execute(*client, &format!("EVALSHA {sha} 0"));
            assert_eq!(show(&reply), format!(":{round}\\r\\n"), "seed {seed}");
        }
        cluster.execute(clients[(round + 1) % 4], "SCRIPT FLUSH");
        for client in &clients {
            let reply = cluster.execute(*client, &format!("EVALSHA {sha} 0"));
            assert!(reply.starts_with(b"-NOSCRIPT"), "seed {seed}: {}", show(&reply));
        }
    }
}

#[test]
fn what_a_script_cannot_do() {
    each(|talk| {
        let cases = [
            ("x = 1", "Attempt to modify a readonly table"),
            ("return nothing", "Script attempted to access nonexistent global variable 'nothing'"),
            ("string.rep = nil", "Attempt to modify a readonly table"),
            ("getmetatable('').__index = nil", "Attempt to modify a readonly table"),
            ("setmetatable(_G, {})", "Attempt to modify a readonly table"),
            ("rawset(_G, 'x', 1)", "Attempt to modify a readonly table"),
            ("return redis.call('MULTI')", "This Redis command is not allowed from script"),
            ("return redis.call('NOPE')", "Unknown Redis command called from script"),
            ("return redis.call('GET')", "Wrong number of args calling Redis command from script"),
            ("return redis.call()", "Please specify at least one argument"),
            ("return loadstring(string.dump(pcall))()", "unable to dump given function"),
            ("return io.open('/etc/passwd')", "nonexistent global variable 'io'"),
            ("return os.execute('true')", "attempt to call field 'execute'"),
        ];
        for (script, expected) in cases {
            let reply = talk.reply_to(&format!("EVAL \"{script}\" 0"));
            let reply = String::from_utf8_lossy(&reply).into_owned();
            assert!(reply.starts_with("-ERR ") && reply.contains(expected), "{script}: {reply}");
        }
        let reply = talk.reply_to("EVAL_RO \"return redis.call('SET', KEYS[1], 1)\" 1 k");
        assert!(show(&reply).contains("Write commands are not allowed from read-only scripts."));
        let bytecode = "return loadstring(string.dump(function() return 1 end))";
        talk.check(&format!("EVAL \"{bytecode}\" 0"), "$-1\r\n");
    });
}

#[test]
fn undeclared_keys_simply_work() {
    each(|talk| {
        talk.check_ok("MSET a 1 b 2 c 3");
        for _ in 0..3 {
            talk.check_integer(
                "EVAL \"local s = 0 for _, k in ipairs({'a','b','c'}) do \
                 s = s + redis.call('GET', k) end return s\" 0",
                6,
            );
            talk.check_ok(
                "EVAL \"local v = redis.call('GET', 'a') redis.call('SET', KEYS[1], v) \
                 return redis.call('SET', 'z', v)\" 1 y",
            );
            talk.check_array("MGET y z", &["1", "1"]);
        }
        talk.check_integer("EVAL \"return #redis.call('KEYS', '*')\" 0", 5);
        talk.check_integer("EVAL \"return redis.call('DBSIZE')\" 0", 5);
        talk.check_ok("EVAL \"redis.call('SELECT', 1) return redis.call('SET', 'q', 1)\" 0");
        talk.check_integer("EXISTS q", 0);
        talk.check_ok("EVAL \"return redis.call('FLUSHALL')\" 0");
        talk.check_integer("DBSIZE", 0);
    });
}

#[test]
fn scripts_within_transactions() {
    each(|talk| {
        for script in [UNDECLARED, DECLARED] {
            talk.check_ok("MSET a 10 b 10");
            talk.check_ok("MULTI");
            let call = match script {
                DECLARED => format!("EVAL \"{script}\" 2 a b 3"),
                _ => format!("EVAL \"{script}\" 0 a b 3"),
            };
            talk.check("SET other 1", "+QUEUED\r\n");
            talk.check(&call, "+QUEUED\r\n");
            talk.check("MGET a b", "+QUEUED\r\n");
            talk.check("EXEC", "*3\r\n+OK\r\n:13\r\n*2\r\n$1\r\n7\r\n$2\r\n13\r\n");
        }
    });
}

#[test]
fn functions_are_loaded_called_and_replaced() {
    const LIBRARY: &str = "#!lua name=l\\nredis.register_function('put', function(keys, args) \
                           return redis.call('SET', keys[1], args[1]) end)\\n\
                           redis.register_function{function_name='look', flags={'no-writes'}, \
                           callback=function(keys) return redis.call('GET', keys[1]) end}";
    each(|talk| {
        talk.check("FCALL put 1 k v", "-ERR Function not found\r\n");
        talk.check_bulk(&format!("FUNCTION LOAD \"{LIBRARY}\""), "l");
        talk.check(&format!("FUNCTION LOAD \"{LIBRARY}\""), "-ERR Library 'l' already exists\r\n");
        talk.check_bulk(&format!("FUNCTION LOAD REPLACE \"{LIBRARY}\""), "l");
        talk.check_ok("FCALL put 1 k v");
        talk.check_bulk("FCALL_RO look 1 k", "v");
        talk.check(
            "FCALL_RO put 1 k v",
            "-ERR Can not execute a script with write flag using *_ro command.\r\n",
        );
        talk.check_ok("FUNCTION DELETE l");
        talk.check("FCALL look 1 k", "-ERR Function not found\r\n");
        talk.check("FUNCTION DELETE l", "-ERR Library not found\r\n");
    });
}

#[test]
fn libraries_survive_their_payload() {
    for core_count in [1, 3] {
        let mut cluster = Cluster::new(core_count, 7);
        let client = cluster.connect(0);
        let library = "#!lua name=l\nredis.register_function('one', function() return 1 end)";
        cluster.execute_request(client, request(&["FUNCTION", "LOAD", library]));
        let dump = cluster.execute(client, "FUNCTION DUMP");
        let start = dump.iter().position(|byte| *byte == b'\n').expect("a bulk has a head") + 1;
        let payload = dump[start..dump.len() - 2].to_vec();
        let restore = |policy: &str| {
            let mut words = request(&["FUNCTION", "RESTORE"]);
            words.push(payload.clone());
            words.extend((!policy.is_empty()).then(|| policy.as_bytes().to_vec()));
            words
        };
        let taken = cluster.execute_request(client, restore(""));
        assert_eq!(taken, b"-ERR Library l already exists\r\n");
        assert_eq!(cluster.execute_request(client, restore("REPLACE")), b"+OK\r\n");
        cluster.execute(client, "FUNCTION FLUSH");
        assert_eq!(cluster.execute_request(client, restore("FLUSH")), b"+OK\r\n");
        assert_eq!(cluster.execute(client, "FCALL one 0"), b":1\r\n");
        let mut broken = restore("REPLACE");
        broken[2][5] ^= 1;
        let reply = cluster.execute_request(client, broken);
        assert_eq!(show(&reply), "-ERR DUMP payload version or checksum are wrong\\r\\n");
    }
}

fn sum(reply: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(reply);
    text.lines().filter_map(|line| line.parse::<i64>().ok()).sum()
}

/// Transfers by scripts of every kind, between accounts on several cores, while slots move. Readers
/// of every kind must see all money at any moment.
#[test]
fn transfers_by_scripts_are_seen_whole() {
    let seed = seed();
    for core_count in [2, 4] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cluster = Cluster::new(core_count, seed);
        let cores = usize::from(core_count);
        let clients: Vec<ClientId> = (0..7).map(|number| cluster.connect(number % cores)).collect();
        let opening: Vec<String> = ACCOUNTS.iter().map(|name| format!("{name} 100")).collect();
        cluster.execute(clients[0], &format!("MSET {}", opening.join(" ")));
        for _ in 0..60 {
            for client in &clients[..4] {
                cluster.send(*client, transfer(&mut random));
            }
            cluster.send(clients[4], split_line(&format!("MGET {}", ACCOUNTS.join(" "))));
            cluster.send(clients[5], eval(SUM, &[], &[]));
            if random.u32(..3) == 0 {
                let slot = HashSlot::of_key(ACCOUNTS[random.usize(..6)].as_bytes()).number();
                let line = format!("DEBUG MOVE-SLOT {slot} {}", random.usize(..cores));
                cluster.send(clients[6], split_line(&line));
            }
        }
        cluster.run_until_idle();
        for client in &clients[..4] {
            let replies = split_replies(&cluster.take_replies(*client));
            for reply in &replies {
                assert!(reply.starts_with(b":"), "seed {seed}: {}", show(reply));
            }
            assert_eq!(replies.len(), 60, "seed {seed}");
        }
        for reply in split_replies(&cluster.take_replies(clients[4])) {
            assert_eq!(sum(&reply), 600, "seed {seed}: {}", show(&reply));
        }
        for reply in split_replies(&cluster.take_replies(clients[5])) {
            assert_eq!(show(&reply), ":600\\r\\n", "seed {seed}");
        }
    }
}

fn transfer(random: &mut fastrand::Rng) -> Request {
    let (from, to) = (ACCOUNTS[random.usize(..6)], ACCOUNTS[random.usize(..6)]);
    let amount = random.u32(1..50).to_string();
    match random.u32(..4) {
        0 => eval(UNDECLARED, &[], &[from, to, &amount]),
        1 => eval(HIDDEN, &[from, to], &[&amount]),
        2 => eval(DECLARED, &[from, to], &[&amount]),
        _ => eval(BY_TURNS, &[from], &[]),
    }
}

/// A pipeline of scripts and plain commands on keys of several cores keeps its order: what it wrote
/// last is there, and a reader that sees a later write sees the earlier ones.
#[test]
fn pipelines_keep_their_order() {
    let seed = seed();
    for core_count in [2, 4] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cluster = Cluster::new(core_count, seed);
        let cores = usize::from(core_count);
        let writer = cluster.connect(0);
        let reader = cluster.connect(1 % cores);
        for number in 1..=60 {
            let text = number.to_string();
            let first = match random.u32(..4) {
                0 => eval("return redis.call('SET', KEYS[1], ARGV[1])", &["a"], &[&text]),
                1 => eval("return redis.call('SET', 'a', ARGV[1])", &[], &[&text]),
                2 => eval("local k = 'a' return redis.call('SET', k, ARGV[1])", &["z"], &[&text]),
                _ => request(&["SET", "a", &text]),
            };
            cluster.send(writer, first);
            let second = match random.bool() {
                true => eval("return redis.call('SET', KEYS[1], ARGV[1])", &["b"], &[&text]),
                false => request(&["SET", "b", &text]),
            };
            cluster.send(writer, second);
            // The order matters: the later one is read first.
            cluster.send(reader, request(&["GET", "b"]));
            cluster.send(reader, request(&["GET", "a"]));
        }
        cluster.run_until_idle();
        let seen: Vec<i64> = split_replies(&cluster.take_replies(reader))
            .iter()
            .map(|reply| last_number(reply))
            .collect();
        for pair in seen.chunks_exact(2) {
            assert!(pair[1] >= pair[0], "seed {seed}: b is {}, a only {}", pair[0], pair[1]);
        }
        assert_eq!(seen.len(), 120, "seed {seed}");
    }
}

/// The number in a bulk string; 0 if there is none.
fn last_number(reply: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(reply);
    match text.starts_with("$-1") {
        true => 0,
        false => text.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0),
    }
}

/// Times to live that a script sets far from the home of its keys run out at home.
#[test]
fn what_a_script_sets_expires_at_home() {
    let seed = seed();
    for core_count in [2, 4] {
        let mut cluster = Cluster::new(core_count, seed);
        let client = cluster.connect(0);
        let script = "for _, name in ipairs(ARGV) do redis.call('SET', name, 1, 'PX', 100) \
                      redis.call('HSET', name .. 'h', 'f', 1, 'g', 2) \
                      redis.call('HPEXPIRE', name .. 'h', 100, 'FIELDS', 1, 'f') end";
        cluster.execute_request(client, eval(script, &[], &ACCOUNTS));
        assert_eq!(cluster.execute(client, "DBSIZE"), b":12\r\n", "seed {seed}");
        cluster.pass_ms(200);
        let (mut keys, mut fields) = (0, 0);
        for number in 0..cluster.core_count() {
            let cycle = cluster.core(number).store.expire_cycle(usize::MAX);
            (keys, fields) = (keys + cycle.expired, fields + cycle.expired_fields);
        }
        assert_eq!((keys, fields), (6, 6), "seed {seed}, {core_count} cores");
    }
}

/// Who waits for keys on any core is served what one script pushes to all of them.
#[test]
fn a_script_serves_who_waits() {
    let seed = seed();
    for core_count in [2, 4] {
        let mut cluster = Cluster::new(core_count, seed);
        let waiters: Vec<ClientId> =
            (0..6).map(|number| cluster.connect(number % cluster.core_count())).collect();
        for (waiter, name) in waiters.iter().zip(ACCOUNTS) {
            cluster.send(*waiter, request(&["BLPOP", name, "0"]));
        }
        cluster.run_until_idle();
        assert!(waiters.iter().all(|waiter| cluster.is_blocked(*waiter)), "seed {seed}");
        let client = cluster.connect(0);
        let script = "for _, name in ipairs(ARGV) do redis.call('RPUSH', name, name) end";
        cluster.execute_request(client, eval(script, &[], &ACCOUNTS));
        cluster.run_until_idle();
        for (waiter, name) in waiters.iter().zip(ACCOUNTS) {
            let expected = format!("*2\r\n$1\r\n{name}\r\n$1\r\n{name}\r\n");
            assert_eq!(show(&cluster.take_replies(*waiter)), show(expected.as_bytes()));
        }
    }
}

/// Pipelines of scripts that need every slot, with other commands among them: all run in order, and
/// each reply stands in its place.
#[test]
fn pipelined_scripts_that_need_everything_keep_their_order() {
    let seed = seed();
    for core_count in [2, 4] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut cluster = Cluster::new(core_count, seed);
        let clients: Vec<ClientId> =
            (0..4).map(|number| cluster.connect(number % cluster.core_count())).collect();
        let mut expected = vec![Vec::new(); clients.len()];
        for count in 1..=80 {
            for (number, client) in clients.iter().enumerate() {
                let counter = format!("counter:{number}");
                let script = "redis.call('INCR', 'all') return redis.call('INCR', ARGV[1])";
                cluster.send(
                    *client,
                    match random.u32(..5) {
                        0 => request(&["INCR", &counter]),
                        _ => eval(script, &[], &[&counter]),
                    },
                );
                expected[number].extend_from_slice(format!(":{count}\r\n").as_bytes());
                if random.u32(..20) == 0 {
                    cluster.send(*client, request(&["ECHO", &counter]));
                    let echo = format!("${}\r\n{counter}\r\n", counter.len());
                    expected[number].extend_from_slice(echo.as_bytes());
                }
            }
        }
        cluster.run_until_idle();
        for (client, expected) in clients.iter().zip(&expected) {
            let replies = cluster.take_replies(*client);
            assert_eq!(show(&replies), show(expected), "seed {seed}, {core_count} cores");
        }
    }
}
