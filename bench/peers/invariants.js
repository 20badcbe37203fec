'use strict';
// What must be true of a coupon, whichever peer keeps it. Everything here fails by
// throwing a Broken.

class Broken extends Error {}

function must(holds, text) {
    if (!holds) {
        throw new Broken(text);
    }
}

// Never oversold, one row a user, the counter equals the rows.
async function mustHold(peer, coupon, quota) {
    const { counter, rows, users } = await peer.count(coupon);
    must(rows <= quota, `oversold: ${rows} rows of a quota of ${quota}`);
    must(users === rows, `${rows} rows for ${users} users`);
    must(counter === null || counter === rows, `the counter says ${counter}, there are ${rows} rows`);
    return rows;
}

module.exports = { Broken, must, mustHold };
