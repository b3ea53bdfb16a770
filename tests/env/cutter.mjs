// A TCP proxy that a test can cut: it drops both sides of every connection and refuses new ones until it is mended.

import { connect, createServer } from 'node:net';

/** Starts a proxy in front of a port of this machine. */
export async function startCutter(target) {
  const pairs = new Set();
  let whole = true;
  const cutter = { received: 0 };
  const listener = createServer((client) => {
    if (!whole) {
      client.destroy();
      return;
    }
    const server = connect(target, '127.0.0.1');
    const pair = [client, server];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    server.on('data', (data) => { cutter.received += data.length; });
    client.pipe(server);
    server.pipe(client);
  });
  await new Promise((resolve, reject) => listener.once('error', reject).listen(0, '127.0.0.1', resolve));
  cutter.port = listener.address().port;
  cutter.cut = () => {
    whole = false;
    for (const [client, server] of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  };
  cutter.mend = () => { whole = true; };
  cutter.stop = () => new Promise((resolve) => {
    cutter.cut();
    listener.close(resolve);
  });
  return cutter;
}
