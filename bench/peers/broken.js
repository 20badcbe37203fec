'use strict';
// Peers that are wrong in one way each, which the check must see: otherwise a peer
// that passes it proves nothing.

const answers = require('./answers');
const { LOST, statements } = require('./postgres');
const { SelectForUpdate } = require('./select_for_update');

class ForgetsTheLock extends SelectForUpdate {
    issue(coupon, user) {
        return this.claimInTransaction(coupon, user, {
            read: statements.readCoupon,
            count: statements.countOne,
            seen: () => [],
        });
    }
}

// The unique index is over the ordinal, too.
class IssuesTwice extends SelectForUpdate {
    issue(coupon, user) {
        return this.claimInTransaction(coupon, user, {
            read: statements.lockCoupon,
            claim: {
                name: 'claim_again',
                text: `INSERT INTO bench.row_issue (coupon_id, user_id, arrival, user_ordinal) VALUES ($1, $2, $3, $3::bigint::integer)`,
            },
            count: statements.countOne,
            seen: () => [],
        });
    }
}

class CountsRefusals extends SelectForUpdate {
    async issue(coupon, user) {
        const answer = await super.issue(coupon, user);
        if (answer !== answers.OK) {
            await this.pool.query({ ...statements.countOne, values: [coupon] });
        }
        return answer;
    }
}

class LosesRows extends SelectForUpdate {
    async issue(coupon, user) {
        const answer = await super.issue(coupon, user);
        if (answer === answers.OK && user % 7 === 0) {
            await this.pool.query('DELETE FROM bench.row_issue WHERE coupon_id = $1 AND user_id = $2', [coupon, user]);
            await this.pool.query('UPDATE bench.row_coupon SET issued = issued - 1 WHERE id = $1', [coupon]);
        }
        return answer;
    }
}

// Optimistic, and gives up.
class GivesUp extends SelectForUpdate {
    async issue(coupon, user) {
        const answer = await this.claimInTransaction(coupon, user, {
            read: statements.readCoupon,
            count: {
                name: 'count_read',
                text: 'UPDATE bench.row_coupon SET issued = issued + 1 WHERE id = $1 AND issued = $2',
            },
            seen: (found) => [found.issued],
        });
        return answer === LOST ? answers.EXHAUSTED : answer;
    }
}

class MistakesOneRefusalForAnother extends SelectForUpdate {
    async issue(coupon, user) {
        const answer = await super.issue(coupon, user);
        return answer === answers.CLOSED ? answers.NOT_STARTED : answer;
    }
}

// By the peer that they are made of.
const BROKEN = {
    'select-for-update': {
        'forgets the lock': ForgetsTheLock,
        'issues twice to a user': IssuesTwice,
        'counts refusals': CountsRefusals,
        'loses rows': LosesRows,
        'gives up': GivesUp,
        'mistakes one refusal for another': MistakesOneRefusalForAnother,
    },
};

module.exports = { BROKEN };
