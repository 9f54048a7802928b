"""A model on disk: `models/<version>/`, a sealed directory, and `models/current`, a line that names the version served.

::

    manifest.json   what the model is, where it comes from, how good it was, and its golden vectors
    PART.npz        a part's arrays (the forest's, the challenger's); no pickle
    card.md         for people; plots beside it
    SHA256SUMS      of all of them (monitor/sealed.py)

`load_model` believes nothing before it is checked: digests, then sizes and shapes, then the definitions of the features against this
program's catalogue, then that the golden vectors still get their scores. Whatever fails raises `ArtifactError`.
"""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.arrays_file import MAX_FILE_BYTES, read_arrays
from monitor.errors import ArtifactError
from monitor.features.catalogue import INDEX, feature_set_digest
from monitor.scoring import boosted, forest
from monitor.scoring.boosted import Boosted
from monitor.scoring.forest import Forest
from monitor.scoring.model import Method, Model, Part, feature_set_of, features_of
from monitor.scoring.percentiles import Percentiles
from monitor.scoring.risk_rule import RiskRule
from monitor.scoring.scale import Scale
from monitor.sealed import Sealed, checked_name, open_sealed, read_json, write_sealed
from monitor.versions import CURRENT, current_version, set_pointer

FORMAT = 2
"""Of the manifest. Another is refused."""

MANIFEST, CARD = "manifest.json", "card.md"

MAX_MANIFEST_BYTES = 4 << 20

GOLDEN_TOLERANCE = 1e-12
"""Scores are sums in a fixed order, then one power of two, whose last bit may differ between C libraries."""

KINDS: Mapping[str, type[Method]] = {"isolation_forest": Forest, "risk_rule": RiskRule, "boosted_trees": Boosted}
"""What a part can be, as manifests name it."""

_ARRAYS: Mapping[str, Mapping[str, Any]] = {"isolation_forest": forest.ARRAYS, "boosted_trees": boosted.ARRAYS}
"""Of the kinds that have arrays."""


def load_model(models_dir: Path, version: str = CURRENT) -> Model:
    """The model `version` of `models_dir`; "current": the one `models_dir/current` names. Raises `ArtifactError`."""
    if version == CURRENT:
        version = current_version(models_dir)
    directory = models_dir / checked_name(version)
    path = directory / MANIFEST
    sealed = open_sealed(directory)
    manifest = _read_manifest(path, sealed.read(MANIFEST, MAX_MANIFEST_BYTES), version)
    parts = tuple(_part(sealed, entry) for entry in manifest["parts"])
    if not parts or parts[0].scale is not None or not isinstance(parts[0].method, Forest):
        raise ArtifactError(f"{path}: parts: the first must be a forest without a scale; restore the file")
    model = Model(
        version=version,
        parts=parts,
        review_threshold=manifest["thresholds"]["review"],
        block_threshold=manifest["thresholds"]["block"],
        feature_set=feature_set_of(manifest["name"], features_of(parts)),
        seal=sealed.seal,
        manifest=manifest,
        percentiles=_percentiles(path, manifest, parts),
    )
    digest = feature_set_digest(model.features)
    if digest != manifest["feature_set_digest"]:
        raise ArtifactError(
            f"{path}: feature_set_digest {manifest['feature_set_digest']!r}, this release's features have {digest!r}: "
            "a feature means something else now; train the model again"
        )
    _check_golden(path, model, manifest["golden"])
    return model


def save_model(
    models_dir: Path,
    model: Model,
    golden: NDArray[np.float32],
    about: Mapping[str, Any],
    card: str,
    plots: Mapping[str, bytes] | None = None,
) -> Path:
    """Write `model` as `models_dir/model.version/`, whole or not at all, and return that directory.

    `golden` float32[g, len(model.features)]: rows whose scores every later load must find again. `about`: the manifest's further
    entries (training, metrics, versions). `plots`: further files, by name. Raises `ArtifactError` when the version exists: a published
    model never changes.
    """
    arrays = {_file_of(part): _packed(part.method) for part in model.parts if not isinstance(part.method, RiskRule)}
    manifest = {
        "format": FORMAT,
        "name": model.feature_set.partition("@")[0],
        "version": model.version,
        "feature_set_digest": feature_set_digest(model.features),
        "parts": [_entry(part) for part in model.parts],
        "thresholds": {"review": model.review_threshold, "block": model.block_threshold},
        **about,
        **({} if model.percentiles is None else {"percentiles": model.percentiles.entry()}),
        "golden": _golden(model, golden),
    }
    texts = {MANIFEST: json.dumps(manifest, indent=1) + "\n", CARD: card}
    contents = arrays | {name: text.encode() for name, text in texts.items()} | dict(plots or {})
    return write_sealed(models_dir / checked_name(model.version), contents)


def set_current(models_dir: Path, version: str) -> None:
    """Make `version` the one that is served, from the next load on, whatever anybody says: for development. Raises `ArtifactError` unless it loads."""
    load_model(models_dir, version)
    set_pointer(models_dir, CURRENT, version)


def _file_of(part: Part) -> str:
    return f"{part.name}.npz"


def _packed(method: Any) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **method.arrays())
    return packed.getvalue()


def _entry(part: Part) -> dict[str, Any]:
    kind = next(name for name, method in KINDS.items() if isinstance(part.method, method))
    return {
        "name": part.name,
        "kind": kind,
        "features": list(part.features),
        "quartiles": part.quartiles.tolist(),
        "scale": None if part.scale is None else part.scale.entry(),
    }


def _part(sealed: Sealed, entry: Any) -> Part:
    """The part that an entry of the manifest describes, its arrays read."""
    path = sealed.directory / MANIFEST
    if not isinstance(entry, dict) or entry.get("kind") not in KINDS or not isinstance(entry.get("features"), list):
        raise ArtifactError(
            f"{path}: parts: {str(entry)[:80]!r}: not a part of a kind that this release knows; train the model again"
        )
    name, kind = checked_name(str(entry.get("name")), f"{path}: parts"), entry["kind"]
    features = _known_features(path, entry["features"])
    method: Method = RiskRule(len(features))
    if kind in _ARRAYS:
        file = f"{name}.npz"
        arrays = read_arrays(sealed.read(file, MAX_FILE_BYTES), _ARRAYS[kind], sealed.directory / file)
        method = (Forest if kind == "isolation_forest" else Boosted).from_arrays(arrays, len(features))
    scale = entry.get("scale")
    return Part(
        name=name,
        method=method,
        features=features,
        quartiles=_quartiles(path, entry.get("quartiles"), len(features)),
        scale=None if scale is None else Scale.from_entry(scale, f"{path}: {name}"),
    )


def _read_manifest(path: Path, content: bytes, version: str) -> dict[str, Any]:
    manifest = read_json(content, path)
    if manifest.get("format") != FORMAT:
        found = manifest.get("format")
        raise ArtifactError(
            f"{path}: format {found!r}, this program reads {FORMAT}; train the model again with this release"
        )
    expected = {
        "name": str,
        "version": str,
        "feature_set_digest": str,
        "parts": list,
        "thresholds": dict,
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


def _known_features(path: Path, names: list[Any]) -> tuple[str, ...]:
    features = tuple(map(str, names))
    unknown = [name for name in features if name not in INDEX]
    if unknown or not features or len(set(features)) != len(features):
        raise ArtifactError(
            f"{path}: features: {unknown or list(features)}: unknown to this release, or named twice; train the model again"
        )
    return features


def _quartiles(path: Path, entry: Any, features: int) -> NDArray[np.float64]:
    try:
        quartiles = np.array(entry, np.float64)
    except (TypeError, ValueError):
        quartiles = np.empty(0)
    if quartiles.shape != (2, features) or not np.isfinite(quartiles).all():
        raise ArtifactError(f"{path}: quartiles: expected two finite numbers a feature; restore the file")
    return quartiles


def _percentiles(path: Path, manifest: Mapping[str, Any], parts: tuple[Part, ...]) -> Percentiles | None:
    """None for a manifest of before they were kept. Refused where they contradict the quartiles, which are of the same rows."""
    if "percentiles" not in manifest:
        return None
    found = Percentiles.from_entry(manifest["percentiles"], features_of(parts), str(path))
    for part in parts:
        for name, quartiles in zip(part.features, part.quartiles.T.tolist(), strict=True):
            place = found.names.index(name)
            for share, quartile in zip((0.25, 0.75), quartiles, strict=True):
                below, through = found.between(place, quartile)
                if below > share * found.rows[place] + 1 or through < share * found.rows[place] - 1:
                    raise ArtifactError(
                        f"{path}: percentiles: {name}: {below} to {through} of {found.rows[place]} rows are below {quartile:g}, "
                        f"which is the {share:.0%} quartile; restore the file"
                    )
    return found


def _golden(model: Model, rows: NDArray[np.float32]) -> dict[str, Any]:
    """`rows` and their scores, as hexadecimal floats: exact, and readable by any language."""
    return {
        "features": list(model.features),
        "rows": [[float(value).hex() for value in row] for row in rows],
        "scores": [float(score).hex() for score in model.judge_own(rows).scores],
    }


def _check_golden(path: Path, model: Model, golden: Mapping[str, Any]) -> None:
    try:
        rows = np.array([[float.fromhex(cell) for cell in row] for row in golden["rows"]], np.float32)
        expected = np.array([float.fromhex(score) for score in golden["scores"]])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{path}: golden: not hexadecimal floats ({error}); restore the file") from None
    if expected.size == 0 or rows.shape != (expected.size, len(model.features)):
        raise ArtifactError(f"{path}: golden: {rows.shape} values for {expected.size} scores; restore the file")
    difference = np.abs(model.judge_own(rows).scores - expected)
    if not (difference <= GOLDEN_TOLERANCE).all():
        raise ArtifactError(
            f"{path}: golden: scores differ by up to {difference.max():.3g} from those the model was saved with; train it again here"
        )
