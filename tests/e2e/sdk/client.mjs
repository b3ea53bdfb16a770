// Subscribes with the published JavaScript SDK and tells what it hears, a JSON object a line.
//
//     node client.mjs PORT CHANNEL...

import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.env.GYRE_NODE_MODULES, 'package.json'));
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');

const [port, ...channels] = process.argv.slice(2);
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

/** A connection with a subscription to each of these channels. */
function client(own) {
  const connection = new Centrifuge(`ws://127.0.0.1:${port}/connection/websocket`, {
    websocket: WebSocket,
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
  });
  for (const state of ['connecting', 'disconnected']) {
    connection.on(state, ({ code }) => code >= 3000 && tell({ closed: code }));
  }
  for (const channel of own) {
    const subscription = connection.newSubscription(channel, {
      positioned: true,
      recoverable: true,
      minResubscribeDelay: 50,
      maxResubscribeDelay: 500,
    });
    subscription.on('subscribed', ({ recovered, streamPosition }) => recovered || tell({ channel, told: streamPosition }));
    subscription.on('publication', ({ offset, data }) => tell({ channel, offset, data }));
    subscription.on('unsubscribed', ({ code }) => tell({ unsubscribed: code }));
    subscription.subscribe();
  }
  connection.connect();
}

// Two connections, so that every gateway may have one.
for (const turn of [0, 1]) client(channels.filter((_, index) => index % 2 === turn));
