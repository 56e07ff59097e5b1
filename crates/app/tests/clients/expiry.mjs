// What happens when an access token expires, on a server whose access tokens are good for two seconds.
import assert from 'node:assert/strict';
import { call, connect, main, newcomer, places, refusal, within } from './harness.mjs';

await main({
  async 'a socket ends with its token, unless it has got a fresh one'() {
    const ada = await newcomer('Ada');
    const [renewed, left] = [await connect(ada.token), await connect(ada.token)];
    const fresh = (await call('POST', '/auth/refresh', { json: { refresh_token: ada.refresh } })).body.access_token;
    const { expires_at: first } = await renewed.ask('authenticate', { token: fresh });
    assert.equal(await within(left.left, 'the end of the socket'), 'io server disconnect');
    assert.deepEqual(await left.take('hanging_up'), { reason: 'token_expired' });
    assert.match(await refusal(places.payload(ada.token)), /expired/);
    assert.equal(await within(renewed.left, 'the end of the renewed socket'), 'io server disconnect');
    assert.ok(Date.now() >= Date.parse(first), 'the renewed socket ended before its fresh token did');
  },
});
