"""The memory for large bodies: nobody gets more than there is, and a caller at most half."""

import asyncio

from app.server.memory import Memory


def test_a_reservation_waits_until_enough_is_free() -> None:
    async def run() -> list[str]:
        memory = Memory(100)
        events: list[str] = []

        async def upload(caller: bytes, size: int, seconds: float, patience: float = 5.0) -> None:
            async with memory.reserved(caller, size, patience) as is_reserved:
                events.append(f"{caller.decode()} {is_reserved}")
                await asyncio.sleep(seconds if is_reserved else 0)

        await asyncio.gather(
            upload(b"a", 50, 0.1),
            upload(b"a", 1, 0.0, 0.01),  # a has its half
            upload(b"b", 50, 0.2),
            upload(b"c", 50, 0.0),  # when a has ended
        )
        await asyncio.gather(upload(b"d", 50, 0.0), upload(b"e", 50, 0.0))
        return events

    assert asyncio.run(run()) == ["a True", "b True", "a False", "c True", "d True", "e True"]


def test_a_cancelled_upload_frees_its_memory() -> None:
    async def run() -> bool:
        memory = Memory(2)

        async def upload() -> None:
            async with memory.reserved(b"a", 1):
                await asyncio.sleep(10)

        task = asyncio.create_task(upload())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with memory.reserved(b"a", 1, 0.1) as is_reserved:
            return is_reserved

    assert asyncio.run(run())
