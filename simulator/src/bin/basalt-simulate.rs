//! `basalt-simulate`: simulations under one seed or under fresh ones, until time is up or one
//! fails. See `scripts/simulate`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use basalt_simulator::plan::{Plan, Size};
use basalt_simulator::tally::Tally;
use basalt_simulator::trial::{describe, judge, shrink};

const USAGE: &str = "usage: basalt-simulate [--seed S] [--minutes M] [--count N] [--ops N] \
                     [--lives N] [--shrink RUNS]";

/// What was asked for.
struct Options {
    seed: Option<u64>,
    minutes: f64,
    count: u64,
    size: Size,
    shrink: usize,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        seed: None,
        minutes: f64::INFINITY,
        count: u64::MAX,
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
    let limit = Duration::try_from_secs_f64(options.minutes * 60.0).unwrap_or(Duration::MAX);
    let first = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("the first seed is {first}");
    let (mut tally, mut number) = (Tally::default(), 0);
    while number < options.count && begun.elapsed() < limit {
        let seed = first.wrapping_add(number);
        let plan = Plan::drawn(seed, options.size);
        if let Err(error) = judge(&plan, &mut tally) {
            report(&plan, error, &options);
            return ExitCode::FAILURE;
        }
        number += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{number} simulations in {seconds:.1} s, nothing wrong; {tally:#?}");
    println!(
        "{:.0} commands/s, {:.0} steps/s, {:.1} virtual seconds a second",
        tally.commands as f64 / seconds,
        tally.steps as f64 / seconds,
        tally.virtual_ms as f64 / 1000.0 / seconds
    );
    ExitCode::SUCCESS
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
