// A network that breaks: connections go through it to the server, and it breaks them off as networks do, without a word.
import net from 'node:net';
import { url } from './harness.mjs';

const random = (below) => Math.floor(Math.random() * below);

/** A way to the server of one client's own. */
export class Weather {
  /** How many connections it broke in the middle of an upgrade to WebSocket. */
  upgradesBroken = 0;
  /** Whether it breaks upgrades, every other of them. */
  isStormy = false;
  /** How many bytes a second come through from the server. */
  rate = Infinity;
  #open = new Set();

  /** Listens on a port of its own. */
  static async begin() {
    const weather = new Weather();
    const { hostname, port } = new URL(url);
    const server = net.createServer((near) => weather.#pass(near, net.connect(port, hostname)));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    weather.url = `http://127.0.0.1:${server.address().port}`;
    weather.end = () => (weather.breakOff(), server.close());
    return weather;
  }

  /** Breaks all connections off. */
  breakOff() {
    this.#open.forEach((end) => end());
  }

  #pass(near, far) {
    const end = () => {
      this.#open.delete(end);
      near.destroy();
      far.destroy();
    };
    this.#open.add(end);
    for (const side of [near, far]) side.setNoDelay().on('error', end).on('close', end);
    // A probe is an upgrade with a `sid`: then come the probe of the client and its answer, and then the word that polling is over.
    let parts = Infinity;
    near.on('data', (data) => {
      if (/^GET [^ ]*transport=websocket[^ ]*sid=/.test(data.toString('latin1')) && this.isStormy && random(2)) parts = 2 + random(4);
    });
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', (data) => {
        parts -= 1;
        if (parts <= 0) {
          this.upgradesBroken += 1;
          return void end();
        }
        to.write(data);
        if (from === near || this.rate === Infinity) return;
        from.pause();
        setTimeout(() => from.resume(), (1000 * data.length) / this.rate);
      });
    }
  }
}
