// The client of docs/delivery.md, as it stands there, knows in the end what the server knows, however it was interrupted.
import assert from 'node:assert/strict';
import { call, codeOf, dial, main, newcomer, within } from './harness.mjs';

const source = await codeOf('delivery.md');
const client = new Function('socket', `${source}\nreturn { sync, send, ask, toggleLike, state: () => state, busy: () => syncing };`);

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const random = (below) => Math.floor(Math.random() * below);

/** The client of the page, connected and caught up. */
async function start({ token }) {
  const options = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, auth: { token } };
  const socket = dial(options);
  const made = { socket, ...client(socket) };
  const ready = new Promise((resolve) => socket.once('ready', resolve));
  socket.connect();
  await within(ready, 'ready');
  await caughtUp(made);
  return made;
}

/** Waits until a client has nothing under way. */
async function caughtUp({ socket, sync, busy }) {
  const settled = async () => {
    while (!socket.connected) await pause(10);
    await sync();
    while (busy()) await pause(10);
  };
  await within(settled(), 'catching up');
}

/** What a client knows and shows, without what changes by itself. */
function known({ versions, users, chats, messages, pinned }) {
  const shown = (people) => people.map(({ id }) => users[id]);
  const rooms = Object.values(chats).map(({ id, name, is_group, members_array, created_at }) => {
    return { id, name, is_group, members: shown(members_array), created_at };
  });
  const said = Object.values(messages).map(({ client_id, likes_array, ...message }) => ({ ...message, likes: shown(likes_array) }));
  const byId = (a, b) => a.id - b.id;
  return JSON.parse(JSON.stringify({ versions, rooms: rooms.sort(byId), said: said.sort(byId), pinned }));
}

async function snapshot(user) {
  const fresh = await start(user);
  const state = known(fresh.state());
  fresh.socket.disconnect();
  return state;
}

/** Breaks the connection off, as networks do. */
function breakOff({ socket }) {
  socket.io.engine?.close();
}

await main({
  async 'clients that drop and come back at random know everything in the end'() {
    const people = [await newcomer('Ada'), await newcomer('Bob'), await newcomer('Cat')];
    const clients = await Promise.all(people.map(start));
    const ids = people.map((person) => person.id);
    const rooms = [];
    const ROUNDS = 30;
    // Messages of each client in a round: over a thousand for the three of them in each of the ways to connect.
    const BURST = 12;
    let going = true;
    const breaking = clients.map(async (one) => {
      while (going) {
        await pause(100 + random(400));
        breakOff(one);
      }
    });
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % 10 === 0) {
        const chat = { name: `Room ${round}`, is_group: true, members_array: ids };
        const made = await call('GET', '/chat', { token: people[0].token });
        while ((await call('GET', '/chat', { token: people[0].token })).body.length === made.body.length) {
          await within(clients[0].ask('create_chat', { chat }).catch(() => pause(20)), 'a chat');
        }
        rooms.push((await call('GET', '/chat', { token: people[0].token })).body.find((room) => room.name === chat.name).id);
      }
      const bursts = clients.flatMap((one, n) => Array.from({ length: BURST }, (_, k) => [one, `${round}.${k} by ${n}`]));
      const sent = await Promise.all(
        bursts.map(([one, content]) => within(one.send(rooms[random(rooms.length)], content), 'a message')),
      );
      const [{ message: some }] = sent;
      clients[random(3)].toggleLike(some).catch(() => {});
      clients[random(3)].ask('toggle_chat_pin', { chat: { id: some.chat_id } }).catch(() => {});
      const renamed = people[random(3)];
      const json = { name: `${renamed.name} ${round}` };
      assert.equal((await call('PATCH', `/user/${renamed.id}`, { token: renamed.token, json })).status, 202);
    }
    going = false;
    await Promise.all(breaking);
    for (const [n, one] of clients.entries()) {
      await caughtUp(one);
      const fresh = await snapshot(people[n]);
      assert.deepEqual(known(one.state()), fresh);
      assert.equal(fresh.said.length, ROUNDS * BURST * clients.length, 'each message is there once');
      const names = await Promise.all(ids.map((id) => call('GET', `/user/${id}`, { token: people[0].token })));
      assert.deepEqual(fresh.rooms[0].members.map(({ name }) => name), names.map(({ body }) => body.name));
      one.socket.disconnect();
    }
  },

  async 'a pin that is told while an answer is under way is kept'() {
    const [handlers, answers, asked] = [{}, [], []];
    const emit = (event, payload, answer) => (asked.push(event), answers.push(answer));
    const socket = { on: (event, handler) => (handlers[event] = handler), timeout: () => ({ emit }) };
    const { state, busy } = client(socket);
    const page = (pinned) => ({ ok: true, reset: false, epoch: 'e', chats: [], gone: [], users: [], users_since: 0, pinned, more: false });
    const answer = async (pinned) => {
      answers.shift()(null, page(pinned));
      await pause(0);
    };
    handlers.ready({ user_id: 1 });
    await answer([3]);
    assert.deepEqual([state().pinned, busy(), asked.length], [[3], false, 1]);
    handlers.ready({ user_id: 1 });
    handlers.chat_pinned({ chat: 2 });
    handlers.chat_unpinned({ chat: 3 });
    // It was read before.
    await answer([3]);
    assert.ok(busy(), 'it asks again');
    await answer([2]);
    assert.deepEqual([state().pinned, busy(), asked.length], [[2], false, 3]);
  },

  async 'a client that stays connected needs no sync'() {
    const [ada, bob] = [await newcomer('Ada'), await newcomer('Bob')];
    const [adas, bobs] = [await start(ada), await start(bob)];
    const { chat } = await adas.ask('create_chat', { chat: { name: 'Tea', is_group: true, members_array: [bob.id] } });
    await caughtUp(adas);
    await caughtUp(bobs);
    let synced = 0;
    for (const { socket } of [adas, bobs]) socket.onAnyOutgoing((event) => (synced += event === 'sync' ? 1 : 0));
    const sent = await Promise.all(
      Array.from({ length: 200 }, (_, n) => [adas, bobs][n % 2].send(chat.id, `${n}`)),
    );
    for (const { message } of sent.slice(0, 20)) await [adas, bobs][message.id % 2].toggleLike(message);
    const done = async () => {
      while ([adas, bobs].some((one) => one.state().versions[chat.id] < 1 + 200 + 20)) await pause(10);
    };
    await within(done(), 'every change at both');
    const name = 'Robert';
    await call('PATCH', `/user/${bob.id}`, { token: bob.token, json: { name } });
    const renamed = async () => {
      while ([adas, bobs].some((one) => one.state().users[bob.id].name !== name)) await pause(10);
    };
    await within(renamed(), 'another name at both');
    assert.equal(synced, 0);
    assert.deepEqual(known(bobs.state()), await snapshot(bob));
    assert.deepEqual(known(adas.state()), await snapshot(ada));
    for (const { socket } of [adas, bobs]) socket.disconnect();
  },
});
