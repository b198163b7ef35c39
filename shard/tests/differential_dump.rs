//! Payloads that travel between this server and a real one, both ways.
//!
//! Random values are made by the same commands here and there. What one server dumps, the other
//! restores; then all four values must read the same. `BASALT_TEST_REFERENCE` names another server
//! than the redis-server on the PATH. One before 7.2 gets payloads of version 10 (`rdb-version`).
//!
//! Each test draws a seed, or takes the one in `BASALT_TEST_SEED`, and tells it when it fails. On a
//! machine without redis-server the tests say so and pass.

mod support;

use basalt_shard::rdb::payload::seal;
use basalt_shard::rdb::value_type::RdbVersion;
use support::redis::RealServer;
use support::resp::{show, show_request, sorted_elements};
use support::{ClientId, Cluster, Request, seed, settings};

/// Values of each kind in one run.
const VALUES: usize = 60;

fn words(line: &str) -> Request {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// The text of a bulk string.
fn bulk(reply: &[u8]) -> Vec<u8> {
    assert_eq!(reply[0], b'$', "{}", show(reply));
    let line_end = reply.windows(2).position(|pair| pair == b"\r\n").expect("it has a line");
    reply[line_end + 2..reply.len() - 2].to_vec()
}

fn restore_request(key: &str, payload: &[u8]) -> Request {
    let mut request = words(&format!("restore {key} 0 payload replace"));
    request[3] = payload.to_vec();
    request
}

/// Commands that make a value at `k`.
struct Generator {
    random: fastrand::Rng,
}

impl Generator {
    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.usize(..choices.len())]
    }

    fn text(&mut self) -> Vec<u8> {
        match self.random.u32(..20) {
            0..5 => self.random.i64(-200..200).to_string().into_bytes(),
            5 => self.random.i64(..).to_string().into_bytes(),
            6 => self.pick(&["007", "-0", "+1", "9223372036854775808", "", " 1"]).into(),
            7 => {
                let length = self.random.usize(..300);
                (0..length).map(|_| self.random.u8(..)).collect()
            }
            8 => b"abc".repeat(self.random.usize(..60)),
            _ => format!("t{}", self.random.u32(..1000)).into_bytes(),
        }
    }

    fn count(&mut self) -> usize {
        match self.random.u32(..6) {
            0 => self.random.usize(1..4),
            1..5 => self.random.usize(1..100),
            _ => self.random.usize(100..700),
        }
    }

    fn request(&mut self, name: &str, arguments: impl Fn(&mut Self) -> Vec<Vec<u8>>) -> Request {
        let mut request = words(&format!("{name} k"));
        for _ in 0..self.count() {
            request.extend(arguments(self));
        }
        request
    }

    fn string(&mut self) -> Vec<Request> {
        let text = match self.random.u32(..4) {
            0 => b"repeated ".repeat(self.random.usize(..4000)),
            1 => {
                let length = self.random.usize(..20_000);
                (0..length).map(|_| self.random.u8(..)).collect()
            }
            _ => self.text(),
        };
        vec![vec![b"set".to_vec(), b"k".to_vec(), text]]
    }

    fn list(&mut self) -> Vec<Request> {
        let has_large = self.random.u32(..3) == 0;
        let mut requests = vec![self.request("rpush", |own| match own.random.u32(..30) {
            0 if has_large => vec![vec![b'x'; own.random.usize(8000..20_000)]],
            _ => vec![own.text()],
        })];
        if self.random.bool() {
            requests.push(words(&format!("lpop k {}", self.random.usize(1..50))));
            requests.push(words("lpush k a b"));
        }
        requests
    }

    fn set(&mut self) -> Vec<Request> {
        let range = self.pick(&[100, 1000, 100_000, i64::MAX]);
        match self.random.bool() {
            true => vec![self.request("sadd", |own| {
                vec![own.random.i64(-range..range).to_string().into_bytes()]
            })],
            false => vec![self.request("sadd", |own| vec![own.text()])],
        }
    }

    /// Scores are halves, which every release prints the same way.
    fn sorted_set(&mut self) -> Vec<Request> {
        let requests = self.request("zadd", |own| {
            let score = match own.random.u32(..20) {
                0 => own.pick(&["inf", "-inf", "0", "1e6"]).to_owned(),
                _ => (own.random.i32(-2000..2000) as f64 / 2.0).to_string(),
            };
            vec![score.into_bytes(), own.text()]
        });
        vec![requests]
    }

    fn hash(&mut self) -> Vec<Request> {
        vec![self.request("hset", |own| vec![own.text(), own.text()])]
    }

    fn stream(&mut self) -> Vec<Request> {
        let (mut ms, mut seq) = (1, 0);
        let mut requests = Vec::new();
        for _ in 0..self.count() {
            if self.random.bool() {
                (ms, seq) = (ms + self.random.u64(1..100), self.random.u64(..5));
            } else {
                seq += self.random.u64(1..5);
            }
            let mut request = words(&format!("xadd k {ms}-{seq}"));
            for field in 0..self.random.usize(1..3) {
                let is_usual = self.random.u32(..4) > 0;
                let name = if is_usual { format!("f{field}").into_bytes() } else { self.text() };
                request.extend([name, self.text()]);
            }
            requests.push(request);
            if self.random.u32(..6) == 0 {
                requests.push(words(&format!("xdel k {ms}-{seq}")));
            }
        }
        for group in 0..self.random.u32(..3) {
            requests.push(words(&format!("xgroup create k g{group} {}", self.pick(&["0", "$"]))));
            // Releases differ in whether reading nothing makes a consumer.
            for consumer in 0..3 {
                requests.push(words(&format!("xgroup createconsumer k g{group} c{consumer}")));
            }
            for _ in 0..self.random.u32(..4) {
                let (consumer, count) = (self.random.u32(..3), self.random.u32(1..20));
                requests.push(words(&format!(
                    "xreadgroup group g{group} c{consumer} count {count} streams k >"
                )));
            }
            requests.push(words(&format!("xack k g{group} {ms}-{seq} 1-1")));
        }
        if self.random.u32(..4) == 0 {
            requests.push(words("xtrim k maxlen 1"));
        }
        requests
    }
}

/// The two servers.
struct Pair {
    cluster: Cluster,
    client: ClientId,
    real: RealServer,
    version: (u32, u32),
    seed: u64,
}

impl Pair {
    fn start(seed: u64) -> Option<Self> {
        let mut real = RealServer::start_with(&["--enable-debug-command", "yes"])?;
        let version = real.version();
        let mut settings = settings();
        if version < (7, 2) {
            settings.rdb_version = RdbVersion::V10;
        }
        let mut cluster = Cluster::with_settings(1, seed, settings);
        let client = cluster.connect(0);
        Some(Self { cluster, client, real, version, seed })
    }

    fn ours(&mut self, request: Request) -> Vec<u8> {
        self.cluster.execute_request(self.client, request)
    }

    /// Asks both the same and expects one answer but for the order of elements.
    #[track_caller]
    fn check_same(&mut self, line: &str, order: Order) {
        let ours = self.ours(words(line));
        let theirs = self.real.execute(&words(line));
        let ordered = |reply: Vec<u8>| match order {
            Order::Matters => reply,
            Order::Any => sorted_elements(&reply),
        };
        let (ours, theirs) = (ordered(ours), ordered(theirs));
        assert!(
            ours == theirs,
            "{line}, seed {}: {} against {}",
            self.seed,
            show(&ours),
            show(&theirs)
        );
    }

    /// Sends the values of both servers across.
    fn exchange(&mut self) {
        let theirs = bulk(&self.real.execute(&words("dump k")));
        let reply = self.ours(restore_request("there", &theirs));
        assert_eq!(show(&reply), "+OK\\r\\n", "seed {}: {}", self.seed, show(&theirs));
        let reply = self.real.execute(&restore_request("there", &theirs));
        assert_eq!(show(&reply), "+OK\\r\\n");
        let ours = bulk(&self.ours(words("dump k")));
        let reply = self.ours(restore_request("here", &ours));
        assert_eq!(show(&reply), "+OK\\r\\n");
        let reply = self.real.execute(&restore_request("here", &ours));
        assert_eq!(show(&reply), "+OK\\r\\n", "seed {}: {}", self.seed, show(&ours));
    }
}

/// Whether the order of elements in a reply means something.
#[derive(Clone, Copy)]
enum Order {
    Matters,
    Any,
}

/// Questions about a key; `*` stands for it.
type Questions = &'static [(&'static str, Order)];

fn exchange(make: impl Fn(&mut Generator) -> Vec<Request>, questions: Questions) {
    let seed = seed();
    let Some(mut pair) = Pair::start(seed) else { return };
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed) };
    for _ in 0..VALUES {
        for request in [vec![words("del k")], make(&mut generator)].concat() {
            let theirs = pair.real.execute(&request);
            let ours = pair.ours(request.clone());
            let is_error = |reply: &[u8]| reply[0] == b'-';
            assert_eq!(is_error(&ours), is_error(&theirs), "{}", show_request(&request));
        }
        if pair.ours(words("exists k")) == b":0\r\n" {
            continue;
        }
        pair.exchange();
        for key in ["k", "there", "here"] {
            for (question, order) in questions {
                pair.check_same(&question.replace('*', key), *order);
            }
            pair.check_same(&format!("debug digest-value {key}"), Order::Matters);
            // Releases before 7.2 have other names for small lists and sets.
            if pair.version >= (7, 2) {
                pair.check_same(&format!("object encoding {key}"), Order::Matters);
            }
        }
    }
    pair.check_same("debug digest", Order::Matters);
}

#[test]
fn strings_travel() {
    exchange(Generator::string, &[("get *", Order::Matters)]);
}

#[test]
fn lists_travel() {
    exchange(Generator::list, &[("lrange * 0 -1", Order::Matters), ("llen *", Order::Matters)]);
}

#[test]
fn sets_travel() {
    exchange(Generator::set, &[("smembers *", Order::Any), ("scard *", Order::Matters)]);
}

#[test]
fn sorted_sets_travel() {
    exchange(Generator::sorted_set, &[("zrange * 0 -1 withscores", Order::Matters)]);
}

#[test]
fn hashes_travel() {
    exchange(Generator::hash, &[("hgetall *", Order::Any), ("hlen *", Order::Matters)]);
}

#[test]
fn streams_travel() {
    exchange(
        Generator::stream,
        &[
            ("xrange * - +", Order::Matters),
            ("xlen *", Order::Matters),
            ("xinfo groups *", Order::Matters),
            ("xpending * g0", Order::Matters),
            ("xpending * g1", Order::Matters),
        ],
    );
}

/// Ziplists and other forms that nobody writes any more.
mod old {
    /// An element of a ziplist: head and body.
    fn ziplist_body(text: &[u8]) -> Vec<u8> {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        let number = number.filter(|number| number.to_string().as_bytes() == text);
        let with_head = |head: u8, count: usize| {
            let number = number.expect("it is a number");
            [&[head], &number.to_le_bytes()[..count]].concat()
        };
        match (number, text.len()) {
            (Some(number @ 0..=12), _) => vec![0xf1 + number as u8],
            (Some(-128..=127), _) => with_head(0xfe, 1),
            (Some(-0x8000..=0x7fff), _) => with_head(0xc0, 2),
            (Some(-0x80_0000..=0x7f_ffff), _) => with_head(0xf0, 3),
            (Some(-0x8000_0000..=0x7fff_ffff), _) => with_head(0xd0, 4),
            (Some(_), _) => with_head(0xe0, 8),
            (None, length @ 0..64) => [&[length as u8], text].concat(),
            (None, length @ 64..0x4000) => {
                [&[0x40 | (length >> 8) as u8, length as u8], text].concat()
            }
            (None, length) => [&[0x80], &(length as u32).to_be_bytes()[..], text].concat(),
        }
    }

    pub(super) fn ziplist(texts: &[Vec<u8>]) -> Vec<u8> {
        let (mut entries, mut before, mut last) = (Vec::new(), 0, 0);
        for text in texts {
            last = entries.len();
            match before {
                0..254 => entries.push(before as u8),
                _ => {
                    entries.push(254);
                    entries.extend((before as u32).to_le_bytes());
                }
            }
            entries.extend(ziplist_body(text));
            before = entries.len() - last;
        }
        let numbers = [entries.len() + 11, last + 10].map(|number| (number as u32).to_le_bytes());
        let count = (texts.len() as u16).to_le_bytes();
        [&numbers.concat()[..], &count, &entries, &[0xff]].concat()
    }

    pub(super) fn zipmap(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let length = |length: usize| match length {
            0..254 => vec![length as u8],
            _ => [&[254][..], &(length as u32).to_le_bytes()].concat(),
        };
        let mut bytes = vec![fields.len().min(254) as u8];
        for (name, value) in fields {
            bytes.extend([length(name.len()), name.clone(), length(value.len())].concat());
            bytes.push(2);
            bytes.extend_from_slice(value);
            bytes.extend([0xaa; 2]);
        }
        bytes.push(0xff);
        bytes
    }

    /// A string of RDB, uncompressed.
    pub(super) fn string(text: &[u8]) -> Vec<u8> {
        [&[0x80][..], &(text.len() as u32).to_be_bytes(), text].concat()
    }

    /// A count of elements, then strings.
    pub(super) fn strings(count: usize, texts: &[Vec<u8>]) -> Vec<u8> {
        let texts: Vec<u8> = texts.iter().flat_map(|text| string(text)).collect();
        [&[0x80][..], &(count as u32).to_be_bytes(), &texts].concat()
    }
}

/// Different texts.
fn distinct(generator: &mut Generator, count: usize) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = (0..count).map(|_| generator.text()).collect();
    texts.sort();
    texts.dedup();
    texts
}

/// Values in a form that nobody writes any more.
fn old_value(generator: &mut Generator) -> Vec<u8> {
    let count = generator.count();
    let texts = distinct(generator, count);
    let values: Vec<Vec<u8>> = texts.iter().map(|_| generator.text()).collect();
    let fields: Vec<(Vec<u8>, Vec<u8>)> = texts.iter().cloned().zip(values).collect();
    let scored: Vec<Vec<u8>> = texts
        .iter()
        .enumerate()
        .flat_map(|(index, text)| [text.clone(), (3 * index).to_string().into_bytes()])
        .collect();
    let paired: Vec<Vec<u8>> =
        fields.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
    let quicklist: Vec<Vec<u8>> = texts.chunks(20).map(old::ziplist).collect();
    match generator.random.u32(..8) {
        0 => [&[1], &old::strings(texts.len(), &texts)[..]].concat(),
        1 => [&[10], &old::string(&old::ziplist(&texts))[..]].concat(),
        2 => [&[14], &old::strings(quicklist.len(), &quicklist)[..]].concat(),
        3 => [&[9], &old::string(&old::zipmap(&fields))[..]].concat(),
        4 => [&[13], &old::string(&old::ziplist(&paired))[..]].concat(),
        5 => [&[12], &old::string(&old::ziplist(&scored))[..]].concat(),
        6 => [&[4], &old::strings(fields.len(), &paired)[..]].concat(),
        _ => {
            let mut value = vec![3, 0x80];
            value.extend((texts.len() as u32).to_be_bytes());
            for pair in scored.chunks(2) {
                value.extend(old::string(&pair[0]));
                value.push(pair[1].len() as u8);
                value.extend_from_slice(&pair[1]);
            }
            value
        }
    }
}

#[test]
fn old_forms_are_read_alike() {
    let seed = seed();
    let Some(mut pair) = Pair::start(seed) else { return };
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed) };
    for _ in 0..3 * VALUES {
        let mut payload = old_value(&mut generator);
        seal(&mut payload, 9);
        let request = restore_request("k", &payload);
        assert_eq!(show(&pair.ours(request.clone())), "+OK\\r\\n", "seed {seed}");
        assert_eq!(show(&pair.real.execute(&request)), "+OK\\r\\n", "seed {seed}");
        pair.check_same("debug digest-value k", Order::Matters);
        if pair.version >= (7, 2) {
            pair.check_same("object encoding k", Order::Matters);
        }
    }
}

/// What is damaged is refused wherever Redis refuses it when it looks closely, and means the same
/// where both accept it.
#[test]
fn damage_is_not_accepted_where_redis_refuses_it() {
    let seed = seed();
    let Some(mut pair) = Pair::start(seed) else { return };
    pair.real.execute(&words("config set sanitize-dump-payload yes"));
    let mut generator = Generator { random: fastrand::Rng::with_seed(seed) };
    for _ in 0..10 * VALUES {
        let mut payload = old_value(&mut generator);
        // The counts in front are left alone: Redis makes room for as many elements as they say.
        for _ in 0..generator.random.usize(1..4) {
            let index = generator.random.usize(6..payload.len().clamp(7, 60));
            if index >= payload.len() {
                break;
            }
            payload[index] ^= 1 << generator.random.u32(..8);
        }
        if generator.random.u32(..4) == 0 {
            payload.truncate(generator.random.usize(1..=payload.len()));
        }
        seal(&mut payload, 9);
        let request = restore_request("k", &payload);
        let ours = pair.ours(request.clone());
        let theirs = pair.real.execute(&request);
        if ours == b"+OK\r\n" {
            assert!(theirs == ours, "seed {seed}: {}", show(&payload));
            pair.check_same("debug digest-value k", Order::Matters);
        }
    }
}
