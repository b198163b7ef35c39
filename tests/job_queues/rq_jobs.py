"""RQ: jobs of two queues, a part of them dependent on others, done by two workers.

Usage: rq_jobs.py PORT JOBS. Prints one line for the script that started it.
"""

import multiprocessing
import sys
import time

import redis
from rq import Queue, SimpleWorker
from rq.job import Job

COUNTS = "job-counts"


def perform(number, port):
    """Counts that the job of this number was done."""
    connection = perform.__dict__.setdefault("connection", redis.Redis(port=port))
    connection.hincrby(COUNTS, number, 1)
    return number


def work(port):
    """Works in this process, without a fork per job, until both queues are empty."""
    connection = redis.Redis(port=port)
    queues = [Queue("high", connection=connection), Queue("low", connection=connection)]
    SimpleWorker(queues, connection=connection).work(burst=True, logging_level="ERROR")


def add(connection, port, jobs):
    """Adds the jobs in pipelines; every tenth waits for the one before it."""
    queues = [Queue(name, connection=connection) for name in ("high", "low")]
    for start in range(0, jobs, 500):
        numbers = [n for n in range(start, min(start + 500, jobs)) if n % 10 != 9]
        for part, queue in enumerate(queues):
            queue.enqueue_many(
                [
                    Queue.prepare_data(perform, args=(n, port), job_id=f"job-{n}")
                    for n in numbers
                    if n % 2 == part
                ]
            )
        for number in range(start + 9, min(start + 500, jobs), 10):
            before = Job.fetch(f"job-{number - 1}", connection=connection)
            queues[number % 2].enqueue(
                perform, number, port, job_id=f"job-{number}", depends_on=before
            )


def main():
    port, jobs = int(sys.argv[1]), int(sys.argv[2])
    connection = redis.Redis(port=port)
    started = time.monotonic()
    add(connection, port, jobs)
    workers = [multiprocessing.Process(target=work, args=(port,), daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(280)
        worker.kill()
    seconds = time.monotonic() - started
    counts = connection.hgetall(COUNTS)
    doubled = sum(1 for times in counts.values() if int(times) > 1)
    left = sum(connection.llen(f"rq:queue:{name}") for name in ("high", "low"))
    left += sum(connection.zcard(f"rq:wip:{name}") for name in ("high", "low"))
    print(f"jobs={jobs} lost={jobs - len(counts)} doubled={doubled} left={left} seconds={seconds:.2f}")


if __name__ == "__main__":
    # RQ finds a job by the name of its module, which must not be that of a program.
    import rq_jobs

    rq_jobs.main()
