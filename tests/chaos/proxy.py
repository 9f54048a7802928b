"""A TCP proxy that can be told to misbehave: toxiproxy, built from the sources that toxiproxy/go.sum pins, driven over HTTP."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from monitor.embedded.maven import cache_root
from monitor.embedded.process import Process, free_ports, listens

VERSION = "2.12.0"
PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server"
PINNED = Path(__file__).with_name("toxiproxy")
BUILD_TIMEOUT_S = 600
START_TIMEOUT_S = 30.0

DOWN, UP = "downstream", "upstream"
"""From the broker to the worker, and from the worker to the broker."""


@cache
def available() -> str:
    """Why there can be no proxy here, or nothing. Asked for the first time it fetches the sources, if there is no program yet."""
    if _binary().exists():
        return ""
    if shutil.which("go") is None:
        return "no `go` on the PATH to build toxiproxy: install Go 1.23 or newer"
    done = _go("mod", "download")
    assert "SECURITY ERROR" not in done.stderr, done.stderr[
        -2000:
    ]  # other sources than go.sum pins: no reason to leave anything out
    return f"the sources of toxiproxy cannot be fetched: {done.stderr.strip()[-300:]}" if done.returncode else ""


def _go(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    return subprocess.run(
        ["go", *arguments], cwd=PINNED, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )  # fmt: skip


def _binary() -> Path:
    return cache_root() / f"toxiproxy-{VERSION}" / "toxiproxy"


def build() -> Path:
    """The program, built on first use, by one process at a time; go checks every source against go.sum."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"toxiproxy-{VERSION}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _binary().exists():
            return _binary()
        staging = Path(tempfile.mkdtemp(prefix=".toxiproxy-", dir=root))
        try:
            command = ("build", "-mod=readonly", "-trimpath", "-o", str(staging / "toxiproxy"), PACKAGE)
            done = _go(*command)
            assert done.returncode == 0, f"go {' '.join(command)} = exit {done.returncode}: {done.stderr[-2000:]}"
            staging.rename(_binary().parent)
            return _binary()
        finally:
            shutil.rmtree(staging, ignore_errors=True)


class Toxiproxy:
    """The proxy's process. `ways` are the proxies by name, each listening on a port of its own before anything is behind it."""

    def __init__(self, names: list[str]) -> None:
        program = build()
        api, *ports = free_ports(1 + len(names))
        self.ports = dict(zip(names, ports, strict=True))
        self._directory = Path(tempfile.mkdtemp(prefix="monitor-toxiproxy-"))
        self._log = self._directory / "toxiproxy.log"
        command = [str(program), "-host", "127.0.0.1", "-port", str(api)]
        self._process = Process(command, self._log, self._directory, os.environ | {"LOG_LEVEL": "error"})
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{api}", timeout=20.0)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not listens(api):
            assert self._process.ended() is None, f"toxiproxy ended: {self.log()}"
            assert time.monotonic() < deadline, f"toxiproxy does not listen: {self.log()}"
            time.sleep(0.02)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def connect(self, upstreams: Mapping[str, int]) -> None:
        """Open each way to the loopback port behind it."""
        for name, port in upstreams.items():
            self._post(
                "/proxies",
                {"name": name, "listen": f"127.0.0.1:{self.ports[name]}", "upstream": f"127.0.0.1:{port}", "enabled": True},
            )  # fmt: skip

    @contextmanager
    def spoiled(self, name: str, *toxics: tuple[str, str, dict[str, int]]) -> Iterator[None]:
        """While the block runs, the way has these toxics: (kind, direction, attributes)."""
        added: list[str] = []
        try:
            for kind, direction, attributes in toxics:
                toxic = f"{kind}-{direction}"
                self._post(
                    f"/proxies/{name}/toxics",
                    {"name": toxic, "type": kind, "stream": direction, "toxicity": 1.0, "attributes": attributes},
                )
                added.append(toxic)
            yield
        finally:
            for toxic in added:
                self._http.delete(f"/proxies/{name}/toxics/{toxic}").raise_for_status()

    def cut(self, name: str) -> None:
        """Break every connection of this way at once, and let new ones in."""
        for enabled in (False, True):
            self._http.post(f"/proxies/{name}", json={"enabled": enabled}).raise_for_status()

    @contextmanager
    def closed(self, name: str) -> Iterator[None]:
        """While the block runs nobody gets through."""
        self._http.post(f"/proxies/{name}", json={"enabled": False}).raise_for_status()
        try:
            yield
        finally:
            self._http.post(f"/proxies/{name}", json={"enabled": True}).raise_for_status()

    def stop(self) -> None:
        self._http.close()
        self._process.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self._http.post(path, json=body)
        assert answer.is_success, f"{path} {body}: {answer.status_code} {answer.text}"
