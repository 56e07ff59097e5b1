// What the scenarios of socket.io-client share: HTTP calls, sign-up, and sockets that record what they get.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Loads a package from where `cargo xtask test` has installed it. */
export const installed = createRequire(path.join(process.env.MANGO_TEST_NODE_MODULES, 'index.js'));
export const { io } = installed('socket.io-client');

export const [url, mode] = process.argv.slice(2);
const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] }[mode];
assert.ok(url, 'usage: node <scenario>.mjs <base url> [polling|websocket|upgrade]');

/** The blocks of JavaScript that stand in a page of the documentation, in order. */
export async function blocksOf(page) {
  const text = await readFile(new URL(`../../../../docs/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  assert.ok(blocks.length > 0, `docs/${page} has no code`);
  return blocks;
}

/** All of them as one. */
export async function codeOf(page) {
  return (await blocksOf(page)).join('');
}

const open = new Set();
const DEADLINE_MS = 30_000;
const FENCE = 'fence';

/** Rejects when `promise` takes longer than any healthy server does. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of: ${what}`)), DEADLINE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One HTTP call; gives status, headers and the parsed body. */
export async function call(method, route, { token, json, form } = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  let body;
  if (json !== undefined) [headers['content-type'], body] = ['application/json', JSON.stringify(json)];
  if (form) body = new URLSearchParams(form);
  const response = await fetch(url + route, { method, headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

let people = 0;
const run = String(process.pid).padStart(6, '0').slice(-6);

/** Signs a new user up and logs in. */
export async function newcomer(name) {
  people += 1;
  const phone = `+316${run}${String(people).padStart(2, '0')}`;
  const password = 'päss wörd of eight';
  const created = await call('POST', '/user/create', { json: { phone, password, name } });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const login = await call('POST', '/auth/login', { form: { username: phone, password } });
  assert.equal(login.status, 200, JSON.stringify(login.body));
  return { id: created.body.id, name, phone, password, token: login.body.access_token, refresh: login.body.refresh_token };
}

/** A socket that keeps every event until somebody asks for it. */
export class Recorder {
  constructor(socket) {
    this.socket = socket;
    this.events = [];
    this.waiting = [];
    this.left = new Promise((resolve) => socket.on('disconnect', resolve));
    socket.onAny((name, payload) => {
      this.events.push({ name, payload });
      this.waiting.splice(0).forEach((wake) => wake());
    });
  }

  /** Emits with an acknowledgement. */
  ask(name, ...payload) {
    return within(new Promise((resolve) => this.socket.emit(name, ...payload, resolve)), `the ack of ${name}`);
  }

  /** Takes the oldest event of a name, now or when it comes. */
  async take(name) {
    const search = async () => {
      for (;;) {
        const at = this.events.findIndex((event) => event.name === name);
        if (at >= 0) return this.events.splice(at, 1)[0].payload;
        await new Promise((wake) => this.waiting.push(wake));
      }
    };
    return within(search(), `${name} at ${this.socket.id}`);
  }

  /**
   * Asserts that nothing is left: an event that comes later than anything the server has sent so far marks the end. The other
   * devices of the same user get it too, and pass over it.
   */
  async expectNothingMore() {
    const { chat } = await this.ask('create_chat', { chat: { name: FENCE, is_group: true, members_array: [] } });
    const isEnd = ({ payload }) => payload.chat === chat.id;
    while (!this.events.some(isEnd)) await within(new Promise((wake) => this.waiting.push(wake)), 'the fence');
    const before = this.events.splice(0).filter((event) => event.payload.name !== FENCE);
    assert.deepEqual(before, []);
  }

  close() {
    open.delete(this);
    this.socket.disconnect();
  }
}

/** The three places where a token may stand. */
export const places = {
  payload: (token) => ({ auth: { token } }),
  header: (token) => ({ extraHeaders: { auth: token } }),
  bearer: (token) => ({ extraHeaders: { authorization: `Bearer ${token}` } }),
};

/** Makes a socket that has not connected yet; `options.url` is where to, when that is not the server itself. */
export function dial(options) {
  assert.ok(transports, `${mode} is neither polling nor websocket nor upgrade`);
  return io(options.url ?? url, { path: '/ws/socket.io/', transports, forceNew: true, reconnection: false, autoConnect: false, ...options });
}

/** Connects, and waits for the transport to be upgraded where that is what is tested. */
export async function connect(token, place = 'payload') {
  const recorder = new Recorder(dial(places[place](token)));
  const { socket } = recorder;
  open.add(recorder);
  const connected = new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
  socket.connect();
  await within(connected, 'connect');
  const { engine } = socket.io;
  if (mode === 'upgrade' && engine.transport.name !== 'websocket') {
    await within(new Promise((resolve) => engine.once('upgrade', resolve)), 'the upgrade to websocket');
  }
  assert.equal(engine.transport.name, mode === 'polling' ? 'polling' : 'websocket');
  recorder.ready = await recorder.take('ready');
  return recorder;
}

/** The message of the connect_error that a connection with these options ends in. */
export async function refusal(options) {
  const socket = dial(options);
  const refused = new Promise((resolve, reject) => {
    socket.on('connect', () => reject(new Error('the connection was accepted')));
    socket.on('connect_error', (error) => resolve(error.message));
  });
  socket.connect();
  const message = await within(refused, 'connect_error');
  socket.disconnect();
  return message;
}

/** Runs the scenarios one after the other, says which passed, and ends the process. */
export async function main(scenarios) {
  let failed = 0;
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      await scenario();
      console.log(`ok   ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n${error.stack}`);
    }
    [...open].forEach((recorder) => recorder.close());
  }
  process.exit(failed ? 1 : 0);
}
