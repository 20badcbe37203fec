'use strict';
// A lock in Redis around a transaction in PostgreSQL. The lock is a token in a
// list: BLPOP takes it, and serves those who wait in order of arrival. Whoever has
// it writes an owner key, which expires, and gives both back by a script, so that
// only the owner does. A token whose owner died is put back by those who wait.
//
// A lock that expires while its owner is at work does not protect: the transaction
// counts only what it has read (`issued = $2`), so that two owners at once cannot
// oversell; the second tries again.

const { randomUUID } = require('crypto');
const { setTimeout: pause } = require('timers/promises');
const answers = require('./answers');
const { must } = require('./invariants');
const { LOST, PostgresPeer, statements } = require('./postgres');
const { connect, script } = require('./redis_script');


// The first who wants a lock makes it.
const MAKE = `
    if redis.call('SETNX', KEYS[1], 1) == 1 then redis.call('RPUSH', KEYS[2], 'token') end
    return 1`;

const OWN = `
    redis.call('DEL', KEYS[2])
    return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`;

const RELEASE = `
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
    redis.call('DEL', KEYS[1])
    return redis.call('RPUSH', KEYS[2], 'token')`;

// Neither an owner nor a token: lost, or between BLPOP and OWN. Lost, if nobody
// has owned it for as long as an owner may live.
const RECOVER = `
    if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local since = redis.call('GET', KEYS[3])
    if not since then redis.call('SET', KEYS[3], now, 'PX', 10 * ARGV[1]) return 0 end
    if now - since < tonumber(ARGV[1]) then return 0 end
    redis.call('DEL', KEYS[3])
    return redis.call('RPUSH', KEYS[2], 'token')`;

const scripts = {
    make: script(2, MAKE),
    own: script(2, OWN),
    release: script(2, RELEASE),
    recover: script(3, RECOVER),
};

const COUNT = {
    name: 'count_read',
    text: 'UPDATE bench.row_coupon SET issued = issued + 1 WHERE id = $1 AND issued = $2',
};

class RedisLock extends PostgresPeer {
    hot = 106;
    timeToLive = 10000; // milliseconds until an owner is taken for dead
    patience = 1; // seconds between looks whether the token is lost
    known = new Set();

    // BLPOP blocks its connection, so every client has one of its own.
    async open(clients) {
        await super.open(clients);
        this.idle = await Promise.all(
            Array.from({ length: clients }, () => connect(process.env.REDIS_LOCK_SOCKET, scripts)));
    }

    async close() {
        await Promise.all(this.idle.map((connection) => connection.close()));
        await super.close();
    }

    // An owner who stays away for too long is not waited for, and gives back nothing
    // that is no longer its own; two tokens, and so two owners at once, do no harm.
    async checkItself(coupon, rush) {
        const others = { timeToLive: this.timeToLive, patience: this.patience };
        Object.assign(this, { timeToLive: 200, patience: 0.2 });
        await this.define(coupon, { quota: 1, opens: -60, closes: 60 });
        const stranger = await connect(process.env.REDIS_LOCK_SOCKET, scripts);
        let away;
        await new Promise((owned) => {
            away = this.locked(stranger, coupon, () => pause(1500, owned()));
        });
        must(await this.issue(coupon, 1) === answers.OK, 'no claim while the owner was away');
        must(await stranger.lLen(keysOf(coupon).token) === 1, 'no token while the owner was away');
        await away;
        must(await stranger.lLen(keysOf(coupon).token) === 1, 'not one token after an owner was away');
        await stranger.close();
        Object.assign(this, others);

        const locked = this.locked;
        this.locked = async (redis, contested, work) => {
            await redis.rPush(keysOf(contested).token, 'token');
            return locked.call(this, redis, contested, work);
        };
        try {
            await rush(this);
        } finally {
            this.locked = locked;
        }
    }

    async issue(coupon, user) {
        const redis = this.idle.pop();
        try {
            let answer;
            do {
                answer = await this.locked(redis, coupon, () => this.claimInTransaction(coupon, user, {
                    read: statements.readCoupon,
                    count: COUNT,
                    seen: (found) => [found.issued],
                }));
            } while (answer === LOST);
            return answer;
        } finally {
            this.idle.push(redis);
        }
    }

    async locked(redis, coupon, work) {
        const { made, token, owner, suspect } = keysOf(coupon);
        if (!this.known.has(coupon)) {
            await redis.make([made, token], []);
            this.known.add(coupon);
        }
        const me = randomUUID();
        while (!await redis.blPop(token, this.patience)) {
            await redis.recover([owner, token, suspect], [this.timeToLive]);
        }
        await redis.own([owner, suspect], [me, this.timeToLive]);
        try {
            return await work();
        } finally {
            await redis.release([owner, token], [me]);
        }
    }
}

function keysOf(coupon) {
    const lock = `lock:coupon:${coupon}`;
    return { made: `${lock}:made`, token: `${lock}:token`, owner: `${lock}:owner`, suspect: `${lock}:suspect` };
}

module.exports = { RedisLock };
