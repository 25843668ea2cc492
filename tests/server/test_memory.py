"""The memory for large bodies: nobody gets more than there is, and a caller at most half."""

import asyncio

from app.server.memory import Memory


def test_a_reservation_waits_until_enough_is_free() -> None:
    async def run() -> list[str]:
        memory = Memory(100)
        events: list[str] = []

        async def upload(caller: bytes, size: int, until: str = "", patience: float = 60.0) -> None:
            async with memory.reserved(caller, size, patience) as is_reserved:
                events.append(f"{caller.decode()} {is_reserved}")
                while until and until not in events:  # noqa: ASYNC110, because nothing could set an event
                    await asyncio.sleep(0.001)

        await asyncio.gather(
            upload(b"a", 50, "a False"),
            upload(b"a", 1, patience=0.01),  # a has its half
            upload(b"b", 50, "c True"),
            upload(b"c", 50),  # when a has ended
        )
        await asyncio.gather(upload(b"d", 50), upload(b"e", 50))
        return events

    assert asyncio.run(run()) == ["a True", "b True", "a False", "c True", "d True", "e True"]


def test_a_cancelled_upload_frees_its_memory() -> None:
    async def run() -> bool:
        memory = Memory(2)

        async def upload() -> None:
            async with memory.reserved(b"a", 1):
                await asyncio.sleep(60)

        task = asyncio.create_task(upload())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with memory.reserved(b"a", 1, 0.1) as is_reserved:
            return is_reserved

    assert asyncio.run(run())
