"""One teller, many listeners: a slow one loses what is old, and nobody waits for it."""

import asyncio

from device_sim.fan import KEPT, QUEUE, Fan


def test_who_joins_late_is_told_the_newest_minute_first() -> None:
    async def joined() -> str:
        fan = Fan()
        for k in range(KEPT + 5):
            fan.publish(str(k))
        return await fan.join().next()

    assert asyncio.run(joined()).split("\n") == [str(k) for k in range(5, KEPT + 5)]


def test_a_slow_listener_loses_the_oldest_and_knows_how_many() -> None:
    async def heard() -> tuple[list[str], int]:
        fan = Fan()
        listener = fan.join()
        for k in range(10 * QUEUE):
            fan.publish(str(k))
        return [await listener.next() for _ in range(QUEUE)], listener.n_dropped

    texts, n_dropped = asyncio.run(heard())
    assert texts == [str(k) for k in range(9 * QUEUE, 10 * QUEUE)]
    assert n_dropped == 9 * QUEUE


def test_a_listener_waits_for_what_comes_and_one_that_left_is_told_nothing() -> None:
    async def heard() -> list[str]:
        fan = Fan()
        stays, leaves = fan.join(), fan.join()
        waiting = asyncio.create_task(stays.next())
        await asyncio.sleep(0)
        fan.leave(leaves)
        fan.publish("now")
        assert await asyncio.wait_for(waiting, 1) == "now"
        late = asyncio.create_task(leaves.next())
        done, _ = await asyncio.wait([late], timeout=0.01)
        late.cancel()
        return [task.result() for task in done]

    assert asyncio.run(heard()) == []
