// Behind proxies that let the handshake of a WebSocket pass and then fail it, a client goes on polling.
import assert from 'node:assert/strict';
import net from 'node:net';
import { io, main, newcomer, url, within } from './harness.mjs';

/** A proxy that lets the agreement to an upgrade pass; `fail` gets both connections then. */
function proxy(fail) {
  const { hostname, port } = new URL(url);
  const server = net.createServer((near) => {
    const far = net.connect({ host: hostname, port });
    let upgraded = false;
    near.on('data', (bytes) => upgraded || far.write(bytes));
    far.on('data', (bytes) => {
      if (upgraded) return;
      near.write(bytes);
      if (!bytes.toString('latin1').startsWith('HTTP/1.1 101')) return;
      upgraded = true;
      fail(near, far);
    });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function stays(fail) {
  const [server, ada] = [await proxy(fail), await newcomer('Ada')];
  const socket = io(`http://127.0.0.1:${server.address().port}`, {
    path: '/ws/socket.io', auth: { token: ada.token }, forceNew: true,
  });
  let [connects, disconnects] = [0, 0];
  socket.on('connect', () => (connects += 1));
  socket.on('disconnect', () => (disconnects += 1));
  await within(new Promise((resolve) => socket.on('ready', resolve)), 'the connection');
  for (let n = 0; n < 30; n += 1) {
    const page = await within(socket.emitWithAck('sync', {}), 'an acknowledgement');
    assert.equal(page.ok, true);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual([connects, disconnects], [1, 0]);
  assert.equal(socket.io.engine.transport.name, 'polling');
  socket.disconnect();
  server.close();
}

await main({
  'a proxy that cuts WebSockets off': () => stays((near) => near.destroy()),
  'a proxy that swallows what comes over WebSockets': () => stays(() => {}),
});
