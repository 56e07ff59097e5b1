"""A client that is left to itself gets over a server that is stopped and started again, on every transport.

Usage: python restart_test.py <base url> restart
"""

import socketio
from harness import TRANSPORTS, Device, newcomer, run


async def a_server_that_is_stopped_and_started_again(http):
    ada = await newcomer(http, "Ada")
    quick = {"reconnection": True, "reconnection_delay": 0.1, "reconnection_delay_max": 0.5}
    devices = [await Device(mode, **quick).connect(auth={"token": ada["token"]}) for mode in TRANSPORTS]
    print("restart", flush=True)
    for device in devices:
        reason = await device.end()
        assert reason == socketio.AsyncClient.reason.TRANSPORT_ERROR, (device.mode, reason)
        # It was told why, unless the connection broke before that.
        name, told = await device.next_event()
        if name == "hanging_up":
            assert told == {"reason": "shutting_down"}, told
            name, told = await device.next_event()
        assert name == "ready", (name, told)
        await device.expect_nothing_more()
        device.leave()


run(a_server_that_is_stopped_and_started_again)
