"""Workers kept alive as a supervisor would keep them: each has a lane, and whatever ends it, it is started anew."""

import contextlib
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.installation import Installation, Worker

RESTART_PAUSE_S = 1.0
"""Before a worker that left because Kafka was not there is started again."""

EXPECTED = (-signal.SIGKILL, 0, 69, 75)
"""Exit codes that a fault may lead to: killed, stopped as asked, no broker at start, a transaction that did not happen."""

LEFT_FOR_LACK_OF_KAFKA = 69


@dataclass
class Ended:
    """A worker that is no more."""

    code: int
    fault: str
    why: str


@dataclass
class Lane:
    """One worker's place: its way to the broker, what it is armed with at its next start, and how its workers ended.

    `fault` struck last, and is what an exit is booked under; `coming` is the one that is being prepared.
    """

    name: str
    installation: Installation
    settings: dict[str, Any]
    fault: str = "none"
    coming: str = ""
    arming: str = ""
    wanted: bool = False
    worker: Worker | None = None
    armed: str = ""
    ended: list[Ended] = field(default_factory=list)
    starts: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Start a worker with what it is to be armed with; the supervisor keeps one here from now on."""
        with self.lock:
            self.armed, self.arming = self.arming, ""
            armed = {"failpoints": self.armed} if self.armed else {}
            self.worker = self.installation.start(**self.settings, **armed)
            self.wanted, self.starts = True, self.starts + 1

    def look(self) -> None:
        """Note a worker that has ended, and start another."""
        with self.lock:
            if self.worker is None or (code := self.worker.process.poll()) is None:
                return
            self.ended.append(Ended(code, self.fault, self._why(code)))
            if code in EXPECTED:
                self.worker.log.unlink(missing_ok=True)
            self.worker = None
            if not self.wanted:
                return
            if code == LEFT_FOR_LACK_OF_KAFKA:
                time.sleep(RESTART_PAUSE_S)
            self.start()

    def blame(self, fault: str) -> None:
        """Exits from now on are this fault's; a worker that has ended by now is still the last one's."""
        with self.lock:
            self.look()
            self.fault = fault

    def strike(self) -> float:
        """The fault that is coming is here; the time (monotonic)."""
        self.blame(self.coming)
        return time.monotonic()

    def arm(self, text: str) -> Worker:
        """Strike with a worker that is armed so, started in the place of the one that is there."""
        with self.lock:
            self.blame("arming")
            self.arming = text
            self.signal(signal.SIGKILL)
            if self.worker is not None:
                self.worker.process.wait()
                self.look()
            else:
                self.start()
            self.strike()
            assert self.worker is not None
            return self.worker

    def generations(self, worker: Worker) -> int:
        """How often this worker of the lane has been given its partitions."""
        with contextlib.suppress(OSError):
            return sum(line["message"] == "partitions assigned" for line in worker.lines())
        return 0

    def signal(self, number: int) -> None:
        """To the worker of now, if there is one."""
        with self.lock:
            if self.worker is not None:
                self.worker.process.send_signal(number)

    def leave(self, number: int) -> None:
        """End the worker and start no other."""
        with self.lock:
            self.wanted = False
            self.signal(number)

    @property
    def is_empty(self) -> bool:
        return self.worker is None

    @property
    def is_ready(self) -> bool:
        """Whether its worker says that it serves all its partitions."""
        worker = self.worker
        if worker is None:
            return False
        with contextlib.suppress(httpx.HTTPError, OSError):
            serving = [line for line in worker.lines() if line["message"] == "serving"]
            return bool(serving) and httpx.get(f"{serving[0]['url']}/ready", timeout=2).status_code == httpx.codes.OK
        return False

    @property
    def is_frozen(self) -> bool:
        """Whether its worker is stopped by a signal."""
        worker = self.worker
        if worker is None:
            return False
        with contextlib.suppress(OSError), open(f"/proc/{worker.process.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "T"
        return False

    def _why(self, code: int) -> str:
        assert self.worker is not None
        leaving = [line.get("error", "") for line in self.worker.lines() if line["message"] == "leaving"]
        if leaving:
            return str(leaving[-1])
        return "" if code in (0, -signal.SIGKILL) else self.worker.tail()[-600:]


class Crew(threading.Thread):
    """The supervisor of the lanes."""

    def __init__(self, lanes: list[Lane]) -> None:
        super().__init__(name="crew", daemon=True)
        self.lanes = lanes
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.1):
            for lane in self.lanes:
                lane.look()

    def close(self) -> None:
        """Stop supervising, and let every worker stop as asked; one that cannot is killed."""
        for lane in self.lanes:
            with lane.lock:
                lane.wanted = False  # before what has ended is noted: a worker of now would not know SIGTERM yet
                lane.blame("end")
                lane.leave(signal.SIGTERM)
            lane.signal(signal.SIGCONT)
        deadline = time.monotonic() + 60
        while not all(lane.is_empty for lane in self.lanes) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._ended.set()
        self.join()
        for lane in self.lanes:
            lane.leave(signal.SIGKILL)
            lane.look()

    def exits(self) -> dict[str, Counter[int]]:
        """Exit codes by the fault that led to them; "arming" and "disarmed" are kills that are no fault, to have workers armed or not."""
        found: dict[str, Counter[int]] = {}
        for lane in self.lanes:
            for each in lane.ended:
                found.setdefault(each.fault, Counter())[each.code] += 1
        return found

    def unexpected(self) -> list[Ended]:
        """Workers that left in a way that no fault excuses."""
        return [each for lane in self.lanes for each in lane.ended if each.code not in EXPECTED]
