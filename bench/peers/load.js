'use strict';
// The load: clients in a closed loop, in as many threads as there are processors
// to use, so that one event loop is not the limit. Every call is for a user that
// nobody has asked for before, and must be answered OK.

const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const answers = require('./answers');
const { mustHold, must } = require('./invariants');
const { peerClass } = require('./peers');

const THREADS = 2;

// Users beyond those of other clients of the same tables.
const FIRST_USER = 2 ** 32;

// The i-th user: every number of 32 bits once, in no order (the last step of
// MurmurHash3, a permutation).
function userOf(i, seed) {
    let hash = (i ^ seed) >>> 0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return FIRST_USER + ((hash ^ (hash >>> 16)) >>> 0);
}

// In a thread: connects, says so, and works from the moment that it is told to.
async function work({ peer: name, clients, thread, first, seed }) {
    const peer = new (peerClass(name))();
    await peer.open(clients);
    const told = new Promise((resolve) => parentPort.once('message', resolve));
    parentPort.postMessage('ready');
    const { warm, end } = await told;

    let next = first + thread;
    const take = () => (next += THREADS) - THREADS;
    let calls = 0;
    const latencies = [];
    const client = async () => {
        for (let now = Date.now(); now < end; now = Date.now()) {
            const before = performance.now();
            const answer = await peer.issue(peer.hot, userOf(take(), seed));
            must(answer === answers.OK, `a call of the load was answered ${answer}`);
            calls++;
            const finished = Date.now();
            if (finished >= warm && finished < end) {
                latencies.push(performance.now() - before);
            }
        }
    };
    await Promise.all(Array.from({ length: clients }, client));
    await peer.close();
    return { calls, latencies, retries: peer.retries };
}

// In the main thread: the threads' results as they come in.
async function runThreads(options) {
    const threads = Array.from({ length: THREADS }, (_, thread) => new Worker(__filename, {
        workerData: { ...options, thread, clients: share(options.clients, thread) },
    }));
    try {
        await Promise.all(threads.map(nextMessage));
        const start = Date.now();
        const cpu = process.cpuUsage();
        const results = threads.map(nextMessage);
        const warm = start + 1000 * options.warmUp;
        const end = warm + 1000 * options.seconds;
        threads.forEach((thread) => thread.postMessage({ warm, end }));
        const done = await Promise.all(results);
        return { done, took: (Date.now() - start) / 1000, cpu: process.cpuUsage(cpu) };
    } finally {
        await Promise.all(threads.map((thread) => thread.terminate()));
    }
}

function nextMessage(thread) {
    return new Promise((resolve, reject) => {
        thread.once('message', resolve);
        thread.once('error', reject);
    });
}

function share(clients, thread) {
    return Math.floor(clients / THREADS) + (thread < clients % THREADS ? 1 : 0);
}

// Makes the load and says what came of it. How many claims there are more must be
// how many were answered OK: that is for who reads it to compare.
async function runLoad(options) {
    const peer = new (peerClass(options.peer))();
    await peer.open(1);
    try {
        const before = await mustHold(peer, peer.hot, Infinity);
        const { done, took, cpu } = await runThreads(options);
        const calls = done.reduce((sum, result) => sum + result.calls, 0);
        const made = await mustHold(peer, peer.hot, Infinity) - before;
        return summary(options, done, took, cpu, calls, made);
    } finally {
        await peer.close();
    }
}

function summary({ seconds }, done, took, cpu, calls, made) {
    const latencies = Float64Array.from(done.flatMap((result) => result.latencies)).sort();
    const percentile = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))];
    const retries = done.some((result) => result.retries !== undefined)
        ? { retries_a_call: done.reduce((sum, result) => sum + result.retries, 0) / calls } : {};
    return {
        calls,
        rate: latencies.length / seconds,
        made,
        latency: { 50: percentile(0.5), 95: percentile(0.95), 99: percentile(0.99) },
        // Processors that the clients had: 1.5 are one and a half.
        client_processors: (cpu.user + cpu.system) / 1e6 / took,
        ...retries,
    };
}

if (!isMainThread) {
    work(workerData).then((result) => parentPort.postMessage(result));
}

module.exports = { runLoad };
