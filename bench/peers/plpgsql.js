'use strict';
// The PL/pgSQL functions of bench/world/coupon.sql, one round trip each. They raise
// a refusal, with its code as the message.

const { PostgresPeer } = require('./postgres');

const RAISED = 'P0001';

class PlpgsqlPeer extends PostgresPeer {
    async issue(coupon, user) {
        try {
            const { rows: [{ answer }] } = await this.pool.query(
                { name: 'issue', text: `SELECT ${this.function}($1, $2) AS answer`, values: [coupon, user] });
            return answer;
        } catch (error) {
            if (error.code === RAISED) {
                return error.message;
            }
            throw error;
        }
    }
}

class RowLock extends PlpgsqlPeer {
    hot = 101;
    function = 'bench.row_issue_coupon';
}

class AdvisoryLock extends PlpgsqlPeer {
    hot = 102;
    function = 'bench.advisory_issue_coupon';
}

module.exports = { AdvisoryLock, RowLock };
