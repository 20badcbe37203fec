'use strict';
// What peers with their rows in PostgreSQL share: a node-postgres pool with a
// connection for each client, the tables of bench/world/coupon.sql, and the rules
// as a client judges them. Where to connect comes from PGHOST and the like.

const { Pool } = require('pg');
const answers = require('./answers');

const LOST = 'LOST';
const UNIQUE_VIOLATION = '23505';

class PostgresPeer {
    poolOptions() {
        return {};
    }

    async open(clients) {
        this.pool = new Pool({ max: clients, idleTimeoutMillis: 0, ...this.poolOptions() });
        this.pool.on('error', () => {});
        const connections = await Promise.all(Array.from({ length: clients }, () => this.pool.connect()));
        connections.forEach((connection) => connection.release());
    }

    async close() {
        await this.pool.end();
    }

    async define(coupon, { quota, opens, closes }) {
        await this.pool.query(
            `INSERT INTO bench.row_coupon (id, quota, opens_at, closes_at)
             VALUES ($1, $2, now() + $3 * interval '1 second', now() + $4 * interval '1 second')`,
            [coupon, quota, opens, closes]);
    }

    async count(coupon) {
        const { rows: [counts] } = await this.pool.query(
            `SELECT c.issued AS counter, count(i.id) AS rows, count(DISTINCT i.user_id) AS users
             FROM bench.row_coupon c
             LEFT JOIN bench.row_issue i ON i.coupon_id = c.id
             WHERE c.id = $1
             GROUP BY c.id`, [coupon]);
        return numbers(counts);
    }

    // The transaction of most applications: read the coupon, look at it, write the
    // claim, count it. `read` locks the coupon, or not; `count` is told what `seen`
    // picks from what was read, and may find it changed: LOST.
    claimInTransaction(coupon, user, { read, claim = statements.claim, count, seen }) {
        return this.transaction(async (connection) => {
            const { rows: [found] } = await connection.query({ ...read, values: [coupon] });
            const answer = await judge(connection, coupon, user, found);
            if (answer !== answers.OK) {
                return answer;
            }
            const claimed = await connection.query(
                { ...claim, values: [coupon, user, Number(found.issued) + 1] });
            if (!claimed.rowCount) {
                return answers.ALREADY_ISSUED;
            }
            const counted = await connection.query({ ...count, values: [coupon, ...seen(found)] });
            return counted.rowCount ? answers.OK : LOST;
        });
    }

    // Runs `work` with a connection, between BEGIN and COMMIT or ROLLBACK: its
    // answer says which.
    async transaction(work) {
        const connection = await this.pool.connect();
        let broken;
        try {
            await connection.query('BEGIN');
            const answer = await work(connection);
            await connection.query(answer === answers.OK ? 'COMMIT' : 'ROLLBACK');
            return answer;
        } catch (error) {
            await connection.query('ROLLBACK').catch((worse) => { broken = worse; });
            throw error;
        } finally {
            connection.release(broken);
        }
    }
}

// The columns of a row as numbers: node-postgres hands bigint over as text.
function numbers(row) {
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : Number(value)]));
}

// Statements are prepared once a connection: that is what a name does.
const READ_COUPON = `SELECT quota, issued, version, clock_timestamp() < opens_at AS early, clock_timestamp() >= closes_at AS late
                     FROM bench.row_coupon WHERE id = $1`;

const statements = {
    readCoupon: { name: 'read_coupon', text: READ_COUPON },
    lockCoupon: { name: 'lock_coupon', text: `${READ_COUPON} FOR UPDATE` },
    hasClaim: { name: 'has_claim', text: 'SELECT FROM bench.row_issue WHERE coupon_id = $1 AND user_id = $2' },
    claim: {
        name: 'claim',
        text: 'INSERT INTO bench.row_issue (coupon_id, user_id, arrival) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    },
    claimOnce: {
        name: 'claim_once',
        text: 'INSERT INTO bench.row_issue (coupon_id, user_id, arrival) VALUES ($1, $2, $3)',
    },
    countOne: { name: 'count_one', text: 'UPDATE bench.row_coupon SET issued = issued + 1 WHERE id = $1' },
};

// Why a coupon as it was read cannot be issued to this user, or OK.
async function judge(connection, coupon, user, found) {
    if (!found) {
        return answers.NOT_FOUND;
    }
    if (found.early) {
        return answers.NOT_STARTED;
    }
    if (found.late) {
        return answers.CLOSED;
    }
    if (Number(found.issued) >= Number(found.quota)) {
        const { rowCount } = await connection.query({ ...statements.hasClaim, values: [coupon, user] });
        return rowCount ? answers.ALREADY_ISSUED : answers.EXHAUSTED;
    }
    return answers.OK;
}

module.exports = { LOST, PostgresPeer, UNIQUE_VIOLATION, judge, numbers, statements };
