'use strict';
// The peers by name. Each is a class whose objects have, for one process or thread:
//
//   open(clients)          connect, as many connections as clients
//   issue(coupon, user)    the claim under test; answers one of the codes below
//   define(coupon, limits) make a coupon: { quota, opens, closes }, in seconds from now
//   count(coupon)          { counter, rows, users } as they are kept, counter null if there is none
//   close()
//
// and `hot`, the id of the coupon that the benchmark issues: every peer has its
// own, so that those who share tables do not share a row.

const { Extension } = require('./extension');
const { AdvisoryLock, RowLock } = require('./plpgsql');
const { SelectForUpdate, SelectForUpdatePipelined } = require('./select_for_update');
const { VersionColumn } = require('./version_column');
const { RedisLock } = require('./redis_lock');
const { RedisCounter } = require('./redis_counter');
const { MariaDB } = require('./mariadb');

const PEERS = {
    'extension': Extension,
    'plpgsql-row-lock': RowLock,
    'plpgsql-advisory-lock': AdvisoryLock,
    'select-for-update': SelectForUpdate,
    'select-for-update-pipelined': SelectForUpdatePipelined,
    'version-column': VersionColumn,
    'redis-lock': RedisLock,
    'redis-counter': RedisCounter,
    'mariadb': MariaDB,
};

function peerClass(name) {
    if (!Object.hasOwn(PEERS, name)) {
        throw new Error(`there is no peer ${name}; there are ${Object.keys(PEERS).join(' ')}`);
    }
    return PEERS[name];
}

module.exports = { peerClass };
