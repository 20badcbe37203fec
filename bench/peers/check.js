'use strict';
// Whether a peer is correct: its answers one by one, and what is left after a rush
// in which the quota runs out while many users ask at once, and each of them more
// than once.

const answers = require('./answers');
const { must, mustHold } = require('./invariants');

const DAY = 86400;
const OPEN = { opens: -DAY, closes: DAY };
const UNKNOWN_COUPON = 8999999999999999;

// Small quotas, for the contention is at the end.
const QUOTAS = [1, 7, 60];
const CALLS_A_USER = 3;

async function checkPeer(peer, clients) {
    // Coupons of its own at every run.
    let coupon = Date.now() * 1000;
    await checkAnswers(peer, () => coupon++);
    for (const quota of QUOTAS) {
        await checkRush(peer, coupon++, quota, clients);
    }
    await peer.checkItself?.(coupon++, (itself) => checkRush(itself, coupon++, 20, clients));
}

async function checkAnswers(peer, nextCoupon) {
    const expect = async (what, coupon, user, expected) => {
        const answer = await peer.issue(coupon, user);
        must(answer === expected, `${what}: ${answer}, not ${expected}`);
    };
    await expect('no such coupon', UNKNOWN_COUPON, 1, answers.NOT_FOUND);

    const early = nextCoupon();
    await peer.define(early, { quota: 1, opens: DAY, closes: 2 * DAY });
    await expect('not open yet', early, 1, answers.NOT_STARTED);

    const late = nextCoupon();
    await peer.define(late, { quota: 1, opens: -2 * DAY, closes: -DAY });
    await expect('closed', late, 1, answers.CLOSED);

    const open = nextCoupon();
    await peer.define(open, { quota: 2, ...OPEN });
    await expect('the first', open, 1, answers.OK);
    await expect('the first once more', open, 1, answers.ALREADY_ISSUED);
    await expect('the second', open, 2, answers.OK);
    await expect('the third of two', open, 3, answers.EXHAUSTED);
    await expect('the first, once sold out', open, 1, answers.ALREADY_ISSUED);

    must(await mustHold(peer, early, 0) === 0 && await mustHold(peer, late, 0) === 0, 'rows outside the window');
    must(await mustHold(peer, open, 2) === 2, 'not two rows of two');
}

// Half as many users again as the quota, and at least one a client; the calls of
// a user follow each other, so that they meet.
async function checkRush(peer, coupon, quota, clients) {
    await peer.define(coupon, { quota, ...OPEN });
    const users = Math.max(quota + quota / 2, clients);
    const calls = Array.from({ length: users * CALLS_A_USER }, (_, i) => 1 + Math.floor(i / CALLS_A_USER));
    const told = new Map(Array.from({ length: users }, (_, i) => [i + 1, []]));
    const client = async () => {
        while (calls.length) {
            const user = calls.shift();
            told.get(user).push(await peer.issue(coupon, user));
        }
    };
    await Promise.all(Array.from({ length: clients }, client));

    const rows = await mustHold(peer, coupon, quota);
    const issued = [...told.values()].flat().filter((answer) => answer === answers.OK).length;
    must(issued === rows, `${issued} calls of a rush were answered OK, and there are ${rows} rows`);
    must(rows === quota, `${rows} of a quota of ${quota} after a rush`);
    told.forEach(mustFit);
}

// What one user was told: a claim once and otherwise that it is there, or always
// that there is none left.
function mustFit(told, user) {
    const expected = told.includes(answers.OK) ? answers.ALREADY_ISSUED : answers.EXHAUSTED;
    const others = told.filter((answer) => answer !== answers.OK);
    must(told.length - others.length <= 1, `user ${user} was issued a coupon twice: ${told}`);
    must(others.every((answer) => answer === expected), `user ${user} was told ${told}`);
}

module.exports = { checkPeer };
