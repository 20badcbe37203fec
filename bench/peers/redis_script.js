'use strict';
// What peers with something in Redis share: connections with Lua scripts, which
// node-redis sends by their digest.

const { createClient, defineScript } = require('redis');

// Called as connection.NAME([keys], [values]).
function script(keys, text) {
    return defineScript({
        NUMBER_OF_KEYS: keys,
        SCRIPT: text,
        parseCommand(parser, names, values = []) {
            names.forEach((name) => parser.pushKey(name));
            parser.push(...values.map(String));
        },
        transformReply: (reply) => reply,
    });
}

// It connects again by itself, so an error while nothing is asked is no error;
// what was asked meanwhile fails by itself.
async function connect(socket, scripts) {
    const connection = createClient({ socket: { path: socket }, scripts });
    connection.on('error', () => {});
    return connection.connect();
}

module.exports = { connect, script };
