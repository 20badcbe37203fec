'use strict';
// SELECT ... FOR UPDATE in a transaction that the client steps through, as most
// applications have it: lock the coupon, look at it, write the claim, count it.

const answers = require('./answers');
const { PostgresPeer, UNIQUE_VIOLATION, judge, statements } = require('./postgres');

class SelectForUpdate extends PostgresPeer {
    hot = 103;

    issue(coupon, user) {
        return this.claimInTransaction(coupon, user, {
            read: statements.lockCoupon,
            count: statements.countOne,
            seen: () => [],
        });
    }
}

// The same with node-postgres' pipeline mode: what need not wait for an answer is
// sent along with what comes before it. Two round trips, one of them while the row
// is locked. A claim that fails undoes the count after it: the COMMIT sent behind
// ends a failed transaction by rolling it back.
class SelectForUpdatePipelined extends PostgresPeer {
    hot = 104;

    poolOptions() {
        return { pipeline: true };
    }

    async issue(coupon, user) {
        const connection = await this.pool.connect();
        try {
            const [, { rows: [found] }] = await Promise.all([
                connection.query('BEGIN'),
                connection.query({ ...statements.lockCoupon, values: [coupon] }),
            ]);
            const answer = await judge(connection, coupon, user, found);
            if (answer !== answers.OK) {
                await connection.query('ROLLBACK');
                return answer;
            }
            return await this.write(connection, coupon, user, Number(found.issued) + 1);
        } finally {
            connection.release();
        }
    }

    async write(connection, coupon, user, arrival) {
        const [claimed, counted, committed] = await Promise.allSettled([
            connection.query({ ...statements.claimOnce, values: [coupon, user, arrival] }),
            connection.query({ ...statements.countOne, values: [coupon] }),
            connection.query('COMMIT'),
        ]);
        if (claimed.status === 'rejected' && claimed.reason.code === UNIQUE_VIOLATION) {
            return answers.ALREADY_ISSUED;
        }
        const failed = [claimed, counted, committed].find(({ status }) => status === 'rejected');
        if (failed) {
            throw failed.reason;
        }
        return answers.OK;
    }
}

module.exports = { SelectForUpdate, SelectForUpdatePipelined };
