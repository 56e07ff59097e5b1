// The client of docs/events.md, as it stands there, gets over whatever ends its socket. The server's access tokens are good for
// two seconds.
import assert from 'node:assert/strict';
import { call, codeOf, io, main, mode, newcomer, url, within } from './harness.mjs';

const source = (await codeOf('events.md')).replaceAll('http://127.0.0.1:5000', url);
assert.ok(source.includes(`io('${url}'`) && source.includes(`'${url}/auth/refresh'`), 'docs/events.md has another client');
const names = ['io', 'fetch', 'token', 'refreshToken', 'showLogin'];
const client = new Function(...names, `${source}\nreturn { socket, renew, tokens: () => ({ token, refreshToken }) };`);

/** Something that happens again and again, to be waited for one at a time. */
function happening(what) {
  let [times, seen, wake] = [0, 0, () => {}];
  const happen = () => {
    times += 1;
    wake();
  };
  const next = async () => {
    while (times === seen) await within(new Promise((resolve) => (wake = resolve)), what);
    seen += 1;
  };
  return { happen, next, times: () => times };
}

/** The client of the page for a user, with an eye on what it does. */
function start({ token, refresh }, answer = fetch) {
  const [asked, entered, loggedOut] = ['a refresh', 'the connection', 'the login'].map(happening);
  const asking = (...request) => {
    asked.happen();
    return answer(...request);
  };
  const { socket, renew, tokens } = client(io, asking, token, refresh, loggedOut.happen);
  const life = { expires: 0 };
  socket.on('ready', ({ expires_at }) => {
    life.expires = Date.parse(expires_at);
    entered.happen();
  });
  return { socket, renew, tokens, asked, entered, loggedOut, life };
}

/** Asserts that a client is connected and served. */
async function expectServed({ socket }) {
  const chat = { name: 'here I am', is_group: true, members_array: [] };
  assert.equal((await within(socket.emitWithAck('create_chat', { chat }), 'an ack')).ok, true);
}

const expiry = {
  async 'a token that expires, while connected and before'() {
    const [bob, ada] = [await newcomer('Bob'), await newcomer('Ada')];
    const adas = start(ada);
    await adas.entered.next();
    assert.equal(adas.tokens().token, ada.token);
    // It is renewed in time, each time, so that the connection outlives the token that it began with.
    while (Date.now() < adas.life.expires) await adas.asked.next();
    await expectServed(adas);
    assert.equal(adas.entered.times(), 1, 'it was never cut off');
    assert.notEqual(adas.tokens().token, ada.token);
    assert.notEqual(adas.tokens().refreshToken, ada.refresh);
    adas.socket.disconnect();

    // Bob's token is older than the first of Ada's.
    const bobs = start(bob);
    const refused = new Promise((resolve) => bobs.socket.once('connect_error', ({ message }) => resolve(message)));
    assert.match(await within(refused, 'the refusal'), /expired/);
    await bobs.entered.next();
    await expectServed(bobs);
    bobs.socket.disconnect();
  },

  async 'no new tokens before the socket is cut off'() {
    const away = () => Promise.reject(new TypeError('fetch failed'));
    const adas = start(await newcomer('Ada'), (...request) => (adas.socket.connected ? away() : fetch(...request)));
    await adas.entered.next();
    const ended = new Promise((resolve) => adas.socket.once('disconnect', resolve));
    assert.equal(await within(ended, 'the end of the socket'), 'io server disconnect');
    await adas.entered.next();
    await expectServed(adas);
    adas.socket.disconnect();
  },

  async 'a server that cannot give new tokens yet'() {
    const answers = [
      () => Promise.reject(new TypeError('fetch failed')),
      () => new Response('{"status": 503}', { status: 503 }),
      () => new Response('{"access_tok'),
    ];
    const ada = await newcomer('Ada');
    const adas = start({ ...ada, token: 'of another server' }, (...request) => (answers.shift() ?? fetch)(...request));
    await adas.entered.next();
    assert.equal(adas.asked.times(), 4);
    await expectServed(adas);
    adas.socket.disconnect();
  },

  async 'several calls that find the token expired'() {
    const adas = start({ ...(await newcomer('Ada')), token: 'expired' });
    const six = (what) => within(Promise.all(Array.from({ length: 6 }, what)), 'all six');
    const look = async () => (await call('GET', '/chat', { token: adas.tokens().token })).status;
    assert.deepEqual(await six(look), Array(6).fill(401));
    await six(adas.renew);
    assert.equal(adas.asked.times(), 1, 'one of them asks for all');
    assert.deepEqual(await six(look), Array(6).fill(200));
    await adas.entered.next();
    await expectServed(adas);
    assert.equal(adas.loggedOut.times(), 0);
    adas.socket.disconnect();
  },

  async 'a session that is over'() {
    const ada = await newcomer('Ada');
    const adas = start(ada);
    await adas.entered.next();
    assert.equal((await call('POST', '/auth/logout', { token: ada.token })).status, 204);
    await adas.loggedOut.next();
    assert.deepEqual([adas.socket.active, adas.asked.times()], [false, 1]);
  },

  async 'its own wish to leave'() {
    const adas = start(await newcomer('Ada'));
    await adas.entered.next();
    adas.socket.disconnect();
    assert.deepEqual([adas.socket.active, adas.asked.times()], [false, 0]);
  },
};

const restart = {
  async 'a server that is stopped and started again'() {
    const adas = start(await newcomer('Ada'));
    await adas.entered.next();
    const ended = new Promise((resolve) => adas.socket.on('disconnect', resolve));
    console.log('restart');
    assert.equal(await within(ended, 'the end of the connection'), 'transport close');
    await adas.entered.next();
    await expectServed(adas);
  },
};

await main({ expiry, restart }[mode]);
