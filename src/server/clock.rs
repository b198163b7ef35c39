//! Time: the wall clock, the monotonic clock, and a cheap one for measuring commands.
//!
//! A command takes some dozen nanoseconds, about as long as asking the system for the time. Where
//! the processor has a counter that runs evenly on all cores (and Linux says so by using it as its
//! own clock source), that counter is read instead, scaled once at the start.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use basalt_shard::clock::Now;

/// How long the counter is compared with the clock at the start.
const CALIBRATION: Duration = Duration::from_millis(5);

/// Nanoseconds per counter step, as a fraction of 2^32; zero where the counter cannot be trusted.
static SCALE: OnceLock<u64> = OnceLock::new();

static START: OnceLock<Instant> = OnceLock::new();

fn start() -> Instant {
    *START.get_or_init(Instant::now)
}

/// Prepares [`elapsed_ns`]; takes a few milliseconds the first time.
pub fn calibrate() {
    start();
    SCALE.get_or_init(measure_scale);
}

/// Nanoseconds since some fixed point, for differences only.
#[inline]
pub fn elapsed_ns() -> u64 {
    match SCALE.get() {
        Some(scale) if *scale != 0 => ((u128::from(counter()) * u128::from(*scale)) >> 32) as u64,
        _ => start().elapsed().as_nanos() as u64,
    }
}

/// The time now, by both clocks.
pub fn now() -> Now {
    let unix_us = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    Now { unix_us, monotonic_us: start().elapsed().as_micros() as u64 }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}

fn measure_scale() -> u64 {
    const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = std::fs::read_to_string(CLOCK_SOURCE).unwrap_or_default();
    // Under KVM the paravirtual clock is the same counter, scaled by the host.
    if !cfg!(target_arch = "x86_64") || !matches!(source.trim(), "tsc" | "kvm-clock") {
        return 0;
    }
    let (begun, counted) = (Instant::now(), counter());
    while begun.elapsed() < CALIBRATION {
        std::hint::spin_loop();
    }
    let (ns, steps) = (begun.elapsed().as_nanos(), u128::from(counter().saturating_sub(counted)));
    (ns << 32).checked_div(steps).and_then(|scale| u64::try_from(scale).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheap_clock_keeps_time() {
        calibrate();
        let (begun, begun_ns) = (Instant::now(), elapsed_ns());
        while begun.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let measured = (elapsed_ns() - begun_ns) as f64;
        let real = begun.elapsed().as_nanos() as f64;
        assert!((measured / real - 1.0).abs() < 0.1, "{measured} instead of {real}");
    }
}
