"""Celery: plain tasks, chains and chords with results, by one worker of two processes.

Usage: celery_jobs.py PORT JOBS. Prints one line for the script that started it. The worker is
Celery's own program and imports this file for the tasks, with the port in the environment.
"""

import os
import subprocess
import sys
import time

import redis
from celery import Celery, chord, group

PORT = int(os.environ.get("JOB_QUEUES_PORT") or sys.argv[1])
COUNTS = "job-counts"

app = Celery(
    "celery_jobs", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1"
)
app.conf.update(worker_prefetch_multiplier=50, task_acks_late=True, worker_hijack_root_logger=False)
counter = redis.Redis(port=PORT, db=2)


@app.task(name="perform")
def perform(number):
    """Counts that the task of this number was done."""
    counter.hincrby(COUNTS, number, 1)
    return number


@app.task(name="total")
def total(numbers, number):
    """The end of a chord: all parts before it are there, once each."""
    assert sorted(numbers) == list(range(number - 9, number)), numbers
    counter.hincrby(COUNTS, number, 1)
    return number


def add(jobs):
    """Half plain tasks, half chords of nine and their end. Returns the results to wait for."""
    half = jobs // 20 * 10
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        results = [
            perform.apply_async((number,), producer=producer, ignore_result=number % 10 != 0)
            for number in range(half)
        ]
    for start in range(half, jobs, 10):
        parts = group(perform.s(number) for number in range(start, start + 9))
        results.append(chord(parts)(total.s(start + 9)))
    return [result for number, result in enumerate(results) if number % 10 == 0 or number >= half]


def wait(jobs, deadline):
    while counter.hlen(COUNTS) < jobs and time.monotonic() < deadline:
        time.sleep(0.05)


def main():
    jobs = int(sys.argv[2])
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_jobs", "worker", "-c", "2", "-l", "ERROR",
         "--without-gossip", "--without-mingle"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env=os.environ | {"JOB_QUEUES_PORT": str(PORT), "C_FORCE_ROOT": "1"},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not app.control.ping(timeout=0.5):
            assert worker.poll() is None, "the worker ended"
        started = time.monotonic()
        results = add(jobs)
        wait(jobs, started + 280)
        for result in results:
            result.get(timeout=30)
        seconds = time.monotonic() - started
    finally:
        worker.terminate()
        worker.wait()
    counts = counter.hgetall(COUNTS)
    doubled = sum(1 for times in counts.values() if int(times) > 1)
    left = redis.Redis(port=PORT).llen("celery")
    print(f"jobs={jobs} lost={jobs - len(counts)} doubled={doubled} left={left} seconds={seconds:.2f}")


if __name__ == "__main__":
    main()
