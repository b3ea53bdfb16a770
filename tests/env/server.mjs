// A server of our own for tests: started with a configuration on a free port, waited for on /health, stopped by pid.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS_MAX = 15_000;
const POLL_MS = 20;

// Below the ports that systems give to outgoing connections (Linux: from 32768), one of which could take a port between our
// look and the server's start. Even the question whether the server is there yet could: a connection whose own port is the
// one it asks for connects to itself. Not below 20000: the conformance runners count theirs from 18100.
const PORTS = { first: 20_000, count: 12_000 };

let ports = process.pid * 1_009;

/** A port of loopback that nobody listens on, another one each time; processes begin at different places. */
export async function freePort() {
  for (;;) {
    const port = PORTS.first + (ports++ % PORTS.count);
    const probe = createServer();
    const free = await new Promise((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (free) {
      await new Promise((resolve) => probe.close(resolve));
      return port;
    }
  }
}

/** Starts the server that GYRE_SERVER names (a command with {config}) with the SDKs' configuration; `more` takes the place of
 * whole sections. */
export async function startServer(more = {}) {
  const command = process.env.GYRE_SERVER;
  if (!command) throw new Error('GYRE_SERVER is not set: a command with {config}, e.g. "gyre -c {config}"');
  const config = JSON.parse(await readFile(new URL('./sdk.json', import.meta.url)));
  Object.assign(config, more);
  config.http_server.port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'gyre-sdk-'));
  const path = join(directory, 'config.json');
  await writeFile(path, JSON.stringify(config));
  const [program, ...rest] = command.replace('{config}', path).split(' ');
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  const server = new Server(config, async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(directory, { recursive: true, force: true });
  });
  const dead = ended.then(() => Promise.reject(new Error(`the server ended: ${output}`)));
  dead.catch(() => {});
  await Promise.race([server.healthy(), dead]);
  return server;
}

class Server {
  constructor(config, stop) {
    this.port = config.http_server.port;
    // What is not for clients; never with TLS.
    this.internalPort = config.http_server.internal_port ?? this.port;
    this.key = config.http_api.key;
    this.secret = config.client.token.hmac_secret_key;
    this.stop = stop;
  }

  async healthy() {
    const deadline = Date.now() + START_MS_MAX;
    while (Date.now() < deadline) {
      const answer = await fetch(`http://127.0.0.1:${this.internalPort}/health`).catch(() => null);
      if (answer?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`the server is not healthy after ${START_MS_MAX} ms`);
  }

  /** One call of the server API; throws unless it succeeds. */
  async api(method, body) {
    const answer = await fetch(`http://127.0.0.1:${this.internalPort}/api/${method}`, {
      method: 'POST',
      headers: { 'X-API-Key': this.key, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { result, error } = await answer.json();
    if (error) throw new Error(`${method}: ${error.code} ${error.message}`);
    return result;
  }

  /** A JWT with these claims. */
  token(claims) {
    const part = (value) => Buffer.from(value).toString('base64url');
    const head = part(JSON.stringify({ alg: 'HS256', typ: 'JWT' }));
    const unsigned = `${head}.${part(JSON.stringify(claims))}`;
    return `${unsigned}.${createHmac('sha256', this.secret).update(unsigned).digest('base64url')}`;
  }
}
