//! Scripts beside a real server: each of a corpus must be answered with the same bytes, in RESP2
//! and RESP3, on one core and several.

mod support;

use support::redis::RealServer;
use support::resp::show;
use support::{Cluster, Request};

/// What differs between versions of Redis (texts with a version, digits of fractions, functions
/// that came later) is not in here.
const CORPUS: &[&str] = &[
    // Values of Lua as replies.
    "return 1",
    "return 3.99",
    "return -3.99",
    "return 1e15",
    "return '1.5'",
    "return nil",
    "return true",
    "return false",
    "return {}",
    "return {1, 2, 3, nil, 5}",
    "return {1, {2, {3, {4}}}, 'x'}",
    "return {ok = 'fine'}",
    "return {ok = 'a\\nb'}",
    "return {err = 'ERR of mine'}",
    "return {err = 'without a code'}",
    "return {double = 3.5}",
    "return {map = {a = 1}}",
    "return {set = {a = true}}",
    "return {big_number = '123456789012345678901234567890'}",
    "return {verbatim_string = {format = 'txt', string = 'text'}}",
    "return print",
    "return function() end",
    "redis.setresp(3) return true",
    "redis.setresp(3) return {map = {x = false}}",
    // Replies as values of Lua.
    "return type(redis.call('GET', 'nothing'))",
    "return redis.call('SET', KEYS[1], 'v').ok",
    "redis.call('RPUSH', 'l', 1, 2, 3) return redis.call('LRANGE', 'l', 0, -1)",
    "redis.call('HSET', 'h', 'f', 'v') redis.setresp(3) return redis.call('HGETALL', 'h')",
    "redis.call('HSET', 'h', 'f', 'v') redis.setresp(3) return redis.call('HGETALL', 'h').map.f",
    "redis.call('SADD', 's', 'm') redis.setresp(3) return redis.call('SMEMBERS', 's').set.m",
    "redis.call('ZADD', 'z', 1.5, 'm') redis.setresp(3) \
     return redis.call('ZSCORE', 'z', 'm').double * 2",
    "redis.setresp(3) return type(redis.call('GET', 'nothing'))",
    "return redis.call('INCR', KEYS[1])",
    "return redis.pcall('INCR', 'h')",
    "return redis.call('INCR', 'h')",
    "return redis.pcall('NOPE')",
    "return redis.call('GET', {})",
    "return redis.call('GET', nil)",
    "return redis.call('SET', 'n', 12345678901234) and redis.call('GET', 'n')",
    "return redis.call('SET', 'n', 1e20) and redis.call('GET', 'n')",
    "return redis.call('TYPE', 'l')",
    "return redis.call('MGET', 'n', 'nothing')",
    "return redis.call('EVAL', 'return 1', 0)",
    "return redis.call('SELECT', 1)",
    "return redis.call('PING')",
    "return redis.call('ECHO', 'x')",
    "return redis.call('DBSIZE') > 3",
    "return redis.call('EXISTS', 'l', 'h', 'nothing')",
    // Errors.
    "error('boom')",
    "error({err = 'TAG text'})",
    "error(nil)",
    "return nothing",
    "x = 1",
    "local x = nil return x.y",
    "return 1 + {}",
    "syntax error here",
    "return pcall(error, 'caught')",
    "return {pcall(function() return redis.call('INCR', 'h') end)}",
    "local ok, e = pcall(redis.call, 'NOPE') return {tostring(ok), tostring(e)}",
    "return {xpcall(function() error('inner') end, function(e) return 'handled' end)}",
    "return redis.error_reply('MY text')",
    "return redis.error_reply('-MY text')",
    "return redis.error_reply('bare')",
    "return redis.error_reply()",
    "return redis.status_reply('GOOD')",
    "return redis.status_reply(1)",
    "return redis.sha1hex('abc')",
    "return redis.sha1hex()",
    "return redis.setresp(4)",
    "return redis.log(redis.LOG_DEBUG)",
    "return redis.log(9, 'x')",
    "return redis.set_repl(redis.REPL_ALL)",
    "return redis.set_repl(99)",
    "return {redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_ALL, redis.LOG_WARNING}",
    // The sandbox.
    "string.rep = nil",
    "redis.call = nil",
    "cjson.encode = nil",
    "table.insert(redis, 1)",
    "rawset(_G, 'x', 1)",
    "setmetatable(_G, {})",
    "getmetatable(_G).__index = nil",
    "return type(string.dump)",
    "return loadstring(string.dump(function() return 1 end))",
    "return loadstring('return 5')()",
    "return io",
    "return require",
    "return dofile",
    "return {collectgarbage('count') > 0}",
    "return coroutine.wrap(function() coroutine.yield(redis.call('PING')) end)()",
    "return select('#', unpack({}, 1, 100))",
    "return {unpack({1, 2, 3}, 2)}",
    "return unpack({}, 0, 2147483647)",
    "return unpack({}, -2147483648, 2147483647)",
    // Libraries.
    "return cjson.encode({1, 2, {a = 'b'}, 'x/y\"\\\\\\n'})",
    "return cjson.encode({})",
    "return cjson.encode({[1] = 1, [3] = 3})",
    "return cjson.encode({[1] = 1, [1000] = 2})",
    "return cjson.encode({x = cjson.null})",
    "return cjson.encode(1/0)",
    "return cjson.encode(function() end)",
    "return cjson.encode({[{}] = 1})",
    "return cjson.encode({0.1, 1e100, 123456789012, 1/3, -0.5})",
    "local t = {} for i = 1, 1100 do t = {t} end return cjson.encode(t)",
    "return cjson.encode(cjson.decode('[1, 2.5, \"x\", true, null, {\"a\": []}]'))",
    "return cjson.decode('[1,')",
    "return cjson.decode('{\"a\" 1}')",
    "return cjson.decode('nope')",
    "return cjson.decode('[1 2]')",
    "return cjson.decode('\"\\\\u00e9\\\\ud834\\\\udd1e\"')",
    "return cjson.decode('\"\\\\ud834\"')",
    "return cjson.decode('\"\\\\x\"')",
    "return cjson.decode('[0x10, 1e3, -5]')",
    "return cjson.decode('\"unended')",
    "return cjson.decode('')",
    "return cjson.decode(string.rep('[', 1001))",
    "return cjson.encode_max_depth(0)",
    "cjson.encode_sparse_array(true) return cjson.encode({[1] = 1, [1000] = 2})",
    "return cmsgpack.pack(1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, -128, -129, 2^40, \
     -2^40)",
    "return cmsgpack.pack(1.5, 0.1, 'x', string.rep('y', 40), true, nil, {1, 2}, {a = 1})",
    "return {cmsgpack.unpack(cmsgpack.pack(1, 'x', {1, {2}}, 2^33, -5))}",
    "return {cmsgpack.unpack_one(cmsgpack.pack(1, 2, 3))}",
    "return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2, 3), 2, 1)}",
    "return cmsgpack.unpack('\\147\\1')",
    "return cmsgpack.unpack('\\193')",
    "return {cmsgpack.unpack_one('x', 5)}",
    "return cmsgpack.pack()",
    "local a = {} a.a = a return #cmsgpack.pack(a)",
    "return struct.pack('>bBhHiIlLd', -1, 255, -2, 65535, -3, 3, -4, 4, 1.5)",
    "return {struct.unpack('<i2I3', struct.pack('<i2I3', -5, 70000))}",
    "return {struct.unpack('sc0', struct.pack('sBc3', 'text', 3, 'abc'))}",
    "return struct.pack('!8bd', 1, 2)",
    "return struct.size('!4bi')",
    "return struct.size('s')",
    "return struct.pack('y', 1)",
    "return struct.pack('i99', 1)",
    "return struct.pack('!3i', 1)",
    "return struct.pack('i', 'x')",
    "return {struct.unpack('i', 'ab')}",
    "return {struct.unpack('s', 'unended')}",
    "return {struct.unpack('b', 'abc', 3)}",
    "return {struct.unpack('b', 'abc', 0)}",
    "return {bit.band(255, 15), bit.bor(1, 2), bit.bxor(5, 1), bit.bnot(0), bit.bswap(1)}",
    "return {bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-8, 1), bit.rol(1, 33), \
     bit.ror(1, 1)}",
    "return {bit.tohex(65535), bit.tohex(65535, 4), bit.tohex(-1, -3), bit.tobit(2^32 + 5)}",
    "return bit.band('x')",
    "return bit.band()",
    "math.randomseed(7) return {math.random(100), math.random(100), math.random(5, 6)}",
    "return math.random(0)",
    "return string.format('%5.2f|%q|%d', 1.005, 'a', 7)",
    "return {string.gsub('hello', 'l+', '%0%0')}",
    // Flags.
    "#!lua\nreturn 1",
    "#!lua flags=no-writes\nreturn redis.call('SET', 'k', 1)",
    "#!lua flags=no-writes,allow-oom\nreturn redis.call('GET', 'n')",
    "#!lua flags=nope\nreturn 1",
    "#!lua what=x\nreturn 1",
    "#!js\nreturn 1",
    "#!lua",
];

fn request(command: &str, script: &str) -> Request {
    [command, script, "1", "key", "argument"].iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn a_corpus_of_scripts_is_answered_alike() {
    let mut differences = Vec::new();
    for core_count in [1, 3] {
        for protocol in ["2", "3"] {
            let Some(mut real) = RealServer::start() else { return };
            let mut cluster = Cluster::new(core_count, 7);
            let client = cluster.connect(0);
            let hello: Request = vec![b"HELLO".to_vec(), protocol.as_bytes().to_vec()];
            real.execute(&hello);
            cluster.execute_request_in_turns(client, hello);
            for script in CORPUS {
                for command in ["EVAL", "EVAL_RO"] {
                    let expected = real.execute(&request(command, script));
                    let request = request(command, script);
                    let found = cluster.execute_request_in_turns(client, request);
                    if show(&found) != show(&expected) {
                        differences.push(format!(
                            "{command} {script}\n  here {}\n  real {}",
                            show(&found),
                            show(&expected)
                        ));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
