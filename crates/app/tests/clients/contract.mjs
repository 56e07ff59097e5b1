// The contract as socket.io-client sees it: every event, two users, two devices, a stranger, and malformed input.
import assert from 'node:assert/strict';
import { call, connect, dial, main, newcomer, places, Recorder, refusal, within } from './harness.mjs';

const keys = (object) => Object.keys(object).sort();
const group = (name, ...members) => ({ chat: { name, is_group: true, members_array: members.map((user) => user.id) } });
const text = (chat, content) => ({ message: { chat_id: chat, content, message_type: 'text' } });

/** Ada with two devices, Bob with one, and Eve, who is in nothing. */
async function company() {
  const [ada, bob, eve] = [await newcomer('Ada'), await newcomer('Bob'), await newcomer('Eve')];
  const [desk, phone, bobs, eves] = await Promise.all([ada, ada, bob, eve].map((user) => connect(user.token)));
  return { ada, bob, eve, desk, phone, bobs, eves };
}

/** The same with a group of Ada and Bob, of which everybody has been told. */
async function inGroup() {
  const all = await company();
  const { chat } = await all.desk.ask('create_chat', group('Tea', all.bob));
  for (const socket of [all.desk, all.phone, all.bobs]) await socket.take('chat_created');
  return { ...all, chat: chat.id };
}

await main({
  async 'a token is taken from each of its three places'() {
    const user = await newcomer('Ada');
    for (const place of Object.keys(places)) (await connect(user.token, place)).close();
  },

  async 'a connection without a valid token is refused with a reason'() {
    const { token } = await newcomer('Ada');
    assert.match(await refusal({}), /token/);
    assert.match(await refusal({ query: { token, auth: token } }), /token/);
    for (const place of Object.values(places)) {
      assert.match(await refusal(place('not.a.token')), /not valid/);
      assert.match(await refusal(place(`${token.slice(0, -2)}xx`)), /not valid/);
    }
  },

  async 'a new chat is told to every device of every member and to nobody else'() {
    const { ada, bob, desk, phone, bobs, eves } = await company();
    const ack = await desk.ask('create_chat', group('Tea', bob, bob, ada));
    assert.equal(ack.ok, true);
    assert.deepEqual(keys(ack.chat), ['created_at', 'id', 'is_group', 'last_message', 'members_array', 'name', 'pinned',
      'version']);
    assert.deepEqual(ack.chat.members_array.map((member) => member.id), [ada.id, bob.id]);
    assert.deepEqual(keys(ack.chat.members_array[0]), ['id', 'name', 'online', 'photo', 'version']);
    const told = { chat: ack.chat.id, name: 'Tea', is_group: true, members_array: [ada.id, bob.id], version: 1 };
    for (const socket of [desk, phone, bobs]) assert.deepEqual(await socket.take('chat_created'), told);
    for (const socket of [desk, phone, bobs, eves]) await socket.expectNothingMore();
    assert.deepEqual((await call('GET', `/chat/${told.chat}`, { token: bob.token })).body.name, 'Tea');
  },

  async 'a pair has one direct chat, whoever asks'() {
    const { ada, bob, desk, bobs } = await company();
    const direct = (other) => ({ chat: { name: '', is_group: false, members_array: [other.id] } });
    const first = await desk.ask('create_chat', direct(bob));
    const again = await bobs.ask('create_chat', direct(ada));
    assert.equal(first.chat.id, again.chat.id);
    for (const members of [[], [ada.id], [ada.id, bob.id, 1e15]]) {
      const { ok, error } = await desk.ask('create_chat', { chat: { name: 'x', is_group: false, members_array: members } });
      assert.deepEqual([ok, error.status, error.errors[0].field], [false, 422, 'chat.members_array']);
    }
  },

  async 'a message reaches every other device of every member, once'() {
    const { ada, chat, desk, phone, bobs, eves } = await inGroup();
    const content = 'Hellö 👋🏽 "quoted" <b>\u202eright to left\u202c\n';
    const { ok, message } = await desk.ask('send_message', text(chat, content));
    assert.equal(ok, true);
    const shape = ['chat_id', 'content', 'created_at', 'id', 'likes_array', 'message_type', 'seq', 'user_id', 'version'];
    assert.deepEqual(keys(message), shape);
    assert.match(message.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    const { id, seq, created_at } = message;
    assert.equal(seq, 1);
    const told = { chat, content, message_type: 'text', id, seq, user_id: ada.id, created_at, version: 2 };
    for (const socket of [phone, bobs]) assert.deepEqual(await socket.take('new_message'), told);
    for (const socket of [desk, phone, bobs, eves]) await socket.expectNothingMore();
    const history = await call('GET', `/message/${chat}`, { token: ada.token });
    assert.deepEqual(history.body, [message]);
  },

  async 'messages sent without waiting keep their order'() {
    const { chat, desk, bobs } = await inGroup();
    const acks = await Promise.all(Array.from({ length: 50 }, (_, n) => desk.ask('send_message', text(chat, `${n}`))));
    assert.deepEqual(acks.map((ack) => ack.message.seq), acks.map((_, n) => n + 1));
    for (let n = 0; n < 50; n += 1) assert.equal((await bobs.take('new_message')).content, `${n}`);
  },

  async 'a message that is sent again is the same message'() {
    const { ada, chat, desk, phone, bobs } = await inGroup();
    const named = (content) => ({ message: { chat_id: chat, content, message_type: 'text', client_id: 'c-1' } });
    const first = await desk.ask('send_message', named('once'));
    assert.equal(first.duplicate, false);
    const acks = await Promise.all([desk, phone, desk].map((device) => device.ask('send_message', named('once'))));
    for (const ack of acks) assert.deepEqual(ack, { ...first, duplicate: true });
    assert.equal((await desk.ask('send_message', named('twice'))).error.errors[0].field, 'message.client_id');
    assert.equal((await phone.take('new_message')).client_id, 'c-1');
    assert.equal('client_id' in (await bobs.take('new_message')), false);
    for (const socket of [desk, phone, bobs]) await socket.expectNothingMore();
    assert.deepEqual((await call('GET', `/message/${chat}`, { token: ada.token })).body, [first.message]);
  },

  async 'all 25 types are taken, and content that does not fit its type is not'() {
    const { ada, chat, desk } = await inGroup();
    const textual = ['text', 'html', 'xml', 'csv', 'rtf', 'yaml', 'javascript', 'css', 'svg', 'markdown'];
    const binary = ['binary', 'image', 'pdf', 'excel', 'word', 'zip', 'gzip', 'tar', 'audio', 'video', 'protobuf',
      'avro', 'parquet', 'orc'];
    const send = (message_type, content) => desk.ask('send_message', { message: { chat_id: chat, content, message_type } });
    for (const type of textual) assert.equal((await send(type, '<x>')).ok, true, type);
    for (const type of binary) {
      assert.equal((await send(type, 'AAEC/w==')).ok, true, type);
      assert.equal((await send(type, 'not base64!')).error.errors[0].field, 'message.content', type);
    }
    assert.equal((await send('json', '{"a": [1]}')).ok, true);
    assert.equal((await send('json', '{"a": ')).error.status, 422);
    assert.equal((await send('hologram', 'x')).error.errors[0].field, 'message.message_type');
    assert.equal((await send('text', '')).error.status, 422);
    assert.equal((await send('text', 'x'.repeat(65536))).ok, true);
    assert.equal((await send('text', 'x'.repeat(65537))).error.status, 422);
    assert.equal((await call('GET', `/message/${chat}?limit=200`, { token: ada.token })).body.length, 26);
  },

  async 'a like is given and taken back'() {
    const { ada, bob, chat, desk, phone, bobs, eves } = await inGroup();
    const { message } = await desk.ask('send_message', text(chat, 'like me'));
    const like = { message: { id: message.id } };
    for (const socket of [phone, bobs]) await socket.take('new_message');
    const given = { message_id: message.id, liked: true, likes: 1, version: 3 };
    assert.deepEqual(await bobs.ask('toggle_like_message', like), { ok: true, ...given });
    const liked = { ...given, chat, user_id: bob.id };
    for (const socket of [desk, phone]) assert.deepEqual(await socket.take('message_liked'), liked);
    const [seen] = (await call('GET', `/message/${chat}`, { token: ada.token })).body;
    assert.deepEqual(seen.likes_array, [{ id: bob.id, name: 'Bob', photo: null, version: 0 }]);
    const takenBack = { ok: true, message_id: message.id, liked: false, likes: 0, version: 4 };
    assert.deepEqual(await bobs.ask('toggle_like_message', like), takenBack);
    for (const socket of [desk, phone]) assert.equal((await socket.take('message_liked')).liked, false);
    for (const socket of [desk, phone, bobs, eves]) await socket.expectNothingMore();
  },

  async 'a pin is told to the devices of the one who pins'() {
    const { ada, chat, desk, phone, bobs, eves } = await inGroup();
    const toggle = (device) => device.ask('toggle_chat_pin', { chat: { id: chat } });
    assert.deepEqual(await toggle(desk), { ok: true, chat, pinned: true, version: 1 });
    for (const socket of [desk, phone]) assert.deepEqual(await socket.take('chat_pinned'), { chat, version: 1 });
    assert.deepEqual((await call('GET', '/chat/pinned', { token: ada.token })).body.map((one) => one.id), [chat]);
    assert.deepEqual(await toggle(phone), { ok: true, chat, pinned: false, version: 1 });
    for (const socket of [desk, phone]) assert.deepEqual(await socket.take('chat_unpinned'), { chat, version: 1 });
    for (const socket of [desk, phone, bobs, eves]) await socket.expectNothingMore();
  },

  async 'a stranger cannot tell a chat from none'() {
    const { chat, desk, eves } = await inGroup();
    const { message } = await desk.ask('send_message', text(chat, 'private'));
    const asks = (chatId, messageId) => [
      ['send_message', text(chatId, 'let me in')],
      ['toggle_like_message', { message: { id: messageId } }],
      ['toggle_chat_pin', { chat: { id: chatId } }],
    ];
    const unknown = asks(2 ** 50, 2 ** 50);
    for (const [index, [event, payload]] of asks(chat, message.id).entries()) {
      const answer = await eves.ask(event, payload);
      assert.deepEqual([answer.ok, answer.error.status], [false, 404]);
      assert.deepEqual(answer, await eves.ask(unknown[index][0], unknown[index][1]));
    }
  },

  async 'malformed events get an error and leave the socket open'() {
    const { desk } = await company();
    const events = ['create_chat', 'send_message', 'toggle_like_message', 'toggle_chat_pin', 'authenticate'];
    assert.equal((await desk.ask('sync', [])).error.status, 422);
    const odd = [null, true, 7, -1.5, 'text', '', [], {}, [{}], { chat: null, message: null }, { chat: 1, message: 1 },
      { chat: { id: 'x' }, message: { id: {} } }, { token: 5 }, { chat: [], message: [] }, Buffer.from([1, 2])];
    for (const event of events) {
      for (const payload of odd) {
        const { ok, error } = await desk.ask(event, payload);
        assert.equal(ok, false, `${event} ${JSON.stringify(payload)}`);
        assert.ok(error.status >= 400 && error.status < 500, `${event} ${JSON.stringify(payload)}: ${error.status}`);
        assert.deepEqual(keys(error).filter((key) => key !== 'errors'), ['detail', 'status', 'title', 'type']);
      }
      assert.equal((await desk.ask(event)).ok, false, `${event} without an argument`);
      assert.equal((await desk.ask(event, {}, {})).ok, false, `${event} with two arguments`);
      desk.socket.emit(event, 'no acknowledgement asked for');
    }
    assert.equal(desk.socket.connected, true);
    await desk.expectNothingMore();
  },

  async 'a client that emits as it connects loses nothing'() {
    const { ada, chat } = await inGroup();
    for (let round = 0; round < 20; round += 1) {
      const recorder = new Recorder(dial(places.payload(ada.token)));
      const early = recorder.ask('send_message', text(chat, `before ${round}`));
      const onConnect = new Promise((resolve) => {
        recorder.socket.on('connect', () => resolve(recorder.ask('send_message', text(chat, `at ${round}`))));
      });
      recorder.socket.connect();
      for (const ack of [await early, await within(onConnect, 'connect')]) assert.equal(ack.ok, true);
      recorder.close();
    }
    assert.equal((await call('GET', `/message/${chat}?limit=200`, { token: ada.token })).body.length, 40);
  },

  async 'a client that is connected misses nothing from then on'() {
    const { ada, bob, chat, desk } = await inGroup();
    for (let round = 0; round < 20; round += 1) {
      const bobs = await connect(bob.token);
      const { message } = await desk.ask('send_message', text(chat, `${round}`));
      assert.equal((await bobs.take('new_message')).id, message.id);
      bobs.close();
    }
    assert.ok(ada);
  },

  async 'a user is online while any of their sockets is'() {
    const [ada, bob] = [await newcomer('Ada'), await newcomer('Bob')];
    const look = async () => (await call('GET', `/user/${bob.id}`, { token: ada.token })).body;
    assert.deepEqual([(await look()).online, (await look()).last_seen_at], [false, null]);
    const [one, two] = [await connect(bob.token), await connect(bob.token)];
    assert.equal((await look()).online, true);
    one.close();
    assert.equal((await look()).online, true);
    two.close();
    const offline = async () => {
      while ((await look()).online) await new Promise((resolve) => setImmediate(resolve));
    };
    await within(offline(), 'going offline');
    assert.notEqual((await look()).last_seen_at, null);
    assert.equal('phone' in (await look()), false);
  },

  async 'authenticate takes a fresh token and refuses a bad one'() {
    const [ada, eve] = [await newcomer('Ada'), await newcomer('Eve')];
    const socket = await connect(ada.token);
    const fresh = await call('POST', '/auth/refresh', { json: { refresh_token: ada.refresh } });
    const ack = await socket.ask('authenticate', { token: fresh.body.access_token });
    assert.equal(ack.ok, true);
    assert.ok(Date.parse(ack.expires_at) > Date.now());
    assert.equal((await socket.ask('authenticate', { token: 'nonsense' })).error.status, 401);
    assert.equal((await socket.ask('authenticate', { token: eve.token })).ok, false);
    assert.equal(socket.socket.connected, true);
  },

  async 'logging out closes the sockets of the session and no others'() {
    const ada = await newcomer('Ada');
    const other = (await call('POST', '/auth/login', { json: { username: ada.phone, password: ada.password } })).body;
    const [leaving, staying] = [await connect(ada.token), await connect(other.access_token)];
    assert.equal((await call('POST', '/auth/logout', { token: ada.token })).status, 204);
    assert.equal(await within(leaving.left, 'the end of the socket'), 'io server disconnect');
    await staying.expectNothingMore();
    assert.match(await refusal(places.payload(ada.token)), /session has ended/);
  },
});
