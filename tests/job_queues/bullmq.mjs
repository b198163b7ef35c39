// BullMQ: plain, delayed, prioritised and failing jobs, and flows of a parent with children.
//
// Its Lua scripts make the names of keys from others, so none of them keeps to its KEYS. Two
// workers, so that a lock taken twice would show as a job done twice.
//
// Usage: node bullmq.mjs PORT JOBS    Prints one line for the script that started it.

import { FlowProducer, Queue, Worker } from 'bullmq';

const [port, jobs] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const queueName = 'jobs';
const deadlineMs = 280_000;

// How often each job ran to its end, by the number it carries.
const done = new Map();
let finished = 0;
let allDone;
const whenDone = new Promise((resolve) => { allDone = resolve; });

async function perform(job) {
    if (job.data.fails && job.attemptsMade === 0) throw new Error('the first attempt fails');
    if (job.data.children) {
        const results = Object.values(await job.getChildrenValues());
        if (results.length !== job.data.children) throw new Error('a parent ran too early');
    }
    done.set(job.data.number, (done.get(job.data.number) ?? 0) + 1);
    return job.data.number;
}

// What each kind of job looks like; the kinds take turns, plain ones three of six times.
const kinds = [
    () => ({}),
    (number) => ({ delay: number % 500 }),
    () => ({}),
    (number) => ({ priority: 1 + number % 10 }),
    () => ({}),
    () => ({ attempts: 2, backoff: 10 }),
];

async function addPlain(queue, from, until) {
    const batch = [];
    for (let number = from; number < until; number += 1) {
        const opts = kinds[number % kinds.length](number);
        batch.push({ name: 'job', data: { number, fails: opts.attempts === 2 }, opts });
    }
    for (let start = 0; start < batch.length; start += 500) {
        await queue.addBulk(batch.slice(start, start + 500));
    }
}

// Flows of four children and their parent, which runs after them.
async function addFlows(producer, from, until) {
    const child = (number) => ({ name: 'child', queueName, data: { number } });
    const flows = [];
    for (let number = from; number < until; number += 5) {
        const children = [1, 2, 3, 4].map((step) => child(number + step));
        flows.push({ name: 'parent', queueName, data: { number, children: 4 }, children });
    }
    for (let start = 0; start < flows.length; start += 100) {
        await producer.addBulk(flows.slice(start, start + 100));
    }
}

const queue = new Queue(queueName, { connection });
const producer = new FlowProducer({ connection });
await queue.waitUntilReady();
const inFlows = Math.floor(jobs / 10) * 5;

const started = process.hrtime.bigint();
const workers = [1, 2].map(() => new Worker(queueName, perform, { connection, concurrency: 25 }));
for (const worker of workers) {
    worker.on('completed', () => { if (++finished === jobs) allDone(); });
    worker.on('error', (error) => { console.error(String(error)); });
}
await addPlain(queue, 0, jobs - inFlows);
await addFlows(producer, jobs - inFlows, jobs);
const timer = setTimeout(allDone, deadlineMs);
await whenDone;
clearTimeout(timer);
const seconds = Number(process.hrtime.bigint() - started) / 1e9;

const counts = await queue.getJobCounts();
const left = counts.waiting + counts.active + counts.delayed + counts.prioritized
    + counts['waiting-children'] + counts.failed;
const doubled = [...done.values()].filter((times) => times > 1).length;
console.log(`jobs=${jobs} lost=${jobs - done.size} doubled=${doubled} left=${left} `
    + `seconds=${seconds.toFixed(2)}`);
await Promise.all(workers.map((worker) => worker.close()));
await producer.close();
await queue.close();
