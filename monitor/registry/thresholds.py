"""Another version of a model, with other thresholds: the same parts, byte for byte, sealed anew. Evaluations and approvals are of a version, so it needs its own."""

import json
from pathlib import Path

from monitor.errors import ArtifactError
from monitor.scoring.artifact import CARD, MANIFEST, load_model
from monitor.sealed import check_whole, checked_name, open_sealed, write_sealed


def with_thresholds(models_dir: Path, version: str, review: float, block: float | None, name: str) -> Path:
    """Write `version` as the new version `name` with the thresholds `review` and `block` (None: its own), and return that directory.

    The manifest says of which version and seal it is (`thresholds_of`). Raises `ArtifactError` unless `version` loads, whole, `0 < review <= block <= 1`,
    and there is no version `name`.
    """
    directory = models_dir / checked_name(version)
    seal = check_whole(directory)
    model = load_model(models_dir, version)
    block = model.block_threshold if block is None else block
    if not 0 < review <= block <= 1:
        raise ArtifactError(
            f"thresholds: review {review}, block {block}: must be 0 < review <= block <= 1; give --block as well"
        )
    sealed = open_sealed(directory)
    contents = {each: sealed.read(each, (directory / each).stat().st_size) for each in sealed.digests}
    before = {"version": version, "seal": seal, "review": model.review_threshold, "block": model.block_threshold}
    manifest = dict(model.manifest) | {
        "version": checked_name(name),
        "thresholds": {"review": float(review), "block": float(block)},
        "thresholds_of": before,
    }
    if isinstance(manifest.get("training"), dict):
        manifest["training"] = manifest["training"] | {"thresholds_by": "people, after the training"}
    contents[MANIFEST] = (json.dumps(manifest, indent=1) + "\n").encode()
    contents[CARD] = _card(name, review, block, before).encode() + contents[CARD]
    return write_sealed(models_dir / name, contents)


def _card(name: str, review: float, block: float, before: dict[str, object]) -> str:
    return (
        f"# Model {name}\n\nModel {before['version']} with other thresholds: review from {review:.6f}, before {before['review']:.6f}; "
        f"block from {block:.6f}, before {before['block']:.6f}. All else is {before['version']}'s (seal {before['seal']}), whose card follows; "
        "what it says of alerts, precision and recall is of the thresholds before.\n\n"
    )
