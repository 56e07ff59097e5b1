"""What happens when an access token expires, on a server whose access tokens are good for two seconds.

Usage: python expiry_test.py <base url> polling|websocket|upgrade
"""

from datetime import datetime, timezone

import socketio
from harness import URL, Device, newcomer, run

HUNG_UP = socketio.AsyncClient.reason.SERVER_DISCONNECT


async def a_socket_ends_with_its_token_unless_it_has_got_a_fresh_one(http):
    ada = await newcomer(http, "Ada")
    renewed, left = [await Device().connect(auth={"token": ada["token"]}) for _ in range(2)]
    async with http.post(f"{URL}/auth/refresh", json={"refresh_token": ada["refresh"]}) as reply:
        fresh = (await reply.json())["access_token"]
    ack = await renewed.ask("authenticate", {"token": fresh})
    assert await left.end() == HUNG_UP
    assert await left.take("hanging_up") == {"reason": "token_expired"}
    reason = await Device().refused(auth={"token": ada["token"]})
    assert "expired" in reason, reason
    assert await renewed.end() == HUNG_UP
    expires_at = datetime.fromisoformat(ack["expires_at"].replace("Z", "+00:00"))
    assert datetime.now(timezone.utc) >= expires_at, "the renewed socket ended before its fresh token did"


run(a_socket_ends_with_its_token_unless_it_has_got_a_fresh_one)
