"""The contract as python-socketio sees it, with its asyncio client.

Usage: python contract_test.py <base url> polling|websocket|upgrade
"""

import asyncio

import socketio
from harness import DEADLINE_SECONDS, URL, Device, newcomer, run


async def a_token_is_taken_from_each_place(http):
    ada = await newcomer(http, "Ada")
    token = ada["token"]
    for place in ({"auth": {"token": token}}, {"headers": {"auth": token}}, {"headers": {"Authorization": f"Bearer {token}"}}):
        device = await Device().connect(**place)
        device.leave()


async def no_token_is_refused(http):
    for place in ({}, {"auth": {"token": "not.a.token"}}, {"headers": {"auth": "not.a.token"}}):
        reason = await Device().refused(**place)
        assert "token" in reason, reason


async def two_people_chat(http):
    ada, bob, eve = [await newcomer(http, name) for name in ("Ada", "Bob", "Eve")]
    desk, phone, bobs, eves = [
        await Device().connect(auth={"token": user["token"]}) for user in (ada, ada, bob, eve)
    ]
    ack = await desk.ask("create_chat", {"chat": {"name": "Tea", "is_group": True, "members_array": [bob["id"]]}})
    assert ack["ok"] is True
    chat = ack["chat"]["id"]
    told = {"chat": chat, "name": "Tea", "is_group": True, "members_array": [ada["id"], bob["id"]], "version": 1}
    for device in (desk, phone, bobs):
        assert await device.take("chat_created") == told
    message = {"chat_id": chat, "content": "Hellö 👋", "message_type": "text"}
    ack = await desk.ask("send_message", {"message": message})
    sent = ack["message"]
    for device in (phone, bobs):
        got = await device.take("new_message")
        assert got == {
            "chat": chat,
            "content": "Hellö 👋",
            "message_type": "text",
            **{key: sent[key] for key in ("id", "seq", "user_id", "created_at", "version")},
        }, got
    ack = await bobs.ask("toggle_like_message", {"message": {"id": sent["id"]}})
    assert ack == {"ok": True, "message_id": sent["id"], "liked": True, "likes": 1, "version": 3}, ack
    for device in (desk, phone):
        assert (await device.take("message_liked"))["likes"] == 1
    ack = await desk.ask("toggle_chat_pin", {"chat": {"id": chat}})
    assert ack == {"ok": True, "chat": chat, "pinned": True, "version": 3}, ack
    for device in (desk, phone):
        assert await device.take("chat_pinned") == {"chat": chat, "version": 3}
    await desk.ask("toggle_chat_pin", {"chat": {"id": chat}})
    for device in (desk, phone):
        assert await device.take("chat_unpinned") == {"chat": chat, "version": 3}
    ack = await eves.ask("send_message", {"message": message})
    assert (ack["ok"], ack["error"]["status"]) == (False, 404), ack
    for device in (desk, phone, bobs, eves):
        await device.expect_nothing_more()
        device.leave()


async def malformed_events_leave_the_socket_open(http):
    ada = await newcomer(http, "Ada")
    device = await Device().connect(auth={"token": ada["token"]})
    for event in ("create_chat", "send_message", "toggle_like_message", "toggle_chat_pin", "authenticate"):
        for payload in (None, True, 7, "text", [1], {}, {"chat": 1, "message": 1}, b"\x01\x02"):
            ack = await device.ask(event, payload)
            assert ack["ok"] is False and 400 <= ack["error"]["status"] < 500, (event, payload, ack)
    await device.expect_nothing_more()
    device.leave()


async def emitting_as_it_connects_loses_nothing(http):
    ada = await newcomer(http, "Ada")
    for _ in range(10):
        device = Device()
        created = asyncio.get_running_loop().create_future()

        async def at_once(device=device, created=created):
            chat = {"name": "now", "is_group": True, "members_array": []}
            await device.client.emit("create_chat", {"chat": chat}, callback=created.set_result)

        device.client.on("connect", at_once)
        await device.connect(auth={"token": ada["token"]})
        assert (await asyncio.wait_for(created, DEADLINE_SECONDS))["ok"] is True
        device.leave()


async def a_burst_is_not_too_much(http):
    ada, bob = [await newcomer(http, name) for name in ("Ada", "Bob")]
    device = await Device().connect(auth={"token": ada["token"]})
    ack = await device.ask("create_chat", {"chat": {"name": "Busy", "is_group": True, "members_array": [bob["id"]]}})
    await device.take("chat_created")
    sender = await Device("websocket").connect(auth={"token": bob["token"]})
    message = {"chat_id": ack["chat"]["id"], "content": "x", "message_type": "text"}
    for _ in range(300):
        await sender.client.emit("send_message", {"message": message})
    for seq in range(1, 301):
        assert (await device.take("new_message"))["seq"] == seq
    for one in (device, sender):
        one.leave()


async def logging_out_ends_the_socket(http):
    ada = await newcomer(http, "Ada")
    device = await Device().connect(auth={"token": ada["token"]})
    async with http.post(f"{URL}/auth/logout", headers={"Authorization": f"Bearer {ada['token']}"}) as reply:
        assert reply.status == 204
    assert await device.end() == socketio.AsyncClient.reason.SERVER_DISCONNECT


run(
    a_token_is_taken_from_each_place,
    no_token_is_refused,
    two_people_chat,
    malformed_events_leave_the_socket_open,
    emitting_as_it_connects_loses_nothing,
    a_burst_is_not_too_much,
    logging_out_ends_the_socket,
)
