"""Snapshots of risk on disk: `risk/<version>/`, a sealed directory each.

::

    manifest.json   in force from when until when, the label delay, counts, where it comes from
    figures.npz     of each kind: the entities' names, one behind the other, where each ends, and their figures
    SHA256SUMS      of both (monitor/sealed.py)
"""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.arrays_file import read_arrays
from monitor.errors import ArtifactError
from monitor.features.catalogue import RISK_KINDS
from monitor.risk.book import Book, Entities, Snapshot
from monitor.risk.figures import FIGURES
from monitor.sealed import checked_name, open_sealed, read_json, write_sealed
from monitor.wire.records import Spans

FORMAT = 1
MANIFEST, ARRAYS = "manifest.json", "figures.npz"
MAX_MANIFEST_BYTES, MAX_ARRAYS_BYTES = 1 << 20, 64 << 20

LATEST = 32
"""Snapshots in a book: a month of them, built daily. Every audit block names them all, and every payment is looked up in the one of its time."""

_DTYPES: Mapping[str, Any] = {
    f"{kind}_{name}": np.dtype(dtype)
    for kind in RISK_KINDS
    for name, dtype in (("names", "u1"), ("ends", "<i8"), ("figures", "<i8"))
}


def save_snapshot(risk_dir: Path, snapshot: Snapshot, about: Mapping[str, Any]) -> Path:
    """Write it as `risk_dir/version/`, whole or not at all. `about`: the manifest's further entries. Raises `ArtifactError` when it exists."""
    arrays: dict[str, NDArray[Any]] = {}
    for kind, entities in zip(RISK_KINDS, snapshot.entities, strict=True):
        names = entities.index.keys(np.arange(len(entities.figures)))
        arrays[f"{kind}_names"] = np.frombuffer(b"".join(names), np.uint8)
        arrays[f"{kind}_ends"] = np.cumsum([len(name) for name in names], dtype=np.int64)
        arrays[f"{kind}_figures"] = entities.figures
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    manifest = {
        "format": FORMAT,
        "version": snapshot.version,
        "effective_ms": snapshot.effective_ms,
        "expires_ms": snapshot.expires_ms,
        "delay_ms": snapshot.delay_ms,
        "figures": list(FIGURES),
        "entities": {kind: len(each.figures) for kind, each in zip(RISK_KINDS, snapshot.entities, strict=True)},
        **about,
    }
    contents = {MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode(), ARRAYS: packed.getvalue()}
    return write_sealed(risk_dir / checked_name(snapshot.version), contents)


def load_snapshot(risk_dir: Path, version: str) -> Snapshot:
    """The snapshot `version` of `risk_dir`. Raises `ArtifactError`."""
    directory = risk_dir / checked_name(version)
    sealed = open_sealed(directory)
    manifest = _manifest(directory / MANIFEST, sealed.read(MANIFEST, MAX_MANIFEST_BYTES), version)
    arrays = read_arrays(sealed.read(ARRAYS, MAX_ARRAYS_BYTES), _DTYPES, directory / ARRAYS)
    return Snapshot(
        version=version,
        effective_ms=manifest["effective_ms"],
        expires_ms=manifest["expires_ms"],
        delay_ms=manifest["delay_ms"],
        entities=tuple(_entities(directory / ARRAYS, kind, arrays) for kind in RISK_KINDS),
        seal=sealed.seal,
    )


def load_book(
    risk_dir: Path, latest: int = LATEST, check: Callable[[str, str], object] = lambda _version, _seal: None
) -> Book:
    """The `latest` snapshots of the directory by `effective_ms`; an empty book when there is no directory. Raises `ArtifactError`, and what
    `check(version, seal)` raises, which is asked of each before its figures are read.

    Only those are read whole: a directory that has grown for years costs a worker no more than one of a month.
    """
    begin = {version: _begins(risk_dir, version) for version in versions_of(risk_dir)}
    chosen = sorted(begin, key=lambda version: (begin[version], version))[-latest:]
    for version in chosen:
        check(version, open_sealed(risk_dir / version).seal)
    return Book.of(load_snapshot(risk_dir, version) for version in chosen)


def versions_of(risk_dir: Path) -> tuple[str, ...]:
    """Names of the snapshots in a directory, ascending; none when there is no such directory."""
    return tuple(sorted(path.parent.name for path in risk_dir.glob(f"[!.]*/{MANIFEST}")))


def _begins(risk_dir: Path, version: str) -> int:
    directory = risk_dir / checked_name(version)
    content = open_sealed(directory).read(MANIFEST, MAX_MANIFEST_BYTES)
    begins: int = _manifest(directory / MANIFEST, content, version)["effective_ms"]
    return begins


def _manifest(path: Path, content: bytes, version: str) -> dict[str, Any]:
    manifest = read_json(content, path)
    if manifest.get("format") != FORMAT or manifest.get("figures") != list(FIGURES):
        raise ArtifactError(f"{path}: not a snapshot of format {FORMAT} with this release's figures; build it again")
    times: list[Any] = [manifest.get(name) for name in ("effective_ms", "expires_ms", "delay_ms")]
    if not all(type(each) is int for each in times) or not 0 <= times[0] < times[1]:
        raise ArtifactError(f"{path}: effective_ms, expires_ms, delay_ms: {times}; restore the file")
    if manifest.get("version") != version:
        raise ArtifactError(f"{path}: version {manifest.get('version')!r} in the directory {version!r}; rename it")
    return manifest


def _entities(path: Path, kind: str, arrays: Mapping[str, NDArray[Any]]) -> Entities:
    names, ends, figures = (arrays[f"{kind}_{name}"] for name in ("names", "ends", "figures"))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if ends.size else ends
    fits = names.ndim == ends.ndim == 1 and figures.shape == (len(ends), len(FIGURES))
    if not fits or (ends < starts).any() or (int(ends[-1]) if ends.size else 0) != names.size or (figures < 0).any():
        raise ArtifactError(f"{path}: {kind}: names and figures do not fit each other; restore the file")
    try:
        return Entities.of(Spans(names, starts, ends - starts), figures)
    except ValueError as error:
        raise ArtifactError(f"{path}: {kind}: {error}; restore the file") from None
