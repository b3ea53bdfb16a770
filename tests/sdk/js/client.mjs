// The published SDK in either format, with promises where its events would need them.

import { createRequire } from 'node:module';
import { join } from 'node:path';

// The packages may be installed outside of the clone.
const modules = process.env.GYRE_NODE_MODULES;
const require = createRequire(modules ? join(modules, 'package.json') : import.meta.url);
const WebSocket = require('ws');

const SDK = {
  json: {
    Centrifuge: require('centrifuge').Centrifuge,
    wrap: (value) => value,
    unwrap: (data) => data,
  },
  protobuf: {
    Centrifuge: require('centrifuge/build/protobuf').Centrifuge,
    wrap: (value) => new TextEncoder().encode(JSON.stringify(value)),
    unwrap: (data) => JSON.parse(new TextDecoder().decode(data)),
  },
};

export const FORMATS = Object.keys(SDK);

/** Turns a value into what this format publishes, and back. */
export const wrap = (format, value) => SDK[format].wrap(value);
export const unwrap = (format, data) => SDK[format].unwrap(data);

/** A client that is not connected yet. */
export function client(format, port, options) {
  const name = format === 'protobuf' ? '?cf_protocol=protobuf' : '';
  return new SDK[format].Centrifuge(`ws://127.0.0.1:${port}/connection/websocket${name}`, {
    websocket: WebSocket,
    minReconnectDelay: 10,
    maxReconnectDelay: 100,
    ...options,
  });
}

/** The next event of a kind. */
export function once(emitter, event) {
  return new Promise((resolve) => emitter.once(event, resolve));
}

/** Collects publications of a subscription; `until(n)` waits for the n-th. */
export class Inbox {
  constructor(format, subscription) {
    this.values = [];
    this.offsets = [];
    this.waiters = [];
    subscription.on('publication', (context) => {
      this.values.push(unwrap(format, context.data));
      this.offsets.push(context.offset);
      this.waiters = this.waiters.filter(({ count, resolve }) => this.values.length < count || resolve());
    });
  }

  until(count) {
    if (this.values.length >= count) return Promise.resolve();
    return new Promise((resolve) => { this.waiters.push({ count, resolve }); });
  }
}
