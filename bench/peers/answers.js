'use strict';
// What a call can be answered, the same of every peer.

module.exports = {
    OK: 'OK',
    NOT_FOUND: 'COUPON_NOT_FOUND',
    NOT_STARTED: 'COUPON_NOT_STARTED',
    CLOSED: 'COUPON_CLOSED',
    ALREADY_ISSUED: 'COUPON_ALREADY_ISSUED',
    EXHAUSTED: 'COUPON_EXHAUSTED',
};
