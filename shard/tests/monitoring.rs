//! MONITOR over many cores: what a client does is shown in the order in which it does it.

mod support;

use support::{Cluster, under_seeds};

/// Symptom: what a script ran was shown ahead of the script now and then. Cause: lines for clients
/// of other cores lay in a bag that left at the end of the turn, when the script was under way.
/// Fix: lines are news, which leave before anything else.
#[test]
fn a_script_is_shown_before_what_it_runs() {
    under_seeds(|seed| {
        for monitor_core in 0..3 {
            let mut cluster = Cluster::new(3, seed);
            let monitor = cluster.connect(monitor_core);
            cluster.execute(monitor, "MONITOR");
            let client = cluster.connect(0);
            for key in ["a", "b", "c", "d", "e"] {
                let script = "redis.call('INCR',KEYS[1])";
                cluster.execute(client, &format!("EVAL {script} 1 {key}"));
            }
            let lines = String::from_utf8(cluster.take_replies(monitor)).expect("lines are text");
            let kinds: Vec<bool> = lines.lines().map(|line| line.contains(" lua] ")).collect();
            assert_eq!(kinds, [false, true].repeat(5), "{lines}");
        }
    });
}
