'use strict';
// One program for all peers, started by bench/peers/drive, with the servers of the
// peer in the environment and the packages in NODE_PATH.
//
//   driver.js prepare PEER      its tables and the coupon for the load; then as `check`
//   driver.js check PEER        whether its answers and its invariants are right, and
//                               whether that check finds what is wrong in broken ones
//   driver.js run PEER          the load; its last line is JSON
//
//   --clients 32 --seconds 3 --warm-up 1 --first 0 --seed 1
//
// Calls have users of their own, from the `first` on: whoever runs twice says where
// to go on. Ends with 1, and says why, where anything is not as it must be.

const { parseArgs } = require('util');
const { BROKEN } = require('./broken');
const { checkPeer } = require('./check');
const { Broken } = require('./invariants');
const { runLoad } = require('./load');
const { peerClass } = require('./peers');

const LONGEST = 60; // seconds that anything but the load itself may take
const HOT_LIMITS = { quota: 1000000000, opens: -86400, closes: 86400 };

async function prepare(options) {
    const peer = new (peerClass(options.peer))();
    await peer.install?.();
    await withOpen(peer, 1, () => peer.define(peer.hot, HOT_LIMITS));
    await check(options);
}

async function check({ peer: name, clients }) {
    await withOpen(new (peerClass(name))(), clients, (peer) => checkPeer(peer, clients));
    for (const [mistake, BrokenPeer] of Object.entries(BROKEN[name] ?? {})) {
        await mustBeFound(mistake, new BrokenPeer(), clients);
    }
    console.log('all is right');
}

// A check that finds nothing wrong in a peer that is wrong proves nothing.
async function mustBeFound(mistake, peer, clients) {
    const found = await withOpen(peer, clients, () => checkPeer(peer, clients)).then(() => null, (error) => error);
    if (!(found instanceof Broken)) {
        throw found ?? new Broken(`the check has not seen that a peer ${mistake}`);
    }
    console.log(`a peer that ${mistake}: ${found.message}`);
}

async function run(options) {
    console.log(JSON.stringify(await runLoad(options)));
}

async function withOpen(peer, clients, work) {
    await peer.open(clients);
    try {
        return await work(peer);
    } finally {
        await peer.close();
    }
}

const COMMANDS = { prepare, check, run };

function options() {
    const number = { type: 'string' };
    const { values, positionals: [command, peer] } = parseArgs({
        allowPositionals: true,
        options: { 'clients': number, 'seconds': number, 'warm-up': number, 'first': number, 'seed': number },
    });
    const get = (name, otherwise) => Number(values[name] ?? otherwise);
    return {
        command,
        peer,
        clients: get('clients', 32),
        seconds: get('seconds', 3),
        warmUp: get('warm-up', 1),
        first: get('first', 0),
        seed: get('seed', 1),
    };
}

async function main() {
    const { command, ...rest } = options();
    if (!Object.hasOwn(COMMANDS, command ?? '')) {
        throw new Error(`commands: ${Object.keys(COMMANDS).join(' ')}`);
    }
    // Nothing that is right waits for so long.
    const limit = setTimeout(() => {
        console.error(`${command} ${rest.peer}: no end in sight`);
        process.exit(1);
    }, 1000 * (rest.warmUp + rest.seconds + LONGEST));
    await COMMANDS[command](rest);
    clearTimeout(limit);
}

main().catch((error) => {
    console.error(error instanceof Broken ? `${process.argv.slice(2, 4).join(' ')}: ${error.message}` : error);
    process.exit(1);
});
