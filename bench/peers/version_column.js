'use strict';
// Optimistic: read the coupon without a lock, and count only if nobody has changed
// its version meanwhile; otherwise try again, after a pause that grows and is left
// to chance. It never gives up, for a claim that is refused for want of luck would
// be no answer.

const { setTimeout: pause } = require('timers/promises');
const { LOST, PostgresPeer, statements } = require('./postgres');

const LONGEST_PAUSE = 100; // milliseconds

const COUNT = {
    name: 'count_version',
    text: 'UPDATE bench.row_coupon SET issued = issued + 1, version = version + 1 WHERE id = $1 AND version = $2',
};

class VersionColumn extends PostgresPeer {
    hot = 105;
    retries = 0;

    async issue(coupon, user) {
        for (let longest = 1; ; longest = Math.min(2 * longest, LONGEST_PAUSE)) {
            const answer = await this.claimInTransaction(coupon, user, {
                read: statements.readCoupon,
                count: COUNT,
                seen: (found) => [found.version],
            });
            if (answer !== LOST) {
                return answer;
            }
            this.retries++;
            await pause(Math.random() * longest);
        }
    }
}

module.exports = { VersionColumn };
