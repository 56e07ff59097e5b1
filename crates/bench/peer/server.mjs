// The server that people would write today: socket.io and pg on Node.js, one process. It does the same work as Mango in the same
// order: a message is in PostgreSQL before anybody hears of it and before it is acknowledged. It is what a careful engineer would put into production: prepared
// statements, a pool, rooms instead of queries, hashing and pictures off the event loop.
import { createServer } from 'node:http';
import { mkdir, writeFile } from 'node:fs/promises';
import { randomBytes, createHash } from 'node:crypto';
import { join } from 'node:path';

import { Server } from 'socket.io';
import pg from 'pg';
import jwt from 'jsonwebtoken';
import sharp from 'sharp';
import { Algorithm, hash, verify } from '@node-rs/argon2';

const secret = randomBytes(32);
const media = process.env.MEDIA_DIR;
const argon2 = { algorithm: Algorithm.Argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
pg.types.setTypeParser(20, Number);

await pool.query(`
  CREATE TABLE IF NOT EXISTS secret (one boolean PRIMARY KEY DEFAULT true, value bytea NOT NULL);
  CREATE TABLE IF NOT EXISTS users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, phone text NOT NULL UNIQUE,
    password_hash text NOT NULL, name text, photo text, description text, created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS sessions (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL REFERENCES users,
    refresh_token bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS chats (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, is_group boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS members (chat_id bigint NOT NULL REFERENCES chats, user_id bigint NOT NULL REFERENCES users,
    PRIMARY KEY (chat_id, user_id));
  CREATE INDEX IF NOT EXISTS members_user ON members (user_id);
  CREATE TABLE IF NOT EXISTS messages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, chat_id bigint NOT NULL REFERENCES chats,
    user_id bigint NOT NULL REFERENCES users, message_type text NOT NULL, content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX IF NOT EXISTS messages_chat ON messages (chat_id, id DESC);
  CREATE TABLE IF NOT EXISTS likes (message_id bigint NOT NULL REFERENCES messages, user_id bigint NOT NULL REFERENCES users,
    PRIMARY KEY (message_id, user_id));
`);
// The key outlives a restart, as any deployment's does.
await pool.query('INSERT INTO secret (value) VALUES ($1) ON CONFLICT DO NOTHING', [secret]);
const key = (await pool.query('SELECT value FROM secret')).rows[0].value;
await mkdir(media, { recursive: true });

// A named statement is prepared once on each connection.
const ask = async (name, text, values) => (await pool.query({ name, text, values })).rows;

const authenticate = (token) => Number(jwt.verify(token, key, { algorithms: ['HS256'] }).sub);

class Refusal extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function savePhoto(photo) {
  const name = randomBytes(16).toString('hex');
  const folder = join(media, name);
  const image = sharp(Buffer.from(photo.replace(/^data:[^,]*,/, ''), 'base64')).rotate();
  const square = (side) => image.clone().resize(side, side, { fit: 'cover' }).webp({ quality: 80 }).toBuffer();
  const inside = { width: 2048, height: 2048, fit: 'inside', withoutEnlargement: true };
  const [original, ...squares] = await Promise.all([
    image.clone().resize(inside).jpeg({ quality: 85 }).toBuffer(), square(400), square(100), square(50),
  ]);
  await mkdir(folder);
  const names = ['original.jpeg', '400x400.webp', '100x100.webp', '50x50.webp'];
  await Promise.all([original, ...squares].map((bytes, place) => writeFile(join(folder, names[place]), bytes)));
  return name;
}

async function signUp({ phone, password, name = null, photo }) {
  const [password_hash, saved] = await Promise.all([hash(password, argon2), photo ? savePhoto(photo) : null]);
  const [user] = await ask('sign_up', `INSERT INTO users (phone, password_hash, name, photo) VALUES ($1, $2, $3, $4)
    ON CONFLICT (phone) DO NOTHING RETURNING id, phone, name, photo, created_at`, [phone, password_hash, name, saved]);
  if (!user) throw new Refusal(409, 'the phone is taken');
  return user;
}

async function logIn({ username, password }) {
  const [user] = await ask('credentials', 'SELECT id, password_hash FROM users WHERE phone = $1', [username]);
  if (!user || !(await verify(user.password_hash, password))) throw new Refusal(401, 'wrong phone or password');
  const refresh_token = randomBytes(32).toString('base64url');
  const hashed = createHash('sha256').update(refresh_token).digest();
  const [{ id }] = await ask('session', 'INSERT INTO sessions (user_id, refresh_token) VALUES ($1, $2) RETURNING id', [user.id, hashed]);
  const access_token = jwt.sign({ sid: id }, key, { algorithm: 'HS256', subject: String(user.id), expiresIn: '30d' });
  return { access_token, token_type: 'bearer', expires_in: 2_592_000, refresh_token };
}

async function history(user, chat, limit) {
  const rows = await ask('history', `
    SELECT m.id, m.chat_id, m.user_id, m.message_type, m.content, m.created_at,
      COALESCE((SELECT json_agg(json_build_object('id', u.id, 'name', u.name, 'photo', u.photo) ORDER BY u.id)
        FROM likes l JOIN users u ON u.id = l.user_id WHERE l.message_id = m.id), '[]') AS likes_array
    FROM messages m WHERE m.chat_id = $1 AND EXISTS (SELECT 1 FROM members WHERE chat_id = $1 AND user_id = $2)
    ORDER BY m.id DESC LIMIT $3`, [chat, user, limit]);
  if (rows.length === 0) throw new Refusal(404, 'no such chat');
  return rows;
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

async function route(request) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname === '/readyz') return [200, {}];
  if (request.method === 'POST' && pathname === '/user/create') return [201, await signUp(await body(request))];
  if (request.method === 'POST' && pathname === '/auth/login') return [200, await logIn(await body(request))];
  const chat = pathname.match(/^\/message\/(\d+)$/)?.[1];
  if (!chat) throw new Refusal(404, 'not found');
  const user = authenticate((request.headers.authorization ?? '').replace('Bearer ', ''));
  return [200, await history(user, chat, Math.min(Number(searchParams.get('limit') ?? 50), 200))];
}

const server = createServer(async (request, response) => {
  let [status, reply] = [500, {}];
  try {
    [status, reply] = await route(request);
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error);
    [status, reply] = [error.status ?? 500, { status: error.status ?? 500, detail: error.message }];
  }
  const text = JSON.stringify(reply);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
});

const io = new Server(server, { path: '/ws/socket.io/', perMessageDeflate: false, serveClient: false });

io.use(async (socket, next) => {
  try {
    socket.data.user = authenticate(socket.handshake.auth.token);
    const chats = await ask('chats', 'SELECT chat_id FROM members WHERE user_id = $1', [socket.data.user]);
    socket.join([`user ${socket.data.user}`, ...chats.map(({ chat_id }) => `chat ${chat_id}`)]);
    next();
  } catch (error) {
    next(error);
  }
});

const answering = (work) => async (payload, ack) => {
  try {
    ack?.({ ok: true, ...(await work(payload)) });
  } catch (error) {
    ack?.({ ok: false, error: { status: error.status ?? 500, detail: error.message } });
  }
};

io.on('connection', (socket) => {
  const { user } = socket.data;
  socket.on('send_message', answering(async ({ message: { chat_id, content, message_type } }) => {
    // Whoever is in the room is a member: no query is needed.
    const room = `chat ${chat_id}`;
    if (!socket.rooms.has(room)) throw new Refusal(404, 'no such chat');
    const [{ id, created_at }] = await ask('send', `INSERT INTO messages (chat_id, user_id, message_type, content)
      VALUES ($1, $2, $3, $4) RETURNING id, created_at`, [chat_id, user, message_type, content]);
    socket.to(room).emit('new_message', { chat: chat_id, content, message_type, id, user_id: user, created_at });
    return { message: { id, chat_id, user_id: user, message_type, content, likes_array: [], created_at } };
  }));
  socket.on('create_chat', answering(async ({ chat: { name, is_group, members_array } }) => {
    const members = [...new Set([user, ...members_array])];
    const [{ id }] = await ask('create', `WITH made AS (INSERT INTO chats (name, is_group) VALUES ($1, $2) RETURNING id),
      joined AS (INSERT INTO members SELECT made.id, unnest($3::bigint[]) FROM made) SELECT id FROM made`, [name, is_group, members]);
    const rooms = members.map((member) => `user ${member}`);
    io.in(rooms).socketsJoin(`chat ${id}`);
    io.to(`chat ${id}`).emit('chat_created', { chat: id, name, is_group, members_array: members });
    return { chat: { id, name, is_group } };
  }));
});

server.listen(Number(process.env.PORT), '127.0.0.1', 1024);
process.on('SIGTERM', () => process.exit());
