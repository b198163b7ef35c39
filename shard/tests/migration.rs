//! MIGRATE at cores whose other servers are made up: who waits for keys that are under way, what
//! becomes of these when they arrive and when they do not, and that the cores go on meanwhile.

mod support;

use basalt_shard::error::CommandError;
use basalt_shard::migration::{CANNOT_READ, Delivery};
use basalt_simulator::shipping::{Freight, all_arrived};
use support::resp::{show, split_line};
use support::scenario::{Scenario, each};
use support::{ClientId, Cluster, under_seeds};

const MIGRATE: &str = "MIGRATE host 1 k 0 100";
const NOT_READ: &str = "-IOERR error or timeout reading to target instance\r\n";

/// Sends a command whose answer may have to wait.
fn begin(cluster: &mut Cluster, client: ClientId, line: &str) {
    cluster.send(client, split_line(line));
    cluster.run_until_idle();
}

/// What a client has been told since it was asked last.
fn told(cluster: &mut Cluster, client: ClientId) -> String {
    cluster.run_until_idle();
    show(&cluster.take_replies(client))
}

/// The only shipment.
fn only(cluster: &Cluster) -> Freight {
    let mut waiting = cluster.shipping().take();
    assert_eq!(waiting.len(), 1, "one command ships");
    waiting.remove(0)
}

fn deliver(cluster: &mut Cluster, freight: &Freight, acknowledged: &[bool], error: CommandError) {
    let delivery = Delivery { acknowledged: acknowledged.to_vec(), error: Some(error) };
    cluster.shipping().deliver(freight, delivery);
}

fn arrive(cluster: &mut Cluster, freight: &Freight) {
    cluster.shipping().deliver(freight, all_arrived(&freight.shipment));
}

#[test]
fn what_cannot_be_sent_is_refused_at_once() {
    each(|talk| {
        talk.run("SET k v");
        talk.check_error("MIGRATE host 1 k 0 x", "ERR value is not an integer or out of range");
        talk.check_error("MIGRATE host 1 k x 0", "ERR value is not an integer or out of range");
        talk.check_error("MIGRATE host 1 k 0 0 AGAIN", "ERR syntax error");
        talk.check_error("MIGRATE host 1 k 0 0 AUTH", "ERR syntax error");
        talk.check_error("MIGRATE host 1 \"\" 0 0 AUTH2 user", "ERR syntax error");
        talk.check_error(
            "MIGRATE host 1 k 0 0 KEYS a b",
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
        );
        talk.check("MIGRATE host 1 \"\" 0 0 KEYS", "+NOKEY\r\n");
        talk.check("MIGRATE host 1 missing 0 0", "+NOKEY\r\n");
        talk.check("MIGRATE host 1 \"\" 0 0 COPY KEYS a b c", "+NOKEY\r\n");
        assert!(talk.cluster.shipping().take().is_empty());
    });
}

/// The words of one command, as the other server would read them; the payload is left out.
fn words(restores: &[u8]) -> Vec<String> {
    let lines = restores.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    let words = lines.skip(2).step_by(2).map(|line| line.trim_end().to_owned());
    words.filter(|word| word.is_ascii()).collect()
}

#[test]
fn a_shipment_says_what_the_client_said() {
    let mut cluster = Cluster::new(2, 1);
    let client = cluster.connect(0);
    cluster.execute(client, "MSET k v other w");
    cluster.execute(client, "PEXPIRE k 5000");
    let line = "MIGRATE host 70 \"\" 9 0 REPLACE COPY AUTH2 me secret KEYS k none other k";
    begin(&mut cluster, client, line);
    let freight = only(&cluster);
    let shipment = &freight.shipment;
    assert_eq!((shipment.db, shipment.key_count), (9, 3));
    assert_eq!(shipment.timeout.as_millis(), 1000, "zero stands for the default");
    assert_eq!((&*shipment.target.host, &*shipment.target.port), (&b"host"[..], &b"70"[..]));
    let credentials = shipment.target.credentials.as_ref().expect("they were given");
    assert_eq!(credentials.user.as_deref(), Some(&b"me"[..]));
    assert_eq!(credentials.password, b"secret");
    let spoken = words(&shipment.restores);
    assert_eq!(spoken[..3], ["RESTORE", "k", "5000"], "{spoken:?}");
    arrive(&mut cluster, &freight);
    assert_eq!(told(&mut cluster, client), "+OK\\r\\n");
    assert_eq!(cluster.execute(client, "EXISTS k other"), b":2\r\n", "they were copied");
}

#[test]
fn keys_under_way_are_neither_seen_nor_changed() {
    under_seeds(|seed| {
        for core_count in [1, 2, 3] {
            let mut cluster = Cluster::new(core_count, seed);
            let (client, other) =
                (cluster.connect(0), cluster.connect(usize::from(core_count) - 1));
            cluster.execute(client, "MSET k v kk v a 1 b 2 c 3");
            begin(&mut cluster, client, "MIGRATE host 1 \"\" 0 100 KEYS k kk");
            let freight = only(&cluster);
            begin(&mut cluster, other, "APPEND k more");
            assert_eq!(told(&mut cluster, other), "", "it waits for the key");
            let third = cluster.connect(0);
            for (line, reply) in [("GET a", "1"), ("GET b", "2"), ("GET c", "3")] {
                let reply = format!("$1\r\n{reply}\r\n");
                assert_eq!(cluster.execute(third, line), reply.as_bytes(), "others go on");
            }
            arrive(&mut cluster, &freight);
            assert_eq!(told(&mut cluster, client), "+OK\\r\\n");
            assert_eq!(told(&mut cluster, other), ":4\\r\\n", "it came after the keys had left");
            assert_eq!(cluster.execute(client, "EXISTS k kk"), b":1\r\n");
            assert_eq!(cluster.core(0).boxes_under_way(), 0);
        }
    });
}

#[test]
fn only_what_was_acknowledged_is_gone() {
    under_seeds(|seed| {
        for core_count in [1, 3] {
            let mut cluster = Cluster::new(core_count, seed);
            let client = cluster.connect(0);
            cluster.execute(client, "MSET k v l w m x");
            cluster.execute(client, MIGRATE);
            let freight = only(&cluster);
            cluster.shipping().deliver(&freight, Delivery::failed(CANNOT_READ));
            assert_eq!(told(&mut cluster, client), show(NOT_READ.as_bytes()));
            assert_eq!(cluster.execute(client, "EXISTS k l m"), b":3\r\n");

            begin(&mut cluster, client, "MIGRATE host 1 \"\" 0 100 KEYS k l m");
            let freight = only(&cluster);
            let busy = CommandError::Fixed("ERR Target instance replied with error: BUSYKEY it is");
            deliver(&mut cluster, &freight, &[true, false], busy);
            let reply = "-ERR Target instance replied with error: BUSYKEY it is\\r\\n";
            assert_eq!(told(&mut cluster, client), reply);
            assert_eq!(
                cluster.execute(client, "MGET k l m"),
                b"*3\r\n$-1\r\n$1\r\nw\r\n$1\r\nx\r\n"
            );
        }
    });
}

#[test]
fn a_key_without_a_client_that_waits_for_it_leaves_all_the_same() {
    let mut cluster = Cluster::new(2, 3);
    let (client, watcher) = (cluster.connect(0), cluster.connect(1));
    cluster.execute(client, "SET k v");
    cluster.execute(watcher, "WATCH k");
    begin(&mut cluster, client, MIGRATE);
    let freight = only(&cluster);
    cluster.disconnect(client);
    arrive(&mut cluster, &freight);
    cluster.run_until_idle();
    assert_eq!(cluster.execute(watcher, "EXISTS k"), b":0\r\n");
    cluster.execute(watcher, "MULTI");
    assert_eq!(cluster.execute(watcher, "EXEC"), b"*-1\r\n", "whoever watched it was told");
}

#[test]
fn visits_of_all_cores_wait_until_the_keys_are_home() {
    let mut cluster = Cluster::new(2, 3);
    let (client, other) = (cluster.connect(0), cluster.connect(1));
    cluster.execute(client, "MSET k v a 1");
    begin(&mut cluster, client, MIGRATE);
    let freight = only(&cluster);
    begin(&mut cluster, other, "DBSIZE");
    assert_eq!(told(&mut cluster, other), "");
    arrive(&mut cluster, &freight);
    assert_eq!(told(&mut cluster, other), ":1\\r\\n");
    assert_eq!(told(&mut cluster, client), "+OK\\r\\n");
}

#[test]
fn a_pipeline_keeps_its_order() {
    under_seeds(|seed| {
        let mut cluster = Cluster::new(2, seed);
        let client = cluster.connect(0);
        for line in ["SET k v", "SET a 1", MIGRATE, "EXISTS k", "GET a", "SET k new", "GET k"] {
            cluster.send(client, split_line(line));
        }
        cluster.run_until_idle();
        let freight = only(&cluster);
        assert_eq!(told(&mut cluster, client), "+OK\\r\\n+OK\\r\\n");
        arrive(&mut cluster, &freight);
        let expected = "+OK\\r\\n:0\\r\\n$1\\r\\n1\\r\\n+OK\\r\\n$3\\r\\nnew\\r\\n";
        assert_eq!(told(&mut cluster, client), expected);
    });
}

#[test]
fn transactions_and_scripts_wait_for_the_other_server() {
    each(|talk| {
        talk.run("MSET k v l w");
        talk.check_ok("MULTI");
        talk.check(MIGRATE, "+QUEUED\r\n");
        talk.check("EXISTS k l", "+QUEUED\r\n");
        talk.check("EXEC", "*2\r\n+OK\r\n:1\r\n");
        let script = "return {redis.call('migrate', 'h', '1', KEYS[1], '0', '10'), \
                      redis.call('exists', KEYS[1])}";
        check_script(talk, script);
    });
}

fn check_script(talk: &mut Scenario, script: &str) {
    talk.check(&format!("EVAL \"{script}\" 1 l"), "*2\r\n+OK\r\n:0\r\n");
}
