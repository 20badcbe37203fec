'use strict';
// The extension's own function, called as the peers are: by the same driver, over
// the same connections, prepared, in one round trip.

const { PostgresPeer, numbers } = require('./postgres');

const ISSUE = { name: 'issue', text: 'SELECT * FROM fcfs.try_issue_coupon($1, $2)' };

class Extension extends PostgresPeer {
    hot = 100;

    async issue(coupon, user) {
        const { rows: [outcome] } = await this.pool.query({ ...ISSUE, values: [coupon, user] });
        return outcome.code;
    }

    async define(coupon, { quota, opens, closes }) {
        await this.pool.query(
            `INSERT INTO fcfs.coupon (id, code, quota, opens_at, closes_at)
             VALUES ($1, 'PEER ' || $1::bigint, $2, now() + $3 * interval '1 second', now() + $4 * interval '1 second')`,
            [coupon, quota, opens, closes]);
    }

    // Its counter is the escrow. Without preloading there is none.
    async count(coupon) {
        const { rows: [counts] } = await this.pool.query(
            `SELECT (SELECT capacity - remaining FROM fcfs.stat_pools WHERE kind = 'coupon' AND id = $1) AS counter,
                 count(*) AS rows, count(DISTINCT user_id) AS users
             FROM fcfs.coupon_issue
             WHERE coupon_id = $1`, [coupon]);
        return numbers(counts);
    }
}

module.exports = { Extension };
