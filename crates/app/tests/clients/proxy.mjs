// What a proxy in front of Mango has to do, as its clients notice it. Its second argument is where the proxy is reached in the clear.
import assert from 'node:assert/strict';
import https from 'node:https';
import { call, main, mode as clear, newcomer, url } from './harness.mjs';

/** Asks from another address than the other cases do. */
function askFromElsewhere(method, route, { headers, form }) {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers }, localAddress: '127.0.0.2', family: 4 };
    if (form) options.headers['content-type'] = 'application/x-www-form-urlencoded';
    const request = https.request(url + route, options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(body) }));
    });
    request.on('error', reject).end(form && String(new URLSearchParams(form)));
  });
}

await main({
  async 'nothing is served in the clear'() {
    const answer = await fetch(`${clear}/user/me?a=1`, { redirect: 'manual' });
    assert.equal(answer.status, 301);
    assert.match(answer.headers.get('location'), /^https:\/\/localhost\/user\/me\?a=1$/);
  },

  async 'browsers are told to come over TLS, by every answer'() {
    for (const route of ['/healthz', '/user/me', '/no-such-path']) {
      const { headers } = await call('GET', route);
      assert.equal(headers.get('strict-transport-security'), 'max-age=63072000', route);
      assert.equal(headers.get('x-content-type-options'), 'nosniff', route);
    }
  },

  async 'the refresh cookie is for TLS alone'() {
    const { phone, password } = await newcomer('Ada');
    const login = await call('POST', '/auth/login', { form: { username: phone, password } });
    assert.match(login.headers.get('set-cookie'), /; Secure/);
  },

  async 'a large photo gets through, and too large a body is refused'() {
    const { status } = await call('POST', '/user/create', { json: { photo: 'A'.repeat(15 << 20) } });
    assert.equal(status, 422);
    const large = await fetch(`${url}/user/create`, { method: 'POST', body: 'A'.repeat(18 << 20) }).catch(() => ({ status: 413 }));
    assert.equal(large.status, 413);
  },

  async 'metrics are for those who watch the server, however they are spelled'() {
    for (const route of ['/metrics', '/metrics/', '/metrics//']) {
      assert.equal((await fetch(url + route)).status, 403, route);
    }
  },

  async 'the address of the client is seen, whatever it says of itself'() {
    const { phone, password } = await newcomer('Ada');
    const forged = { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.8' };
    const login = await askFromElsewhere('POST', '/auth/login', { headers: forged, form: { username: phone, password } });
    const headers = { ...forged, authorization: `Bearer ${login.body.access_token}` };
    const { body } = await askFromElsewhere('GET', '/auth/sessions', { headers });
    const current = body.find((session) => session.current);
    assert.equal(current.address, '127.0.0.2', JSON.stringify(body));
  },
});
