//! What INFO tells of commands that visit all cores.

mod support;

use support::scenario::each;

/// Commands that visit all cores were counted before they did: DEBUG SLEEP took no time, and
/// CONFIG RESETSTAT and INFO counted or wiped out themselves.
#[test]
fn commands_that_visit_all_cores_are_counted_when_they_end() {
    each(|talk| {
        talk.run("DEBUG SLEEP 0.05");
        talk.run("CONFIG RESETSTAT");
        talk.run("DEBUG SLEEP 0.05");
        let told = String::from_utf8(talk.reply_to("INFO commandstats")).expect("INFO is text");
        let figures = |name: &str| {
            let line = told.lines().find(|line| line.starts_with(name))?;
            Some(line.split(',').take(2).collect::<Vec<_>>().join(","))
        };
        assert_eq!(figures("cmdstat_debug:"), Some("cmdstat_debug:calls=1,usec=50000".into()));
        assert_eq!(
            figures("cmdstat_config|resetstat:"),
            Some("cmdstat_config|resetstat:calls=1,usec=0".into())
        );
        assert_eq!(figures("cmdstat_info:"), None, "INFO is still running");
    });
}
