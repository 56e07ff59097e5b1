// The clients of docs/delivery.md, as they stand there, know in the end what the server knows, however they were interrupted.
import assert from 'node:assert/strict';
import { blocksOf, call, dial, main, mode, newcomer, within } from './harness.mjs';
import { Weather } from './weather.mjs';

const [plain, example, direct, ...more] = await blocksOf('delivery.md');
assert.ok(plain && example && direct && more.length === 0, 'docs/delivery.md has other clients');

/**
 * The client of the page, or the one that applies events directly as well, which names so many chats, waits so long for an answer, and asks for so many
 * messages at once. `shown` is its state as it was when the page was told of a change.
 */
function client(socket, source = plain, { trouble = unexpected, named = '5_000', wait = '20_000', limit = '1000' } = {}) {
  const sizes = 'const [NAMED, WAIT, LIMIT] = [5_000, 20_000, 1000];';
  assert.ok(source.includes(sizes), 'the client has other sizes');
  const code = source.replace(sizes, `const [NAMED, WAIT, LIMIT] = [${named}, ${wait}, ${limit}];`);
  const made = new Function('socket', 'trouble', 'changed', `${code}\nreturn { sync, send, toggle, state: () => state, busy: () => syncing };`);
  const one = { socket, shown: undefined, ...made(socket, trouble, () => (one.shown = JSON.stringify(one.state()))) };
  return one;
}
const both = { plain, direct: plain + direct };
const unexpected = (error) => {
  throw Object.assign(new Error('trouble'), { cause: error });
};

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const random = (below) => Math.floor(Math.random() * below);

/** Waits until something is so. */
function until(isSo, what) {
  const waiting = async () => {
    while (!isSo()) await pause(10);
  };
  return within(waiting(), what);
}

/** A client of the page, connected and caught up. */
async function start({ token }, source, { url, ...options } = {}) {
  const socket = dial({ url, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, auth: { token } });
  const made = client(socket, source, options);
  const ready = new Promise((resolve) => socket.once('ready', resolve));
  socket.connect();
  await within(ready, 'ready');
  await caughtUp(made);
  return made;
}

/** Waits until a client has nothing under way. */
async function caughtUp({ socket, sync, busy }) {
  await until(() => socket.connected, 'the connection');
  sync();
  await until(() => !busy(), 'catching up');
}

/** What a client knows and shows, without what changes by itself. */
function known({ users, chats, pinned }) {
  const shown = (people) => people.map(({ id }) => ({ ...users[id], online: undefined }));
  const byId = (a, b) => a.id - b.id;
  const rooms = Object.values(chats).map(({ version, chat: { id, name, is_group, members_array, created_at }, messages }) => {
    const said = Object.values(messages).map(({ client_id, likes_array, ...message }) => ({ ...message, likes: shown(likes_array) }));
    return { id, version, name, is_group, members: shown(members_array), created_at, said: said.sort(byId) };
  });
  return JSON.parse(JSON.stringify({ rooms: rooms.sort(byId), pinned }));
}

async function snapshot(user) {
  const fresh = await start(user);
  const state = known(fresh.state());
  fresh.socket.disconnect();
  return state;
}

/** A client on a socket that the test answers: what it asks waits in `answers`. */
function inTheLab(source, options = {}) {
  const [handlers, answers] = [{}, []];
  let any = () => {};
  const emitWithAck = (_, payload) => new Promise((resolve, reject) => {
    answers.push(Object.assign((error, answer) => (error ? reject(error) : resolve(answer)), { payload }));
  });
  const socket = {
    on: (event, handler) => (handlers[event] = handler),
    onAny: (handler) => (any = handler),
    offAny: () => (any = () => {}),
    timeout: () => ({ emitWithAck }),
  };
  const happens = (event, payload) => (any(event, payload), handlers[event]?.(payload));
  return { one: client(socket, source, options), answers, happens };
}

/** An answer of `sync`. */
const page = (told) => ({ ok: true, reset: false, epoch: 'e', chats: [], gone: [], users: [], users_since: 0, pinned: [], more: false, ...told });

/** Answers what is asked until nothing is under way. */
async function settled(one, answers) {
  const isSettled = () => {
    answers.splice(0).forEach((answer) => answer(null, page({ pinned: one.state().pinned })));
    return !one.busy();
  };
  await until(isSettled, 'an end');
}

await main({
  async 'clients that drop and come back at random know everything in the end'() {
    const people = [await newcomer('Ada'), await newcomer('Bob'), await newcomer('Cat')];
    const weathers = await Promise.all(people.map(() => Weather.begin()));
    const kinds = [both.plain, both.direct, both.plain];
    const clients = await Promise.all(people.map((one, n) => start(one, kinds[n], { url: weathers[n].url, named: 3, limit: 20 })));
    const ids = people.map((person) => person.id);
    const rooms = [];
    const ROUNDS = 30;
    // Messages of each client in a round: over a thousand for the three of them in each of the ways to connect.
    const BURST = 12;
    let going = true;
    const breaking = weathers.map(async (weather) => {
      weather.isStormy = true;
      while (going) {
        await pause(100 + random(400));
        weather.breakOff();
      }
      weather.isStormy = false;
    });
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % 5 === 0) {
        const chat = { name: `Room ${round}`, is_group: true, members_array: ids };
        const made = await call('GET', '/chat', { token: people[0].token });
        while ((await call('GET', '/chat', { token: people[0].token })).body.length === made.body.length) {
          await within(clients[0].toggle('create_chat', { chat }).catch(() => pause(20)), 'a chat');
        }
        rooms.push((await call('GET', '/chat', { token: people[0].token })).body.find((room) => room.name === chat.name).id);
      }
      const bursts = clients.flatMap((one, n) => Array.from({ length: BURST }, (_, k) => [one, `${round}.${k} by ${n}`]));
      const sent = await Promise.all(
        bursts.map(([one, content]) => within(one.send(rooms[random(rooms.length)], content), 'a message')),
      );
      const [{ message: some }] = sent;
      clients[random(3)].toggle('toggle_like_message', { message: { id: some.id } }).catch(() => {});
      clients[random(3)].toggle('toggle_chat_pin', { chat: { id: some.chat_id } }).catch(() => {});
      const renamed = people[random(3)];
      const json = { name: `${renamed.name} ${round}` };
      assert.equal((await call('PATCH', `/user/${renamed.id}`, { token: renamed.token, json })).status, 202);
    }
    going = false;
    await Promise.all(breaking);
    const broken = weathers.reduce((sum, weather) => sum + weather.upgradesBroken, 0);
    assert.ok(mode !== 'upgrade' || broken > 10, `${broken} upgrades were broken off`);
    for (const [n, one] of clients.entries()) {
      await caughtUp(one);
      const fresh = await snapshot(people[n]);
      assert.deepEqual(known(one.state()), fresh);
      const said = fresh.rooms.flatMap((room) => room.said);
      assert.equal(said.length, ROUNDS * BURST * clients.length, 'each message is there once');
      const names = await Promise.all(ids.map((id) => call('GET', `/user/${id}`, { token: people[0].token })));
      assert.deepEqual(fresh.rooms[0].members.map(({ name }) => name), names.map(({ body }) => body.name));
      one.socket.disconnect();
      weathers[n].end();
    }
  },

  async 'however much happens there is one sync at a time, and few of them'() {
    const { one, answers, happens } = inTheLab(plain);
    let [most, asked] = [0, 0];
    const begun = Date.now();
    while (Date.now() - begun < 1000) {
      for (let n = 0; n < 10; n += 1) happens('new_message', { chat: 1, version: asked });
      most = Math.max(most, answers.length);
      asked += answers.length;
      answers.splice(0).forEach((answer) => answer(null, page({})));
      await pause(10);
    }
    assert.equal(most, 1);
    assert.ok(asked >= 2 && asked <= 11, `${asked} of them`);
    await settled(one, answers);
  },

  async 'it goes on behind what it was told, through all of its chats'() {
    const { one, answers, happens } = inTheLab(plain, { named: 2 });
    const told = (...ids) => ids.map((id) => ({ id, version: 1, more: false, chat: { id, members_array: [] }, messages: [] }));
    const asked = [];
    const answer = async (...pages) => {
      for (const told of pages) {
        await until(() => answers.length > 0, 'a sync');
        const { chats, chats_after, chats_until } = answers[0].payload;
        asked.push([chats_after, Object.keys(chats).map(Number), chats_until]);
        answers.shift()(null, page(told));
      }
    };
    happens('ready', {});
    await answer({ chats: told(2, 4), more: true }, { more: true }, { chats: told(6, 9, 11) });
    await settled(one, answers);
    assert.deepEqual(asked.splice(0), [[0, [], undefined], [4, [], undefined], [4, [], undefined]]);
    happens('ready', {});
    await answer({ chats: told(3), more: true }, {}, {}, { gone: [11] });
    await settled(one, answers);
    assert.deepEqual(asked.splice(0), [[0, [2, 4], 4], [3, [4, 6], 6], [6, [9, 11], 11], [11, [], undefined]]);
    happens('ready', {});
    await answer({ reset: true, chats: told(1), more: true }, {}, {});
    await settled(one, answers);
    assert.deepEqual(asked, [[0, [2, 3], 3], [1, [], undefined], [0, [1], undefined]], 'all that it knew is forgotten');
  },

  async 'over a link where an answer takes longer than it waits at first, it comes to know everything'() {
    const [ada, bob] = [await newcomer('Ada'), await newcomer('Bob')];
    const adas = await start(ada);
    const { chat } = await adas.toggle('create_chat', { chat: { name: 'Tea', is_group: true, members_array: [bob.id] } });
    for (let n = 0; n < 8; n += 1) await adas.send(chat.id, 'x'.repeat(40_000));
    const weather = await Weather.begin();
    weather.rate = 400_000;
    const bobs = await start(bob, both.plain, { url: weather.url, wait: '200', limit: '8' });
    assert.deepEqual(known(bobs.state()), await snapshot(bob));
    assert.equal(Object.keys(bobs.state().chats[chat.id].messages).length, 8);
    for (const { socket } of [adas, bobs]) socket.disconnect();
    weather.end();
  },

  async 'what a user writes stays in order, whatever breaks and is refused'() {
    const [ada, weather] = [await newcomer('Ada'), await Weather.begin()];
    const adas = await start(ada, both.plain, { url: weather.url });
    const { chat } = await adas.toggle('create_chat', { chat: { name: 'Diary', is_group: true, members_array: [] } });
    await caughtUp(adas);
    const written = [];
    const write = (content) => written.push(content) && adas.send(chat.id, content);
    for (let n = 0; n < 3; n += 1) {
      const first = write(`first ${n}`);
      weather.breakOff();
      await pause(200);
      const [, { message }] = await within(Promise.all([first, write(`second ${n}`)]), 'both of them');
      assert.deepEqual(adas.state().chats[chat.id]?.messages[message.id]?.content, message.content, 'it is there when it is acknowledged');
    }
    // More than a user may send at once, and one that is refused.
    const lines = Array.from({ length: 60 }, (_, n) => write(`line ${n}`));
    const refused = assert.rejects(adas.send(chat.id, ''), { status: 422 });
    lines.push(...Array.from({ length: 60 }, (_, n) => write(`line ${60 + n}`)));
    await within(Promise.all([refused, ...lines]), 'every line');
    await caughtUp(adas);
    const messages = Object.values(adas.state().chats[chat.id].messages).sort((a, b) => a.seq - b.seq);
    assert.deepEqual(messages.map(({ content }) => content), written);
    adas.socket.disconnect();
    weather.end();
  },

  async 'the example of the page makes a group and says hello'() {
    const [ada, bob] = [await newcomer('Ada'), await newcomer('Bob')];
    const { socket, send, toggle, state, ...adas } = await start(ada);
    const { constructor: AsyncFunction } = async () => {};
    await within(new AsyncFunction('send', 'toggle', 'trouble', 'bob', example)(send, toggle, unexpected, bob), 'the example');
    await caughtUp({ socket, ...adas });
    const { rooms: [tea, ...others] } = known(state());
    assert.deepEqual([tea.name, tea.members.map(({ id }) => id), tea.said.map(({ content }) => content)], ['Tea', [ada.id, bob.id], ['Hello!']]);
    assert.deepEqual(others, []);
    socket.disconnect();
  },

  async 'when its user asks too often it asks less often, and then as often as before'() {
    const { one, answers, happens } = inTheLab(plain);
    const answer = async (told) => {
      await until(() => answers.length > 0, 'a sync');
      answers.shift()(null, told);
    };
    /** How long it rests after an answer. */
    const rest = async () => {
      happens('ready', {});
      await answer(page({}));
      const begun = Date.now();
      await until(() => answers.length > 0, 'another sync');
      return Date.now() - begun;
    };
    happens('ready', {});
    for (let n = 0; n < 3; n += 1) await answer({ ok: false, error: { status: 429, retry_after_ms: 1 } });
    const long = await rest();
    for (let n = 0; n < 60; n += 1) await answer(page({ more: true }));
    const short = await rest();
    assert.ok(long > 700 && short < 600, `${long} and ${short} milliseconds`);
    await settled(one, answers);
  },

  async 'the page is told of every change'() {
    const { one, answers, happens } = inTheLab(both.direct);
    const ann = { id: 7, name: 'Ann', photo: null, version: 1 };
    const chat = { id: 1, members_array: [ann] };
    happens('ready', {});
    answers.shift()(null, page({ chats: [{ id: 1, version: 1, more: false, chat, messages: [] }], users: [ann] }));
    await settled(one, answers);
    const news = [
      ['new_message', { chat: 1, id: 5, seq: 1, user_id: 7, content: 'x', version: 2 }],
      ['message_liked', { message_id: 5, chat: 1, user_id: 7, liked: true, likes: 1, version: 3 }],
      ['chat_pinned', { chat: 1 }],
      ['chat_unpinned', { chat: 1 }],
      ['user_changed', { ...ann, name: 'Anna', version: 2 }],
    ];
    for (const [event, payload] of news) {
      const before = one.shown;
      assert.equal(before, JSON.stringify(one.state()));
      happens(event, payload);
      assert.notEqual(one.shown, before, event);
      assert.equal(one.shown, JSON.stringify(one.state()), event);
    }
    assert.equal(answers.length, 0);
  },

  async 'what waiting does not mend is told, and what it does is tried again'() {
    const troubles = [];
    const { one, answers, happens } = inTheLab(plain, { trouble: (error) => troubles.push(error.status) });
    happens('ready', {});
    const refuse = async (...reply) => {
      answers.shift()(...reply);
      await pause(10);
    };
    for (const reply of [[new Error('time-out')], [null, { ok: false, error: { status: 503, retry_after_ms: 1 } }]]) {
      await refuse(...reply);
      await until(() => answers.length > 0, 'another try');
    }
    assert.deepEqual([troubles, one.busy()], [[], true]);
    await refuse(null, { ok: false, error: { status: 422 } });
    assert.deepEqual(troubles, [422]);
    await settled(one, answers);
    const sent = assert.rejects(one.send(1, 'x', 'x'), { status: 404 });
    await until(() => answers.length > 0, 'a message');
    await refuse(null, { ok: false, error: { status: 404 } });
    await sent;
    await settled(one, answers);
  },

  async 'a pin that is told while an answer is under way is kept'() {
    const { one, answers, happens } = inTheLab(both.direct);
    const answer = async (pinned) => {
      await until(() => answers.length > 0, 'a sync');
      answers.shift()(null, page({ pinned }));
      await pause(10);
    };
    happens('ready', {});
    await answer([3]);
    await settled(one, answers);
    happens('ready', {});
    happens('chat_pinned', { chat: 2 });
    happens('chat_unpinned', { chat: 3 });
    // It was read before.
    await answer([3]);
    assert.ok(one.busy(), 'it asks again');
    await answer([2]);
    await settled(one, answers);
    assert.deepEqual(one.state().pinned, [2]);
  },

  async 'a client that applies events needs no sync for what others do'() {
    const [ada, bob] = [await newcomer('Ada'), await newcomer('Bob')];
    const [adas, bobs] = [await start(ada, both.plain), await start(bob, both.direct)];
    const { chat } = await adas.toggle('create_chat', { chat: { name: 'Tea', is_group: true, members_array: [bob.id] } });
    await caughtUp(adas);
    await caughtUp(bobs);
    let synced = 0;
    bobs.socket.onAnyOutgoing((event) => (synced += event === 'sync' ? 1 : 0));
    const sent = await Promise.all(Array.from({ length: 70 }, (_, n) => adas.send(chat.id, `${n}`)));
    for (const { message } of sent.slice(0, 20)) await adas.toggle('toggle_like_message', { message: { id: message.id } });
    await until(() => bobs.state().chats[chat.id].version === 1 + 70 + 20, 'every change');
    const name = 'Adelaide';
    await call('PATCH', `/user/${ada.id}`, { token: ada.token, json: { name } });
    await until(() => bobs.state().users[ada.id].name === name, 'another name');
    assert.equal(synced, 0);
    assert.deepEqual(known(bobs.state()), await snapshot(bob));
    await caughtUp(adas);
    assert.deepEqual(known(adas.state()), await snapshot(ada));
    for (const { socket } of [adas, bobs]) socket.disconnect();
  },
});
