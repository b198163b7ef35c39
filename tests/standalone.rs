//! A server of its own: what it answers to the commands of a cluster, of replicas and of modules.
//! Client libraries and tools ask these at every connection and go by the words of the answer.

mod support;

use support::{OK, Reply, array, bulk, each};

const NO_CLUSTER: &str = "-ERR This instance has cluster support disabled";
const NO_MODULES: &str = "-ERR MODULE command not allowed. If the enable-module-command option is \
                          set to \"local\", you can run it from a local connection, otherwise \
                          you need to set this option in the configuration file, and then \
                          restart the server.";

#[test]
fn no_cluster() {
    each(|t| {
        for command in [
            "CLUSTER INFO",
            "CLUSTER NODES",
            "CLUSTER SLOTS",
            "CLUSTER SHARDS",
            "CLUSTER MYID",
            "CLUSTER KEYSLOT k",
            "CLUSTER COUNTKEYSINSLOT 1",
            "CLUSTER HELP",
            "READONLY",
            "READWRITE",
            "ASKING",
        ] {
            t.check(command, NO_CLUSTER);
        }
        t.check("CLUSTER nosuch", "-ERR unknown subcommand 'nosuch'. Try CLUSTER HELP.");
        t.check("CLUSTER", "-ERR wrong number of arguments for 'cluster' command");
        t.check("CLUSTER KEYSLOT", "-ERR wrong number of arguments for 'cluster|keyslot' command");
    });
}

#[test]
fn no_cluster_in_transactions_and_scripts() {
    each(|t| {
        t.check("MULTI", OK);
        t.check("READONLY", "+QUEUED");
        t.check("CLUSTER INFO", "+QUEUED");
        t.check("EXEC", array([NO_CLUSTER, NO_CLUSTER]));
        let script = "return redis.pcall('cluster', 'info').err";
        t.check(["EVAL", script, "0"], bulk(&NO_CLUSTER[1..]));
    });
}

#[test]
fn no_replicas() {
    each(|t| {
        let role = t.call("ROLE");
        let [name, offset, replicas] = role.elements() else { panic!("{role:?}") };
        assert_eq!(name.text(), "master");
        assert!(offset.integer() >= 0);
        assert_eq!(*replicas, Reply::Array(vec![]));
        t.check("REPLICAOF NO ONE", OK);
        t.check("SLAVEOF no one", OK);
        t.check("REPLICAOF localhost port", "-ERR Invalid master port");
        t.check("REPLICAOF localhost 65536", "-ERR Invalid master port");
    });
}

#[test]
fn failover_without_replicas() {
    each(|t| {
        t.check("FAILOVER", "-ERR FAILOVER requires connected replicas.");
        t.check("FAILOVER TO h 1 FORCE TIMEOUT 1", "-ERR FAILOVER requires connected replicas.");
        t.check("FAILOVER ABORT", "-ERR No failover in progress.");
        t.check("FAILOVER TIMEOUT 0", "-ERR FAILOVER timeout must be greater than 0");
        t.check("FAILOVER TIMEOUT x", "-ERR value is not an integer or out of range");
        for wrong in ["FAILOVER x", "FAILOVER TO h", "FAILOVER TIMEOUT", "FAILOVER ABORT x"] {
            t.check(wrong, "-ERR syntax error");
        }
    });
}

#[test]
fn no_modules() {
    each(|t| {
        t.check("MODULE LIST", array::<[&str; 0]>([]));
        t.check("MODULE LOAD /nowhere.so", NO_MODULES);
        t.check("MODULE LOADEX /nowhere.so", NO_MODULES);
        t.check("MODULE UNLOAD nosuch", NO_MODULES);
        t.check("MODULE nosuch", "-ERR unknown subcommand 'nosuch'. Try MODULE HELP.");
        assert!(t.call("MODULE HELP").texts()[0].starts_with("MODULE"));
    });
}
