//! `basalt-simulate`: simulations under one seed or under fresh ones, until time is up or one
//! fails. See `scripts/simulate`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use basalt_simulator::campaign::{Campaign, Outcome};
use basalt_simulator::meter::Counting;
use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::trial::{describe, shrink};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "usage: basalt-simulate [--seed S] [--minutes M] [--count N] [--threads T] \
                     [--ops N] [--lives N] [--shrink RUNS]";

/// So often it says that it is still at it.
const WORD_EVERY_SECONDS: u64 = 60;

/// What was asked for.
struct Options {
    seed: Option<u64>,
    minutes: f64,
    count: u64,
    threads: usize,
    size: Size,
    shrink: usize,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        seed: None,
        minutes: f64::INFINITY,
        count: u64::MAX,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        size: Size::default(),
        shrink: 2000,
    };
    let mut is_bounded = false;
    while let Some(word) = words.next() {
        let value = words.next()?;
        is_bounded |= matches!(word.as_str(), "--minutes" | "--count");
        match word.as_str() {
            "--seed" => options.seed = Some(value.parse().ok()?),
            "--minutes" => options.minutes = value.parse().ok()?,
            "--count" => options.count = value.parse().ok()?,
            "--threads" => options.threads = value.parse().ok().filter(|count| *count > 0)?,
            "--ops" => options.size.ops = value.parse().ok()?,
            "--lives" => options.size.lives = value.parse().ok()?,
            "--shrink" => options.shrink = value.parse().ok()?,
            _ => return None,
        }
    }
    if !is_bounded {
        (options.count, options.minutes) = (options.seed.map_or(u64::MAX, |_| 1), 1.0);
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    let campaign = Campaign {
        first: options.seed.unwrap_or_else(|| fastrand::u64(..)),
        count: options.count,
        limit: Duration::try_from_secs_f64(options.minutes * 60.0).unwrap_or(Duration::MAX),
        size: options.size,
        threads: options.threads,
    };
    println!("the first seed is {}", campaign.first);
    let words = AtomicU64::new(0);
    let outcome = campaign.run(|outcome| {
        let due = begun.elapsed().as_secs() / WORD_EVERY_SECONDS;
        if words.fetch_max(due, Ordering::Relaxed) < due {
            println!("{} s: {} simulations", due * WORD_EVERY_SECONDS, outcome.done);
        }
    });
    if let Some((plan, error)) = outcome.failure {
        report(&plan, error, &options);
        return ExitCode::FAILURE;
    }
    conclude(&outcome, &options, begun.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

fn conclude(outcome: &Outcome, options: &Options, seconds: f64) {
    let Outcome { done, tally, .. } = outcome;
    print!("{tally}");
    println!(
        "{done} simulations in {seconds:.1} s on {} threads, nothing wrong: {:.0} commands/s, \
         {:.0} steps/s, {:.1} virtual seconds a second; digest {:016x}",
        options.threads,
        tally.commands as f64 / seconds,
        tally.steps as f64 / seconds,
        tally.virtual_ms as f64 / 1000.0 / seconds,
        tally.digest
    );
}

fn report(plan: &Plan, error: String, options: &Options) {
    let count = plan.op_count();
    println!("seed {} fails, with {count} operations:\n{error}\n", plan.seed);
    let (small, reason) = shrink(plan, error, options.shrink);
    println!("made smaller: {} operations\n{}", small.op_count(), describe(&small));
    println!("{reason}\n");
    let Size { ops, lives } = options.size;
    println!("scripts/simulate --seed {} --ops {ops} --lives {lives} replays it", plan.seed);
}
