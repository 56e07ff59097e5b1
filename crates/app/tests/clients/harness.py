"""What the scenarios of python-socketio share: sign-up, and clients that keep what they get."""

import asyncio
import os
import sys

import aiohttp
import socketio

URL, MODE = sys.argv[1], sys.argv[2]
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}
PASSWORD = "päss wörd of eight"
DEADLINE_SECONDS = 30
people = 0
background = set()


def in_background(work):
    """Begins something that nobody needs the end of."""
    task = asyncio.ensure_future(work)
    background.add(task)
    # An exception that nobody asks for is printed at the end.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


class Device:
    """A connected client that keeps every event until somebody asks for it."""

    def __init__(self, mode=MODE, **options):
        self.mode = mode
        self.client = socketio.AsyncClient(**{"reconnection": False, **options})
        self.events = asyncio.Queue()
        self.ended = asyncio.get_running_loop().create_future()
        self.client.on("*", self._keep)
        self.client.on("disconnect", self._end)
        self.client.on("connect_error", self._refuse)
        self.refusal = asyncio.get_running_loop().create_future()

    async def _keep(self, name, payload):
        await self.events.put((name, payload))

    async def _refuse(self, problem):
        # A server that is away is told of in a text, and again at every try.
        if isinstance(problem, dict):
            self.refusal.set_result(problem["message"])

    async def _end(self, reason):
        self.ended.set_result(reason)

    async def connect(self, auth=None, headers=None):
        await self.client.connect(
            URL, socketio_path="/ws/socket.io/", transports=TRANSPORTS[self.mode], auth=auth, headers=headers or {}
        )
        expected = "polling" if self.mode == "polling" else "websocket"
        assert self.client.transport() == expected, self.client.transport()
        self.ready = await self.take("ready")
        return self

    async def refused(self, **place):
        """Tries to connect, which has to be refused, and gives the reason."""
        attempt = in_background(self.connect(**place))
        await asyncio.wait({attempt, self.refusal}, timeout=DEADLINE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert self.refusal.done(), "the connection was not refused"
        return self.refusal.result()

    def leave(self):
        """Disconnects. python-engineio ends when its long poll does, which may take until the next ping of the server."""
        in_background(self.client.disconnect())

    async def end(self):
        """Waits until the connection is gone, and gives the reason."""
        return await asyncio.wait_for(self.ended, DEADLINE_SECONDS)

    async def ask(self, name, payload):
        return await self.client.call(name, payload, timeout=DEADLINE_SECONDS)

    async def next_event(self):
        return await asyncio.wait_for(self.events.get(), DEADLINE_SECONDS)

    async def take(self, name):
        got, payload = await self.next_event()
        assert got == name, f"{got} came instead of {name}"
        return payload

    async def expect_nothing_more(self):
        ack = await self.ask("create_chat", {"chat": {"name": "fence", "is_group": True, "members_array": []}})
        while True:
            # The other devices of the same user get the fence too, and pass over it.
            name, payload = await asyncio.wait_for(self.events.get(), DEADLINE_SECONDS)
            assert name == "chat_created" and payload["name"] == "fence", (name, payload)
            if payload["chat"] == ack["chat"]["id"]:
                break
        assert self.events.empty()


async def newcomer(http, name):
    global people
    people += 1
    phone = f"+316{os.getpid() % 1_000_000:06d}{people:02d}"
    async with http.post(f"{URL}/user/create", json={"phone": phone, "password": PASSWORD, "name": name}) as reply:
        assert reply.status == 201, await reply.text()
        user = await reply.json()
    async with http.post(f"{URL}/user/login", data={"username": phone, "password": PASSWORD}) as reply:
        assert reply.status == 200, await reply.text()
        grant = await reply.json()
    return {"id": user["id"], "token": grant["access_token"], "refresh": grant["refresh_token"]}


def run(*scenarios):
    """Runs the scenarios one after the other; the first that fails ends the process."""

    async def main():
        async with aiohttp.ClientSession() as http:
            for scenario in scenarios:
                await scenario(http)
                print(f"ok   {scenario.__name__}", flush=True)

    asyncio.run(main())
