// The published JavaScript SDK over each of its transports, in Node and in headless Chromium.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { freePort, startServer } from '../../env/server.mjs';

const TIMEOUT = { timeout: 30_000 };
const CHROMIUM = process.env.GYRE_CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
// On a build server a browser that is missing is a failure.
const SKIP = CHROMIUM || process.env.GYRE_CI ? false : 'no Chromium: apt-get install chromium, or set GYRE_CHROMIUM';

const modules = process.env.GYRE_NODE_MODULES;
const require = createRequire(modules ? join(modules, 'package.json') : import.meta.url);

const FORMATS = { http_stream: ['json', 'protobuf'], sse: ['json'], websocket: ['json', 'protobuf'] };

let server;
before(async () => { server = await startServer(); });
after(async () => { await server.stop(); });

const unique = (prefix) => `${prefix}${randomUUID().slice(0, 8)}`;

/** A client and its subscription. Runs here and in pages, so it sees nothing but its arguments and globals. */
async function open({ transport, format, base, token, channel }) {
  const path = { http_stream: 'http_stream', sse: 'sse', websocket: 'websocket', webtransport: 'webtransport' }[transport];
  const scheme = transport === 'websocket' ? base.replace(/^http/, 'ws') : base;
  const endpoint = `${scheme}/connection/${path}`;
  const codec = format === 'json'
    ? { to: (value) => value, from: (data) => data }
    : {
        to: (value) => new TextEncoder().encode(JSON.stringify(value)),
        from: (data) => JSON.parse(new TextDecoder().decode(data)),
      };
  const client = new globalThis.Centrifuges[format]([{ transport, endpoint }], {
    token,
    emulationEndpoint: `${base}/emulation`,
    minReconnectDelay: 10,
    maxReconnectDelay: 100,
    ...globalThis.CentrifugeOptions,
  });
  const seen = { values: [], ends: [], connects: [], waiters: [] };
  const look = () => { seen.waiters = seen.waiters.filter((waiter) => !waiter()); };
  const until = (met) => new Promise((resolve) => {
    seen.waiters.push(() => met() && (resolve(), true));
    look();
  });
  client.on('connected', (context) => { seen.connects.push(context.transport); look(); });
  client.on('disconnected', (context) => { seen.ends.push(context.code); look(); });
  const subscription = client.newSubscription(channel);
  subscription.on('publication', (context) => { seen.values.push(codec.from(context.data)); look(); });
  subscription.subscribe();
  client.connect();
  await subscription.ready(5_000);
  globalThis.opened = {
    seen,
    client,
    publish: (value) => subscription.publish(codec.to(value)),
    history: async () => (await subscription.history({ limit: 10 })).publications.map(({ data }) => codec.from(data)),
    present: async () => Object.keys((await subscription.presence()).clients).length,
    received: async (count) => { await until(() => seen.values.length >= count); return seen.values; },
    connected: async (count) => { await until(() => seen.connects.length >= count); return seen.connects; },
    ended: async () => { await until(() => seen.ends.length > 0); return seen.ends; },
  };
}

/** A client's life; `call` runs a method of what `open` has left. */
async function flow(at, { transport, format, base }, start, call) {
  const [user, channel] = [unique('u'), unique('c')];
  await start({ transport, format, base, token: at.token({ sub: user }), channel });
  assert.deepEqual(await call('connected', 1), [transport]);
  await call('publish', { from: 'client' });
  await at.api('publish', { channel, data: { from: 'backend', text: 'ünïcode ☂ \r\n' } });
  const both = [{ from: 'client' }, { from: 'backend', text: 'ünïcode ☂ \r\n' }];
  assert.deepEqual(await call('received', 2), both);
  assert.deepEqual(await call('history'), both);
  assert.equal(await call('present'), 1);
  // It is told to come again, and misses nothing.
  await at.api('disconnect', { user, disconnect: { code: 4000, reason: 'again' } });
  await at.api('publish', { channel, data: 'meanwhile' });
  assert.deepEqual(await call('received', 3), [...both, 'meanwhile']);
  assert.deepEqual(await call('connected', 2), [transport, transport]);
  await at.api('disconnect', { user });
  assert.deepEqual(await call('ended'), [3503]);
  const deadline = Date.now() + 5_000;
  for (;;) {
    const { num_clients: clients } = await at.api('presence_stats', { channel });
    if (clients === 0) break;
    assert.ok(Date.now() < deadline, 'still present');
  }
}

describe('in Node', () => {
  before(() => {
    globalThis.Centrifuges = {
      json: require('centrifuge').Centrifuge,
      protobuf: require('centrifuge/build/protobuf').Centrifuge,
    };
    globalThis.CentrifugeOptions = { websocket: require('ws'), eventsource: require('eventsource').EventSource };
  });
  for (const [transport, formats] of Object.entries(FORMATS)) {
    for (const format of formats) {
      test(`${transport} in ${format}`, TIMEOUT, async () => {
        const base = `http://127.0.0.1:${server.port}`;
        const call = (method, ...values) => globalThis.opened[method](...values);
        await flow(server, { transport, format, base }, open, call);
      });
    }
  }
});

describe('in Chromium', { skip: SKIP }, () => {
  let browser, pages, origin, secured, directory, hash;

  before(async () => {
    pages = createServer(async (request, response) => {
      const file = request.url.slice(1);
      const script = join(dirname(require.resolve('centrifuge')), '../dist', file);
      const body = file.endsWith('.js') ? await readFile(script) : '<!doctype html>';
      response.setHeader('Content-Type', file.endsWith('.js') ? 'text/javascript' : 'text/html');
      response.end(body);
    });
    await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${pages.address().port}`;
    directory = await mkdtemp(join(tmpdir(), 'gyre-webtransport-'));
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    // What browsers ask of a certificate that is known by its hash: P-256, and at most two weeks.
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '10',
      '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    hash = new X509Certificate(await readFile(cert)).fingerprint256;
    secured = await startServer({
      http_server: {
        address: '127.0.0.1',
        internal_port: await freePort(),
        tls: { enabled: true, cert_pem: cert, key_pem: key },
        tls_external: true,
        http3: { enabled: true },
      },
      webtransport: { enabled: true },
    });
    browser = await require('puppeteer-core').launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    });
  });
  after(async () => {
    await browser?.close();
    await secured?.stop();
    pages?.close();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  /** A page with the SDK, in which WebTransport takes our certificate. */
  async function page(format) {
    const made = await browser.newPage();
    await made.goto(`${origin}/page`);
    await made.addScriptTag({ url: `${origin}/centrifuge${format === 'protobuf' ? '.protobuf' : ''}.js` });
    await made.evaluate((name, fingerprint) => {
      globalThis.Centrifuges = { [name]: globalThis.Centrifuge };
      globalThis.CentrifugeOptions = {};
      const value = Uint8Array.from(fingerprint.split(':'), (byte) => parseInt(byte, 16));
      const Known = globalThis.WebTransport;
      globalThis.WebTransport = class extends Known {
        constructor(url) { super(url, { serverCertificateHashes: [{ algorithm: 'sha-256', value }] }); }
      };
    }, format, hash);
    return made;
  }

  for (const [transport, formats] of Object.entries({ ...FORMATS, webtransport: ['json', 'protobuf'] })) {
    for (const format of formats) {
      test(`${transport} in ${format}`, TIMEOUT, async () => {
        const made = await page(format);
        const at = transport === 'webtransport' ? secured : server;
        const base = `${transport === 'webtransport' ? 'https' : 'http'}://127.0.0.1:${at.port}`;
        const call = (method, ...values) => made.evaluate((name, list) => globalThis.opened[name](...list), method, values);
        await flow(at, { transport, format, base }, (given) => made.evaluate(open, given), call);
        await made.close();
      });
    }
  }

  test('a WebTransport session says why it was closed', TIMEOUT, async () => {
    const made = await page('json');
    const end = await made.evaluate(async (url) => {
      const session = new globalThis.WebTransport(url);
      await session.ready;
      const stream = await session.createBidirectionalStream();
      const command = new TextEncoder().encode('{"id":1,"connect":{}}\n');
      const writer = stream.writable.getWriter();
      // The second connect is one too many.
      await writer.write(command);
      await writer.write(command);
      const { closeCode, reason } = await session.closed;
      return { closeCode, reason };
    }, `https://127.0.0.1:${secured.port}/connection/webtransport`);
    assert.deepEqual(end, { closeCode: 3501, reason: 'bad request' });
    await made.close();
  });
});
