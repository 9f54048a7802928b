"""A call that may hang: one at a time, whoever asks how often, and nobody waits for longer than they said."""

import asyncio
import subprocess
import sys
import threading

import pytest

from monitor.lone_call import LoneCall

PATIENCE_S = 60.0


@pytest.fixture
def gate():
    """Opened at the end, whatever happens: threads that wait for it end."""
    event = threading.Event()
    yield event
    event.set()


async def test_each_time_it_is_asked_it_is_called_anew():
    numbers = iter(range(3))
    call = LoneCall(lambda: next(numbers), "count")
    assert [await call.result(PATIENCE_S) for _ in range(3)] == [0, 1, 2]


async def test_one_that_hangs_is_waited_for_and_not_called_again(gate):
    begun = []

    def hang():
        begun.append(threading.current_thread())
        gate.wait(PATIENCE_S)
        return len(begun)

    call = LoneCall(hang, "hanging")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await call.result(0.001)
    gate.set()
    assert await call.result(PATIENCE_S) == 1
    assert await call.result(PATIENCE_S) == 2
    assert {(thread.name, thread.daemon) for thread in begun} == {("hanging", True)}


async def test_what_it_raises_is_raised_and_the_next_is_a_new_one():
    turns = iter([OSError("stale file handle"), None])

    def read():
        error = next(turns)
        if error:
            raise error
        return "read"

    call = LoneCall(read, "reading")
    with pytest.raises(OSError, match="stale"):
        await call.result(PATIENCE_S)
    assert await call.result(PATIENCE_S) == "read"


async def test_who_is_cancelled_meanwhile_leaves_the_call_under_way(gate):
    call = LoneCall(lambda: gate.wait(PATIENCE_S), "hanging")
    waiting = asyncio.create_task(call.result(PATIENCE_S))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await call.result(PATIENCE_S) is True


def test_a_process_ends_although_its_call_hangs():
    program = (
        "import asyncio, threading\n"
        "from monitor.lone_call import LoneCall\n"
        "call = LoneCall(threading.Event().wait, 'hanging')\n"
        "try:\n    asyncio.run(call.result(0.01))\n"
        "except TimeoutError:\n    print('left')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr
