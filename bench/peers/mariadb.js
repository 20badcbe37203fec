'use strict';
// The stored procedure of mariadb.sql, one round trip, by mysql2.

const fs = require('fs');
const path = require('path');
const mysql = require('mysql2/promise');

const DATABASE = 'peer';

class MariaDB {
    hot = 108;

    // The tables and procedures, once.
    async install() {
        const connection = await mysql.createConnection(serverOptions());
        await connection.query(`CREATE DATABASE ${DATABASE}`);
        await connection.changeUser({ database: DATABASE });
        const script = fs.readFileSync(path.join(__dirname, 'mariadb.sql'), 'utf8');
        for (const statement of script.split(/^\/\/$/m)) {
            await connection.query(statement);
        }
        await connection.end();
    }

    async open(clients) {
        this.pool = mysql.createPool({ ...serverOptions(), database: DATABASE, connectionLimit: clients });
        const connections = await Promise.all(Array.from({ length: clients }, () => this.pool.getConnection()));
        connections.forEach((connection) => connection.release());
    }

    async close() {
        await this.pool.end();
    }

    async issue(coupon, user) {
        const [[[{ answer }]]] = await this.pool.execute('CALL issue_coupon(?, ?)', [coupon, user]);
        return answer;
    }

    async define(coupon, { quota, opens, closes }) {
        await this.pool.execute(
            `INSERT INTO coupon (id, quota, opens_at, closes_at)
             VALUES (?, ?, now(6) + INTERVAL ? SECOND, now(6) + INTERVAL ? SECOND)`,
            [coupon, quota, opens, closes]);
    }

    async count(coupon) {
        const [[counts]] = await this.pool.execute(
            `SELECT c.issued AS counter, count(i.id) AS \`rows\`, count(DISTINCT i.user_id) AS users
             FROM coupon c
             LEFT JOIN coupon_issue i ON i.coupon_id = c.id
             WHERE c.id = ?
             GROUP BY c.id`, [coupon]);
        return { counter: Number(counts.counter), rows: Number(counts.rows), users: Number(counts.users) };
    }
}

function serverOptions() {
    return { socketPath: process.env.MARIADB_SOCKET, user: 'root' };
}

module.exports = { MariaDB };
