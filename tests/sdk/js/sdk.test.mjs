// The published JavaScript SDK against the built server, in JSON and in Protobuf.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';

import { startCutter } from '../../env/cutter.mjs';
import { startServer } from '../../env/server.mjs';
import { FORMATS, Inbox, client, once, unwrap, wrap } from './client.mjs';

const TIMEOUT = { timeout: 20_000 };

let server;
before(async () => { server = await startServer(); });
after(async () => { await server.stop(); });

const now = () => Math.floor(Date.now() / 1000);
const unique = (prefix = 'c') => `${prefix}${randomUUID().slice(0, 8)}`;
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

for (const format of FORMATS) {
  describe(format, () => {
    const clients = [];
    after(() => { for (const each of clients) each.disconnect(); });

    async function connected(options = {}, port = server.port) {
      const { sub = unique('u'), ...rest } = options;
      const made = client(format, port, { token: server.token({ sub }), ...rest });
      clients.push(made);
      made.connect();
      await made.ready(5_000);
      return made;
    }

    async function subscribed(made, channel, options) {
      const subscription = made.newSubscription(channel, options);
      const inbox = new Inbox(format, subscription);
      subscription.subscribe();
      await subscription.ready(5_000);
      return { subscription, inbox };
    }

    test('a token connects', TIMEOUT, async () => {
      const made = client(format, server.port, { token: server.token({ sub: unique('u') }) });
      clients.push(made);
      const context = once(made, 'connected');
      made.connect();
      const { client: id, transport } = await context;
      assert.match(id, /^[0-9a-f-]{36}$/);
      assert.equal(transport, 'websocket');
    });

    test('a token of somebody else does not', TIMEOUT, async () => {
      const stranger = Object.assign(Object.create(server), { secret: 'another' });
      const made = client(format, server.port, { token: stranger.token({ sub: 'u' }) });
      clients.push(made);
      const context = once(made, 'disconnected');
      made.connect();
      assert.equal((await context).code, 3500);
    });

    test('publications arrive, from a client and from the server API', TIMEOUT, async () => {
      const channel = unique();
      const here = await subscribed(await connected(), channel);
      const there = await subscribed(await connected(), channel);
      await here.subscription.publish(wrap(format, { from: 'client' }));
      await server.api('publish', { channel, data: { from: 'backend' } });
      await Promise.all([here.inbox.until(2), there.inbox.until(2)]);
      for (const { inbox } of [here, there]) {
        assert.deepEqual(inbox.values, [{ from: 'client' }, { from: 'backend' }]);
        assert.deepEqual(inbox.offsets, [1, 2]);
      }
    });

    test('a broadcast reaches every channel', TIMEOUT, async () => {
      const channels = [unique(), unique()];
      const made = await connected();
      const both = await Promise.all(channels.map((channel) => subscribed(made, channel)));
      await server.api('broadcast', { channels, data: 'all' });
      await Promise.all(both.map(({ inbox }) => inbox.until(1)));
      assert.deepEqual(both.map(({ inbox }) => inbox.values), [['all'], ['all']]);
    });

    test('presence knows who is there, joins and leaves tell of changes', TIMEOUT, async () => {
      const channel = unique();
      const first = await subscribed(await connected({ sub: 'anna' }), channel);
      const joined = new Promise((resolve) => {
        first.subscription.on('join', ({ info }) => { if (info.user === 'bela') resolve(); });
      });
      const second = await subscribed(await connected({ sub: 'bela' }), channel);
      await joined;
      const { clients: present } = await first.subscription.presence();
      assert.deepEqual(Object.values(present).map((info) => info.user).sort(), ['anna', 'bela']);
      assert.deepEqual(await first.subscription.presenceStats(), { numClients: 2, numUsers: 2 });
      const leave = once(first.subscription, 'leave');
      second.subscription.unsubscribe();
      assert.equal((await leave).info.user, 'bela');
    });

    test('history is read in both directions', TIMEOUT, async () => {
      const channel = unique();
      const { subscription } = await subscribed(await connected(), channel);
      for (const n of numbers(1, 5)) await server.api('publish', { channel, data: n });
      const read = async (options) => {
        const { publications, offset } = await subscription.history(options);
        assert.equal(offset, 5);
        return publications.map(({ data }) => unwrap(format, data));
      };
      const { epoch } = await subscription.history({ limit: 0 });
      assert.deepEqual(await read({ limit: 10 }), [1, 2, 3, 4, 5]);
      assert.deepEqual(await read({ limit: 2, since: { offset: 2, epoch } }), [3, 4]);
      assert.deepEqual(await read({ limit: 2, reverse: true }), [5, 4]);
    });

    test('nothing is missed or doubled when the connection is cut', TIMEOUT, async () => {
      const cutter = await startCutter(server.port);
      const channel = unique();
      try {
        const { subscription, inbox } = await subscribed(await connected({}, cutter.port), channel);
        const publish = (from, to) => numbers(from, to).map((n) => () => server.api('publish', { channel, data: n }));
        const contexts = [];
        subscription.on('subscribed', (context) => contexts.push(context));
        for (const send of publish(1, 10)) await send();
        await inbox.until(10);
        for (const round of [1, 2]) {
          const lost = once(subscription, 'subscribing');
          cutter.cut();
          await lost;
          for (const send of publish(round * 20 - 9, round * 20)) await send();
          cutter.mend();
          // Some more while the client comes back: these may be recovered or live.
          for (const send of publish(round * 20 + 1, round * 20 + 10)) await send();
          await inbox.until(round * 20 + 10);
        }
        assert.deepEqual(inbox.values, numbers(1, 50));
        assert.deepEqual(inbox.offsets, numbers(1, 50));
        assert.deepEqual(contexts.map(({ wasRecovering, recovered }) => [wasRecovering, recovered]), [[true, true], [true, true]]);
      } finally {
        await cutter.stop();
      }
    });

    test('a gap that history no longer covers is told', TIMEOUT, async () => {
      const cutter = await startCutter(server.port);
      const channel = unique('small:');
      try {
        const { subscription } = await subscribed(await connected({}, cutter.port), channel);
        const lost = once(subscription, 'subscribing');
        const back = once(subscription, 'subscribed');
        cutter.cut();
        await lost;
        for (const n of numbers(1, 5)) await server.api('publish', { channel, data: n });
        cutter.mend();
        const { wasRecovering, recovered } = await back;
        assert.deepEqual([wasRecovering, recovered], [true, false]);
      } finally {
        await cutter.stop();
      }
    });

    test('an expiring connection is refreshed and stays', TIMEOUT, async () => {
      const sub = unique('u');
      let asked;
      const refreshed = new Promise((resolve) => { asked = resolve; });
      let ended = false;
      const made = await connected({
        token: server.token({ sub, exp: now() + 2 }),
        getToken: async () => {
          asked();
          return server.token({ sub, exp: now() + 60 });
        },
      });
      made.on('connecting', () => { ended = true; });
      await refreshed;
      const { subscription, inbox } = await subscribed(made, unique());
      await subscription.publish(wrap(format, 'still here'));
      await inbox.until(1);
      assert.equal(ended, false);
    });

    test('an expiring subscription is refreshed and stays', TIMEOUT, async () => {
      const sub = unique('u');
      const channel = unique('token:');
      const tokens = [2, 60];
      let second;
      const refreshed = new Promise((resolve) => { second = resolve; });
      const made = await connected({ sub });
      const { subscription, inbox } = await subscribed(made, channel, {
        getToken: async () => {
          const lifetime = tokens.shift();
          if (tokens.length === 0) second();
          return server.token({ sub, channel, exp: now() + lifetime });
        },
      });
      let ended = false;
      subscription.on('subscribing', () => { ended = true; });
      await refreshed;
      await server.api('publish', { channel, data: 'kept' });
      await inbox.until(1);
      assert.deepEqual(inbox.values, ['kept']);
      assert.equal(ended, false);
    });

    test('deltas add up to what was published', TIMEOUT, async () => {
      const cutter = await startCutter(server.port);
      const channel = unique('delta:');
      const text = Array.from({ length: 200 }, (_, n) => `line ${n} of the fable of the fox`).join(', ');
      const values = numbers(1, 20).map((n) => ({ n, text: `${text} – ${n}, zwölf, 日本` }));
      try {
        const { subscription, inbox } = await subscribed(await connected({}, cutter.port), channel, { delta: 'fossil' });
        const start = cutter.received;
        for (const data of values.slice(0, 10)) await server.api('publish', { channel, data });
        await inbox.until(10);
        const bytes = cutter.received - start;
        assert.ok(bytes < 3 * JSON.stringify(values[0]).length, `${bytes} bytes came for 10 alike publications`);
        const lost = once(subscription, 'subscribing');
        cutter.cut();
        await lost;
        for (const data of values.slice(10)) await server.api('publish', { channel, data });
        cutter.mend();
        await inbox.until(20);
        assert.deepEqual(inbox.values, values);
      } finally {
        await cutter.stop();
      }
    });

    test('tags choose what arrives', TIMEOUT, async () => {
      const channel = unique('tags:');
      const { inbox } = await subscribed(await connected(), channel, {
        tagsFilter: { op: '', cmp: 'eq', key: 'kind', val: 'wanted', vals: [], nodes: [] },
      });
      await server.api('publish', { channel, data: 1, tags: { kind: 'other' } });
      await server.api('publish', { channel, data: 2, tags: { kind: 'wanted' } });
      await inbox.until(1);
      assert.deepEqual(inbox.values, [2]);
    });

    test('a server-side subscription brings publications', TIMEOUT, async () => {
      const sub = unique('u');
      const made = await connected({ sub });
      const arrived = once(made, 'publication');
      await server.api('publish', { channel: `#${sub}`, data: 'personal' });
      const { channel, data } = await arrived;
      assert.deepEqual([channel, unwrap(format, data)], [`#${sub}`, 'personal']);
    });

    test('the backend ends a subscription and a connection', TIMEOUT, async () => {
      const sub = unique('u');
      const channel = unique();
      const made = await connected({ sub });
      const { subscription } = await subscribed(made, channel);
      const unsubscribed = once(subscription, 'unsubscribed');
      await server.api('unsubscribe', { user: sub, channel });
      assert.equal((await unsubscribed).code, 2000);
      const disconnected = once(made, 'disconnected');
      await server.api('disconnect', { user: sub });
      assert.equal((await disconnected).code, 3503);
    });

    test('an RPC that nobody answers is an error', TIMEOUT, async () => {
      const made = await connected();
      await assert.rejects(made.rpc('hello', wrap(format, {})), { code: 108 });
    });
  });
}
