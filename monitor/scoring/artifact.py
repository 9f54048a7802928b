"""A model on disk: `models/<version>/`, and `models/current`, a line that names the version served.

::

    manifest.json   what the model is, where it comes from, how good it was, and its golden vectors
    forest.npz      the forest's arrays; no pickle
    card.md         for people
    SHA256SUMS      of manifest.json and forest.npz; `sha256sum -c` checks it too

`load_model` believes nothing before it is checked: digests, then sizes and shapes, then the definitions of the features against this
program's catalogue, then that the golden vectors still get their scores. Whatever fails raises `ArtifactError`.
"""

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ArtifactError
from monitor.features.catalogue import INDEX, feature_set_digest
from monitor.scoring.arrays_file import MAX_FILE_BYTES, read_arrays, read_bounded
from monitor.scoring.forest import ARRAYS, Forest
from monitor.scoring.model import Model, feature_set_of

__all__ = ["CURRENT", "FORMAT", "Model", "current_version", "load_model", "save_model", "set_current"]

FORMAT = 1
"""Of the manifest. A newer one is refused."""

CURRENT = "current"
MANIFEST, FOREST, CARD, SUMS = "manifest.json", "forest.npz", "card.md", "SHA256SUMS"

MAX_MANIFEST_BYTES = 1 << 20

GOLDEN_TOLERANCE = 1e-12
"""Scores are sums in a fixed order, then one power of two, whose last bit may differ between C libraries."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def load_model(models_dir: Path, version: str = CURRENT) -> Model:
    """The model `version` of `models_dir`; "current": the one `models_dir/current` names. Raises `ArtifactError`."""
    if version == CURRENT:
        version = current_version(models_dir)
    directory = models_dir / _checked(version)
    files = {MANIFEST: MAX_MANIFEST_BYTES, FOREST: MAX_FILE_BYTES}
    contents = {name: read_bounded(directory / name, most) for name, most in files.items()}
    sums = _read_sums(directory / SUMS)
    for name, content in contents.items():
        _check_digest(directory / name, content, sums.get(name), SUMS)
    manifest = _read_manifest(directory / MANIFEST, contents[MANIFEST], version)
    _check_digest(directory / FOREST, contents[FOREST], manifest["forest_sha256"], MANIFEST)
    features = _known_features(directory / MANIFEST, manifest)
    arrays = read_arrays(contents[FOREST], ARRAYS, directory / FOREST)
    model = Model(
        version=version,
        features=features,
        forest=Forest.from_arrays(arrays, len(features)),
        review_threshold=manifest["thresholds"]["review"],
        block_threshold=manifest["thresholds"]["block"],
        feature_set=feature_set_of(manifest["name"], features),
        quartiles=_quartiles(directory / MANIFEST, manifest),
        manifest=manifest,
    )
    _check_golden(directory / MANIFEST, model, manifest["golden"])
    return model


def save_model(
    models_dir: Path,
    version: str,
    model: Model,
    golden: NDArray[np.float32],
    about: Mapping[str, Any],
    card: str,
) -> Path:
    """Write `model` as `models_dir/version/`, whole or not at all, and return that directory.

    `golden` float32[g, len(model.features)]: rows whose scores every later load must find again. `about`: the manifest's further
    entries (training, metrics, versions). Raises `ArtifactError` when the version exists: a published model never changes.
    """
    directory = models_dir / _checked(version)
    if directory.exists():
        raise ArtifactError(f"{directory}: exists already, and a version never changes; choose another --version")
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **model.forest.arrays())
    manifest = {
        "format": FORMAT,
        "name": model.feature_set.partition("@")[0],
        "version": version,
        "features": list(model.features),
        "feature_set_digest": feature_set_digest(model.features),
        "quartiles": model.quartiles.tolist(),
        "thresholds": {"review": model.review_threshold, "block": model.block_threshold},
        "forest_sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
        **about,
        "golden": _golden(model, golden),
    }
    contents = {MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode(), FOREST: packed.getvalue()}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    contents |= {SUMS: sums.encode(), CARD: card.encode()}
    models_dir.mkdir(parents=True, exist_ok=True)
    waiting = Path(tempfile.mkdtemp(prefix=".new-", dir=models_dir))
    try:
        waiting.chmod(0o755)
        for name, content in contents.items():
            _write_durably(waiting / name, content)
        waiting.rename(directory)
    except OSError as error:
        shutil.rmtree(waiting, ignore_errors=True)
        raise ArtifactError(
            f"{directory}: cannot be written ({error.strerror}); make room, or choose another --out"
        ) from None
    return directory


def set_current(models_dir: Path, version: str) -> None:
    """Make `version` the one that is served, from the next load on. Raises `ArtifactError` unless it loads."""
    load_model(models_dir, version)
    waiting = models_dir / f".{CURRENT}.new"
    _write_durably(waiting, f"{version}\n".encode())
    waiting.replace(models_dir / CURRENT)


def current_version(models_dir: Path) -> str:
    """The version that `models_dir/current` names. Raises `ArtifactError`."""
    path = models_dir / CURRENT
    return _checked(read_bounded(path, 1024).decode("ascii", "replace").strip(), path)


def _checked(version: str, path: Path | None = None) -> str:
    if not _VERSION.fullmatch(version) or version == CURRENT:
        where = "version" if path is None else str(path)
        raise ArtifactError(
            f"{where}: {version!r} is no model version; use letters, digits, dots and dashes, at most 64"
        )
    return version


def _read_sums(path: Path) -> dict[str, str]:
    lines = read_bounded(path, 4096).decode("ascii", "replace").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _check_digest(path: Path, content: bytes, expected: str | None, source: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ArtifactError(
            f"{path}: SHA-256 {found} is not the {expected} of {source}: the file was altered; restore it"
        )


def _read_manifest(path: Path, content: bytes, version: str) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise ArtifactError(f"{path}: not JSON ({error}); restore the file") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ArtifactError(
            f"{path}: format {found!r}, this program reads {FORMAT}; train the model again with this release"
        )
    expected = {
        "name": str,
        "version": str,
        "features": list,
        "feature_set_digest": str,
        "thresholds": dict,
        "forest_sha256": str,
        "golden": dict,
    }
    for name, kind in expected.items():
        if not isinstance(manifest.get(name), kind):
            raise ArtifactError(f"{path}: {name}: {manifest.get(name)!r}, expected a {kind.__name__}; restore the file")
    if manifest["version"] != version:
        raise ArtifactError(
            f"{path}: version {manifest['version']!r} in the directory {version!r}; rename the directory"
        )
    review, block = (manifest["thresholds"].get(name) for name in ("review", "block"))
    if not (isinstance(review, float) and isinstance(block, float) and 0 < review <= block <= 1):
        raise ArtifactError(
            f"{path}: thresholds: review {review!r}, block {block!r}, expected 0 < review <= block <= 1; restore the file"
        )
    return manifest


def _known_features(path: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    features = tuple(manifest["features"])
    unknown = [name for name in features if name not in INDEX]
    if unknown or not features or len(set(features)) != len(features):
        raise ArtifactError(
            f"{path}: features: {unknown or list(features)}: unknown to this release, or named twice; train the model again"
        )
    digest = feature_set_digest(features)
    if digest != manifest["feature_set_digest"]:
        raise ArtifactError(
            f"{path}: feature_set_digest {manifest['feature_set_digest']!r}, this release's features have {digest!r}: "
            "a feature means something else now; train the model again"
        )
    return features


def _quartiles(path: Path, manifest: Mapping[str, Any]) -> NDArray[np.float64]:
    try:
        quartiles = np.array(manifest.get("quartiles"), np.float64)
    except (TypeError, ValueError):
        quartiles = np.empty(0)
    if quartiles.shape != (2, len(manifest["features"])) or not np.isfinite(quartiles).all():
        raise ArtifactError(f"{path}: quartiles: expected two finite numbers a feature; restore the file")
    return quartiles


def _golden(model: Model, rows: NDArray[np.float32]) -> dict[str, Any]:
    """`rows` and their scores, as hexadecimal floats: exact, and readable by any language."""
    return {
        "rows": [[float(value).hex() for value in row] for row in rows],
        "scores": [float(score).hex() for score in model.forest.score(rows)],
    }


def _check_golden(path: Path, model: Model, golden: Mapping[str, Any]) -> None:
    try:
        rows = np.array([[float.fromhex(cell) for cell in row] for row in golden["rows"]], np.float32)
        expected = np.array([float.fromhex(score) for score in golden["scores"]])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{path}: golden: not hexadecimal floats ({error}); restore the file") from None
    if expected.size == 0 or rows.shape != (expected.size, len(model.features)):
        raise ArtifactError(f"{path}: golden: {rows.shape} values for {expected.size} scores; restore the file")
    difference = np.abs(model.forest.score(rows) - expected)
    if not (difference <= GOLDEN_TOLERANCE).all():
        raise ArtifactError(
            f"{path}: golden: scores differ by up to {difference.max():.3g} from those the model was saved with; train it again here"
        )


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
