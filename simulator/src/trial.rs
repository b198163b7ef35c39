//! One simulation as a trial: run, judged, and made smaller if it fails.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::plan::{Life, Plan};
use crate::run::run;
use crate::tally::Tally;

thread_local! {
    /// What the last panic of this thread said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    /// Whether panics of this thread are expected.
    static IS_ON_TRIAL: RefCell<bool> = const { RefCell::new(false) };
}

/// Lets panics during a trial be kept instead of printed.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IS_ON_TRIAL.with_borrow(|is_on| *is_on) {
                PANIC.set(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
}

/// Runs a plan.
///
/// # Errors
/// What is wrong: an error of a checker, or what a panic said.
pub fn judge(plan: &Plan, tally: &mut Tally) -> Result<(), String> {
    keep_panics();
    IS_ON_TRIAL.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(plan, tally)));
    IS_ON_TRIAL.set(false);
    outcome.unwrap_or_else(|_| Err(PANIC.with_borrow(|text| format!("a panic: {text}"))))
}

/// Makes a plan that fails smaller, by at most `attempts` runs. Returns the smallest that fails,
/// and how.
///
/// What a scheduler does with fewer commands is another run, so a failure may go away with things
/// that have nothing to do with it: each smaller plan is tried under a few schedules.
pub fn shrink(plan: &Plan, error: String, attempts: usize) -> (Plan, String) {
    let (mut best, mut reason) = (plan.clone(), error);
    let mut left = attempts;
    loop {
        let mut has_improved = false;
        for smaller in smaller_plans(&best) {
            for schedule in 0..SCHEDULES {
                if left == 0 {
                    return (best, reason);
                }
                left -= 1;
                let mut candidate = smaller.clone();
                for life in &mut candidate.lives {
                    life.seed = life.seed.wrapping_add(schedule);
                }
                if let Err(error) = judge(&candidate, &mut Tally::default()) {
                    (best, reason, has_improved) = (candidate, error, true);
                    break;
                }
            }
            if has_improved {
                break;
            }
        }
        if !has_improved {
            return (best, reason);
        }
    }
}

/// Schedules a smaller plan is tried under.
const SCHEDULES: u64 = 3;

/// Plans that are a bit smaller, the much smaller ones first.
fn smaller_plans(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    if plan.lives.len() > 1 {
        for number in 0..plan.lives.len() {
            let mut smaller = plan.clone();
            smaller.lives.remove(number);
            plans.push(smaller);
        }
    }
    for (number, life) in plan.lives.iter().enumerate() {
        for life in smaller_lives(life) {
            let mut smaller = plan.clone();
            smaller.lives[number] = life;
            plans.push(smaller);
        }
    }
    plans
}

fn smaller_lives(life: &Life) -> Vec<Life> {
    let mut lives = Vec::new();
    let mut add = |change: &dyn Fn(&mut Life)| {
        let mut smaller = life.clone();
        change(&mut smaller);
        lives.push(smaller);
    };
    if life.clients.len() > 1 {
        (0..life.clients.len()).for_each(|number| add(&|life| drop(life.clients.remove(number))));
    }
    if life.has_faults {
        add(&|life| life.has_faults = false);
    }
    if life.stall_rate > 0 {
        add(&|life| life.stall_rate = 0);
    }
    if life.waits_end {
        add(&|life| life.waits_end = false);
    }
    if life.listeners > 0 {
        add(&|life| life.listeners -= 1);
    }
    if life.core_count > 2 {
        add(&|life| life.core_count -= 1);
    }
    for part in [2, 4, 8, 32] {
        for (number, client) in life.clients.iter().enumerate() {
            let length = client.ops.len().div_ceil(part);
            for start in (0..client.ops.len()).step_by(length.max(1)) {
                let end = (start + length).min(client.ops.len());
                add(&|life| drop(life.clients[number].ops.drain(start..end)));
            }
        }
    }
    lives
}

/// A plan for people: what each client does.
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    for (number, life) in plan.lives.iter().enumerate() {
        let Life { core_count, policy, has_faults, stall_rate, listeners, power, .. } = life;
        text += &format!(
            "life {}: {core_count} cores, files {policy:?}, power {power:?}, faults \
             {has_faults}, stalls {stall_rate}, {listeners} listeners\n",
            number + 1
        );
        for (number, client) in life.clients.iter().enumerate() {
            let (core, depth) = (client.core % usize::from(*core_count), client.depth);
            text += &format!("  client {number} at core {core}, {depth} at once:\n");
            for op in &client.ops {
                text += &format!("    {op}\n");
            }
        }
    }
    text
}
