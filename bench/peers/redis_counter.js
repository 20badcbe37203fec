'use strict';
// Redis decides, by one script that knows the coupon, its counter and who has one,
// and PostgreSQL keeps the claim, by one INSERT after it. Where PostgreSQL says no,
// a second script takes back what the first has done. What is in Redis is flushed
// to disk before it is answered (appendfsync always).
//
// Nothing spans the two: whoever dies between them leaves a unit counted that
// nobody has.

const answers = require('./answers');
const { must } = require('./invariants');
const { PostgresPeer, UNIQUE_VIOLATION, statements } = require('./postgres');
const { connect, script } = require('./redis_script');

// The order of arrival, or why not.
const TAKE = `
    local coupon = redis.call('HMGET', KEYS[1], 'quota', 'issued', 'opens_at', 'closes_at')
    if not coupon[1] then return '${answers.NOT_FOUND}' end
    local time = redis.call('TIME')
    local now = time[1] + time[2] / 1000000
    if now < tonumber(coupon[3]) then return '${answers.NOT_STARTED}' end
    if now >= tonumber(coupon[4]) then return '${answers.CLOSED}' end
    if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return '${answers.ALREADY_ISSUED}' end
    if tonumber(coupon[2]) >= tonumber(coupon[1]) then return '${answers.EXHAUSTED}' end
    redis.call('SADD', KEYS[2], ARGV[1])
    return redis.call('HINCRBY', KEYS[1], 'issued', 1)`;

const GIVE_BACK = `
    if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then return 0 end
    return redis.call('HINCRBY', KEYS[1], 'issued', -1)`;

const scripts = { take: script(2, TAKE), giveBack: script(2, GIVE_BACK) };

class RedisCounter extends PostgresPeer {
    hot = 107;

    // One connection does for all: node-redis sends what many ask in one go.
    async open(clients) {
        await super.open(clients);
        this.redis = await connect(process.env.REDIS_COUNTER_SOCKET, scripts);
    }

    async close() {
        await this.redis.close();
        await super.close();
    }

    async issue(coupon, user) {
        const taken = await this.redis.take(keysOf(coupon), [user]);
        if (typeof taken !== 'number') {
            return taken;
        }
        try {
            await this.pool.query({ ...statements.claimOnce, values: [coupon, user, taken] });
            return answers.OK;
        } catch (error) {
            return this.afterFailure(coupon, user, error);
        }
    }

    // Only an error that the server has reported says that there is no row. After a
    // connection that broke there may be one: then the unit stays counted, for an
    // administrator to find, since a unit lost is better than one sold twice.
    async afterFailure(coupon, user, error) {
        if (error.severity !== 'ERROR') {
            throw error;
        }
        await this.redis.giveBack(keysOf(coupon), [user]);
        if (error.code === UNIQUE_VIOLATION) {
            return answers.ALREADY_ISSUED;
        }
        throw error;
    }

    // What PostgreSQL refuses is taken back: here a claim that Redis has lost.
    async checkItself(coupon) {
        await this.define(coupon, { quota: 1, opens: -60, closes: 60 });
        await this.pool.query({ ...statements.claimOnce, values: [coupon, 1, 1] });
        const answer = await this.issue(coupon, 1);
        must(answer === answers.ALREADY_ISSUED, `a claim that Redis did not know: ${answer}`);
        const { counter } = await this.count(coupon);
        must(counter === 0, `the counter says ${counter} after what it had taken was given back`);
    }

    async define(coupon, { quota, opens, closes }) {
        const now = Date.now() / 1000;
        await this.redis.hSet(keysOf(coupon)[0],
            { quota, issued: 0, opens_at: now + opens, closes_at: now + closes });
    }

    async count(coupon) {
        const { rows: [{ rows, users }] } = await this.pool.query(
            'SELECT count(*) AS rows, count(DISTINCT user_id) AS users FROM bench.row_issue WHERE coupon_id = $1',
            [coupon]);
        const counter = await this.redis.hGet(keysOf(coupon)[0], 'issued');
        return { counter: Number(counter), rows: Number(rows), users: Number(users) };
    }
}

function keysOf(coupon) {
    return [`coupon:${coupon}`, `coupon:${coupon}:users`];
}

module.exports = { RedisCounter };
