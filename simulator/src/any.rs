//! Any command on any type, drawn for keys that all clients share.
//!
//! ```text
//! LMOVE $L $L LEFT RIGHT      ->  LMOVE l0 l2 LEFT RIGHT
//! HSET $H $f $v $f $v         ->  HSET h1 f3 v21 f0 v22
//! ```
//!
//! What begins with `$` is drawn: keys of a type (and of any, now and then, for `WRONGTYPE`),
//! fields and members from few, values that no other command has (`$v` short ones, `$b` of up to
//! [`LARGE_BYTES_MAX`], which leave the server from where they lie), small numbers. Left out is
//! what a model cannot say beforehand: random choices, use counts, walks.
//!
//! A life has a [`Menu`]: some of the types, and few keys of each, or all of them.

use crate::Request;

/// Commands on single keys. Each is as likely as any other.
const SINGLE: &[&str] = &[
    "SET $S $v",
    "SET $S $b",
    "SET $S $v PX $t",
    "SET $S $n KEEPTTL",
    "SET $S $v NX GET",
    "GETSET $S $v",
    "GETDEL $S",
    "GETEX $S PX $t",
    "APPEND $S $v",
    "APPEND $S $b",
    "SETRANGE $S $n $v",
    "GETRANGE $S $i $i",
    "INCR $S",
    "INCRBYFLOAT $S 1.5",
    "GET $S",
    "STRLEN $S",
    "SETBIT $S $n 1",
    "BITCOUNT $S",
    "BITPOS $S 1",
    "BITFIELD $S INCRBY u8 $n 7",
    "PFADD $P $m $m $v",
    "PFCOUNT $P",
    "RPUSH $L $v $m",
    "LPUSH $L $v",
    "RPUSH $L $b",
    "LPUSHX $L $m",
    "RPOP $L",
    "LPOP $L 2",
    "LINSERT $L BEFORE $m $v",
    "LSET $L $i $v",
    "LREM $L $i $m",
    "LTRIM $L $i $i",
    "LRANGE $L 0 -1",
    "LINDEX $L $i",
    "LPOS $L $m COUNT 0",
    "LLEN $L",
    "HSET $H $f $v $f $m",
    "HSETNX $H $f $v",
    "HSET $H $f $b",
    "HDEL $H $f $f",
    "HINCRBY $H $f $n",
    "HGET $H $f",
    "HMGET $H $f $f $f",
    "HGETALL $H",
    "HKEYS $H",
    "HLEN $H",
    "HPEXPIRE $H $t FIELDS 1 $f",
    "HPERSIST $H FIELDS 1 $f",
    "HPTTL $H FIELDS 2 $f $f",
    "SADD $T $m $m $v",
    "SADD $T $n $n",
    "SREM $T $m $m",
    "SISMEMBER $T $m",
    "SMISMEMBER $T $m $m $n",
    "SMEMBERS $T",
    "SCARD $T",
    "ZADD $Z $n $m $n $m",
    "ZADD $Z GT CH $n $m",
    "ZADD $Z $n $v",
    "ZINCRBY $Z 0.5 $m",
    "ZREM $Z $m $m",
    "ZPOPMIN $Z",
    "ZPOPMAX $Z 2",
    "ZREMRANGEBYRANK $Z $i $i",
    "ZREMRANGEBYSCORE $Z $n $n",
    "ZRANGE $Z 0 -1 WITHSCORES",
    "ZRANGE $Z $n $n BYSCORE REV LIMIT 0 3",
    "ZRANK $Z $m",
    "ZCOUNT $Z $n +inf",
    "ZSCORE $Z $m",
    "GEOADD $G 13.361389 38.115556 $m 15.087269 37.502669 $m",
    "GEOPOS $G $m",
    "GEOSEARCH $G FROMLONLAT 15 37 BYRADIUS 200 km ASC",
    "XADD $X * $f $v",
    "XADD $X MAXLEN 6 * $f $v $f $m",
    "XLEN $X",
    "XRANGE $X - +",
    "XTRIM $X MAXLEN $n",
    "XGROUP CREATE $X group 0 MKSTREAM",
    "XREADGROUP GROUP group one COUNT 2 STREAMS $X >",
    "XREADGROUP GROUP group three COUNT 3 CLAIM 5 STREAMS $X >",
    "XPENDING $X group",
    "XAUTOCLAIM $X group two 3 0 COUNT 1",
    "XDEL $X 0-1",
    "TYPE $A",
    "OBJECT ENCODING $A",
    "PEXPIRE $A $t",
    "PEXPIRE $A $t NX",
    "PERSIST $A",
    "PTTL $A",
    "PEXPIRETIME $A",
    "DEL $A",
    "EXISTS $A",
    "SORT $L ALPHA",
    "MOVE $A 1",
];

/// Commands on several keys, wherever these live.
const SEVERAL: &[&str] = &[
    "MSET $S $v $S $v $A $v",
    "MSETNX $S $v $S $v",
    "MGET $S $S $A",
    "BITOP XOR $S $S $S",
    "LCS $S $S",
    "PFMERGE $P $P $P",
    "PFCOUNT $P $P",
    "LMOVE $L $L LEFT RIGHT",
    "RPOPLPUSH $L $L",
    "LMPOP 2 $L $L RIGHT COUNT 2",
    "SMOVE $T $T $m",
    "SUNION $T $T",
    "SINTER $T $T",
    "SDIFF $T $T",
    "SINTERCARD 2 $T $T",
    "SUNIONSTORE $T $T $T",
    "SDIFFSTORE $A $T $T",
    "ZUNIONSTORE $Z 2 $Z $T WEIGHTS 1 3",
    "ZINTERSTORE $Z 2 $Z $Z AGGREGATE MAX",
    "ZDIFF 2 $Z $Z WITHSCORES",
    "ZMPOP 2 $Z $Z MAX",
    "ZRANGESTORE $Z $Z 0 2",
    "GEOSEARCHSTORE $G $G FROMLONLAT 15 37 BYBOX 400 400 km",
    "SORT $L ALPHA STORE $L",
    "RENAME $A $A",
    "RENAMENX $A $A",
    "COPY $A $A",
    "COPY $A $A REPLACE",
    "DEL $A $A $A",
    "UNLINK $A $A",
    "EXISTS $A $A $A $A",
    "TOUCH $A $A",
];

/// Commands on everything there is.
const EVERYTHING: &[&str] = &["FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "FLUSHALL ASYNC"];

/// Replies of these have no order.
const UNORDERED: &[&str] = &["SMEMBERS", "HGETALL", "HKEYS", "SUNION", "SINTER", "SDIFF"];

/// The letter of a key of any type.
const ANY_TYPE: char = 'A';

/// The most keys of a type.
const KEYS_OF_TYPE_MAX: usize = 4;

/// Letters of types, how keys of each are called, and how many there are.
const TYPES: [(char, &str, usize); 8] = [
    ('S', "s", 4),
    ('L', "l", 4),
    ('H', "h", 3),
    ('T', "t", 4),
    ('Z', "z", 4),
    ('X', "x", 2),
    ('G', "g", 2),
    ('P', "p", 3),
];

/// Values are shorter than this.
pub const LARGE_BYTES_MAX: usize = 1 << 15;

/// Shares of the types a life may have, in eighths.
const SHARES: [u32; 4] = [1, 2, 4, 8];

/// What a life draws from.
#[derive(Clone, Debug)]
pub struct Menu {
    single: Vec<&'static str>,
    several: Vec<&'static str>,
    /// Types, how keys of each are called, and how many there are.
    types: Vec<(char, &'static str, usize)>,
}

impl Menu {
    /// Draws one: all types or only some, all their keys or only few.
    pub fn drawn(random: &mut fastrand::Rng) -> Self {
        let share = SHARES[random.usize(..SHARES.len())];
        let mut types: Vec<_> = TYPES.into_iter().filter(|_| random.u32(..8) < share).collect();
        if types.is_empty() {
            types.push(TYPES[random.usize(..TYPES.len())]);
        }
        let most = random.usize(1..=KEYS_OF_TYPE_MAX);
        types.iter_mut().for_each(|(_, _, count)| *count = most.min(*count));
        let is_known = |word: &str| {
            let letter = word.strip_prefix('$').and_then(|rest| rest.chars().next());
            letter.is_none_or(|letter| {
                !letter.is_ascii_uppercase()
                    || letter == ANY_TYPE
                    || types.iter().any(|(other, ..)| *other == letter)
            })
        };
        // COPY shares large values, and then both keys have them in their accounts.
        let is_large = random.bool();
        let is_meant = |template: &str| match is_large {
            true => !template.starts_with("COPY"),
            false => !template.contains("$b"),
        };
        let fits = |template: &&&str| is_meant(template) && template.split(' ').all(is_known);
        let of = |list: &[&'static str]| list.iter().filter(fits).copied().collect();
        Self { single: of(SINGLE), several: of(SEVERAL), types }
    }
}

/// Draws commands.
pub struct Any<'a> {
    /// What they are drawn from.
    pub menu: &'a Menu,
    /// What says which.
    pub random: &'a mut fastrand::Rng,
    /// Counts values.
    pub next_value: &'a mut u32,
}

impl Any<'_> {
    /// A command on keys.
    pub fn command(&mut self) -> Request {
        let Menu { single, several, .. } = self.menu;
        let list = if self.random.u32(..3) == 0 { several } else { single };
        let template = list[self.random.usize(..list.len())];
        template.split(' ').map(|word| self.word(word).into_bytes()).collect()
    }

    /// A command on everything.
    pub fn on_everything(&mut self) -> Request {
        crate::resp::split_line(EVERYTHING[self.random.usize(..EVERYTHING.len())])
    }

    fn word(&mut self, word: &str) -> String {
        let Some(letter) = word.strip_prefix('$').and_then(|rest| rest.chars().next()) else {
            return word.to_owned();
        };
        match letter {
            'v' => self.value(),
            'b' => {
                let text = self.value() + ";";
                // Small ones and large ones are alike.
                let exponent = self.random.u32(6..LARGE_BYTES_MAX.ilog2());
                let bytes = self.random.usize(1 << exponent..2 << exponent);
                text.repeat(bytes.div_ceil(text.len()))
            }
            'f' => format!("f{}", self.random.u32(..5)),
            'm' => format!("m{}", self.random.u32(..6)),
            'n' => self.random.u32(..9).to_string(),
            'i' => self.random.i32(-4..6).to_string(),
            't' => self.random.u32(1..40).to_string(),
            _ => self.key(letter),
        }
    }

    fn value(&mut self) -> String {
        *self.next_value += 1;
        format!("v{}", self.next_value)
    }

    /// The name of a key of any type.
    pub fn any_key(&mut self) -> String {
        self.key(ANY_TYPE)
    }

    fn key(&mut self, letter: char) -> String {
        let types = &self.menu.types;
        let of_type = types.iter().find(|(other, ..)| *other == letter);
        let (_, name, count) = match of_type.filter(|_| self.random.u32(..16) > 0) {
            Some(found) => *found,
            None => types[self.random.usize(..types.len())],
        };
        format!("{name}{}", self.random.usize(..count))
    }
}

/// Whether a word is the name of a key.
pub fn is_key(word: &[u8]) -> bool {
    let [first, b'0'..=b'9'] = word else { return false };
    TYPES.iter().any(|(_, name, _)| name.as_bytes() == [*first])
}

/// A reply as it is to be compared: without the order it has by chance.
pub fn comparable(request: &[Vec<u8>], reply: &[u8]) -> Vec<u8> {
    let name = request[0].to_ascii_uppercase();
    match UNORDERED.iter().any(|other| other.as_bytes() == name) {
        true => crate::resp::sorted_elements(reply),
        false => reply.to_vec(),
    }
}
