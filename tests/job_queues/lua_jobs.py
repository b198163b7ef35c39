"""Job queues written as Lua scripts that make the names of their keys, in two styles.

    sidekiq   payloads in lists, BRPOP over several lists, a poller that moves what is due from one
              sorted set to the list its JSON names, locks for unique jobs
    asynq     a hash per job, and scripts for every step; no key is declared, queues are arguments

Usage: lua_jobs.py PORT JOBS STYLE. Prints one line for the script that started it.
"""

import json
import multiprocessing
import sys
import time

import redis

QUEUES = ("critical", "default", "low", "mail")
COUNTS = "job-counts"
WORKERS = 4

# Sidekiq style.
MOVE_DUE = """
local due = redis.call('ZRANGEBYSCORE', 'schedule', '-inf', ARGV[1], 'LIMIT', 0, 100)
for _, payload in ipairs(due) do
  redis.call('ZREM', 'schedule', payload)
  local queue = cjson.decode(payload).queue
  redis.call('SADD', 'queues', queue)
  redis.call('LPUSH', 'queue:' .. queue, payload)
end
return #due
"""
LOCK = """
local name = 'unique:' .. ARGV[1]
if redis.call('EXISTS', name .. ':lock') == 1 then return 0 end
redis.call('SET', name .. ':lock', ARGV[2], 'PX', 60000)
redis.call('HSET', name .. ':info', 'job', ARGV[2])
redis.call('ZADD', 'unique:digests', ARGV[2], ARGV[1])
return 1
"""
UNLOCK = """
local name = 'unique:' .. ARGV[1]
redis.call('ZREM', 'unique:digests', ARGV[1])
return redis.call('DEL', name .. ':lock', name .. ':info')
"""

# Asynq style.
ENQUEUE = """
local job = 'asynq:' .. ARGV[1] .. ':t:' .. ARGV[2]
if redis.call('EXISTS', job) == 1 then return 0 end
redis.call('HSET', job, 'msg', ARGV[3], 'state', 'pending')
if tonumber(ARGV[4]) > 0 then
  redis.call('ZADD', 'asynq:' .. ARGV[1] .. ':scheduled', ARGV[4], ARGV[2])
else
  redis.call('LPUSH', 'asynq:' .. ARGV[1] .. ':pending', ARGV[2])
end
return 1
"""
FORWARD = """
local prefix = 'asynq:' .. ARGV[1]
local ids = redis.call('ZRANGEBYSCORE', prefix .. ':scheduled', '-inf', ARGV[2], 'LIMIT', 0, 100)
for _, id in ipairs(ids) do
  redis.call('LPUSH', prefix .. ':pending', id)
  redis.call('ZREM', prefix .. ':scheduled', id)
  redis.call('HSET', prefix .. ':t:' .. id, 'state', 'pending')
end
return #ids
"""
DEQUEUE = """
for index = 2, #ARGV do
  local prefix = 'asynq:' .. ARGV[index]
  if redis.call('EXISTS', prefix .. ':paused') == 0 then
    local id = redis.call('RPOPLPUSH', prefix .. ':pending', prefix .. ':active')
    if id then
      redis.call('HSET', prefix .. ':t:' .. id, 'state', 'active')
      redis.call('ZADD', prefix .. ':lease', ARGV[1], id)
      return redis.call('HGET', prefix .. ':t:' .. id, 'msg')
    end
  end
end
return false
"""
DONE = """
local prefix = 'asynq:' .. ARGV[1]
if redis.call('LREM', prefix .. ':active', 0, ARGV[2]) == 0 then return redis.error_reply('LOST') end
if redis.call('ZREM', prefix .. ':lease', ARGV[2]) == 0 then return redis.error_reply('LOST') end
redis.call('DEL', prefix .. ':t:' .. ARGV[2])
local processed = prefix .. ':processed:today'
if redis.call('INCR', processed) == 1 then redis.call('EXPIRE', processed, 3600) end
return redis.status_reply('OK')
"""


def payload_of(number):
    """What stands for a job; every fifth is due only a little later."""
    queue = QUEUES[number % len(QUEUES)]
    return json.dumps({"number": number, "queue": queue}), queue, number % 5 == 4


def add_sidekiq(connection, start, end):
    with connection.pipeline(transaction=True) as pipeline:
        for number in range(start, end):
            payload, queue, is_delayed = payload_of(number)
            if is_delayed:
                pipeline.zadd("schedule", {payload: time.time() + 0.2})
            else:
                pipeline.sadd("queues", queue)
                pipeline.lpush(f"queue:{queue}", payload)
            if number % 10 == 9:
                pipeline.execute()
        pipeline.execute()


def work_sidekiq(connection, is_over):
    move, lock, unlock = (connection.register_script(text) for text in (MOVE_DUE, LOCK, UNLOCK))
    lists = [f"queue:{queue}" for queue in QUEUES]
    while not is_over():
        move(args=[time.time()])
        for _ in range(50):
            found = connection.brpop(lists, timeout=0.1)
            if found is None:
                break
            number = json.loads(found[1])["number"]
            if lock(args=[f"digest-{number}", number]) == 1:
                connection.hincrby(COUNTS, number, 1)
                unlock(args=[f"digest-{number}"])


def add_asynq(connection, start, end):
    enqueue = connection.register_script(ENQUEUE)
    with connection.pipeline(transaction=False) as pipeline:
        for number in range(start, end):
            payload, queue, is_delayed = payload_of(number)
            due = time.time() + 0.2 if is_delayed else 0
            enqueue(args=[queue, number, payload, due], client=pipeline)
        pipeline.execute()


def work_asynq(connection, is_over):
    forward, dequeue, done = (connection.register_script(text) for text in (FORWARD, DEQUEUE, DONE))
    while not is_over():
        for queue in QUEUES:
            forward(args=[queue, time.time()])
        for _ in range(50):
            message = dequeue(args=[time.time() + 30, *QUEUES])
            if message is None:
                break
            job = json.loads(message)
            connection.hincrby(COUNTS, job["number"], 1)
            done(args=[job["queue"], job["number"]])


STYLES = {"sidekiq": (add_sidekiq, work_sidekiq), "asynq": (add_asynq, work_asynq)}


def work(style, port, jobs):
    connection = redis.Redis(port=port)
    deadline = time.monotonic() + 280
    STYLES[style][1](
        connection, lambda: connection.hlen(COUNTS) == jobs or time.monotonic() > deadline
    )


def left_over(connection):
    """Jobs and locks that should be gone."""
    lists = [f"queue:{queue}" for queue in QUEUES]
    lists += [f"asynq:{queue}:{kind}" for queue in QUEUES for kind in ("pending", "active")]
    sets = ["schedule", "unique:digests"]
    sets += [f"asynq:{queue}:{kind}" for queue in QUEUES for kind in ("scheduled", "lease")]
    left = sum(connection.llen(name) for name in lists) + sum(connection.zcard(name) for name in sets)
    return left + sum(1 for _ in connection.scan_iter("asynq:*:t:*", count=1000))


def main():
    port, jobs, style = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    connection = redis.Redis(port=port)
    started = time.monotonic()
    workers = [
        multiprocessing.Process(target=work, args=(style, port, jobs), daemon=True)
        for _ in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    for start in range(0, jobs, 100):
        STYLES[style][0](connection, start, min(start + 100, jobs))
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - started
    counts = connection.hgetall(COUNTS)
    doubled = sum(1 for times in counts.values() if int(times) > 1)
    left = left_over(connection)
    print(f"jobs={jobs} lost={jobs - len(counts)} doubled={doubled} left={left} seconds={seconds:.2f}")


main()
