import hashlib
import json
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import sealed
from monitor.arrays_file import MAX_ARRAY_BYTES
from monitor.errors import ArtifactError
from monitor.features.catalogue import INDEX
from monitor.scoring.artifact import load_model, save_model, set_current
from monitor.scoring.model import as_rows
from monitor.scoring.percentiles import percentiles_of
from monitor.scoring.scale import Scale


def reseal(directory, part=None, **changes):
    """Change the manifest, or its only part, and write digests that fit: what somebody does who wants an altered file to load."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    manifest["parts"][0] |= part or {}
    path.write_text(json.dumps(manifest))
    names = ("manifest.json", "forest.npz", "card.md")
    sums = [f"{hashlib.sha256((directory / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (directory / "SHA256SUMS").write_text("".join(sums))


def test_a_saved_model_comes_back_the_same(models_dir, model, catalogue_rows):
    loaded = load_model(models_dir)
    assert loaded.score(catalogue_rows).tobytes() == model.score(catalogue_rows).tobytes()
    assert (loaded.version, loaded.features, loaded.feature_set) == ("small-1", model.features, model.feature_set)
    assert (loaded.review_threshold, loaded.block_threshold) == (0.6, 0.7)
    assert loaded.manifest["metrics"] == {}


def test_saving_the_same_model_twice_gives_the_same_bytes(tmp_path, model, golden_rows):
    for place in ("a", "b"):
        save_model(tmp_path / place, replace(model, version="v"), golden_rows[:3], {}, "card")
    for name in ("manifest.json", "forest.npz", "SHA256SUMS", "card.md"):
        assert (tmp_path / "a/v" / name).read_bytes() == (tmp_path / "b/v" / name).read_bytes()


def test_a_published_version_never_changes(models_dir, model, golden_rows):
    with pytest.raises(ArtifactError, match="another --version"):
        save_model(models_dir, model, golden_rows[:3], {}, "")


def test_a_save_that_fails_leaves_nothing_behind(tmp_path, model, golden_rows, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealed, "write_durably", full)
    with pytest.raises(ArtifactError, match="No space left"):
        save_model(tmp_path, model, golden_rows[:3], {}, "")
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_anywhere_is_refused(tmp_path_factory, model, golden_rows, data):
    root = tmp_path_factory.mktemp("models")
    directory = save_model(root, model, golden_rows[:2], {}, "")
    path = directory / data.draw(st.sampled_from(["manifest.json", "forest.npz"]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=f"{path.name}: SHA-256"):
        load_model(root, "small-1")


@pytest.mark.parametrize("name", ["manifest.json", "forest.npz", "SHA256SUMS"])
def test_a_missing_file_is_named(models_dir, name):
    (models_dir / "small-1" / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: cannot be read"):
        load_model(models_dir)


def test_features_that_mean_something_else_now_are_refused(models_dir):
    reseal(models_dir / "small-1", feature_set_digest="0" * 12)
    with pytest.raises(ArtifactError, match="feature_set_digest '000000000000'"):
        load_model(models_dir)


@pytest.mark.parametrize("features", [["amount_z"] * 4, ["no_such_feature", "a", "b", "c"], []])
def test_features_unknown_or_named_twice_are_refused(models_dir, features):
    reseal(models_dir / "small-1", part={"features": features})
    with pytest.raises(ArtifactError, match="features: "):
        load_model(models_dir)


def test_a_model_that_scores_its_golden_vectors_otherwise_is_refused(models_dir):
    golden = json.loads((models_dir / "small-1/manifest.json").read_text())["golden"]
    golden["scores"][3] = (float.fromhex(golden["scores"][3]) + 1e-9).hex()
    reseal(models_dir / "small-1", golden=golden)
    with pytest.raises(ArtifactError, match="golden: scores differ by up to 1e-09"):
        load_model(models_dir)


@pytest.mark.parametrize("golden", [{}, {"rows": [], "scores": []}, {"rows": [["zz"]], "scores": ["0x1p-1"]}])
def test_a_model_without_usable_golden_vectors_is_refused(models_dir, golden):
    reseal(models_dir / "small-1", golden=golden)
    with pytest.raises(ArtifactError, match="golden: "):
        load_model(models_dir)


@pytest.mark.parametrize(
    "thresholds", [{}, {"review": 0.7, "block": 0.6}, {"review": 0.0, "block": 0.5}, {"review": 0.5, "block": 1.5}]
)
def test_thresholds_out_of_order_are_refused(models_dir, thresholds):
    reseal(models_dir / "small-1", thresholds=thresholds)
    with pytest.raises(ArtifactError, match="thresholds: "):
        load_model(models_dir)


@pytest.mark.parametrize("quartiles", [None, [[0.0], [1.0]], [["a"] * 4, [1.0] * 4], [[0.0] * 4, [float("nan")] * 4]])
def test_quartiles_that_do_not_fit_the_features_are_refused(models_dir, quartiles):
    reseal(models_dir / "small-1", part={"quartiles": quartiles})
    with pytest.raises(ArtifactError, match="quartiles: "):
        load_model(models_dir)


@pytest.fixture
def compared_dir(tmp_path, model, golden_rows, catalogue_rows):
    """The same version, with percentiles."""
    columns = catalogue_rows[:, model.columns].astype(np.float32)
    percentiles = percentiles_of(zip(model.features, columns.T, strict=True))
    return save_model(tmp_path, replace(model, percentiles=percentiles), golden_rows, {}, "")


def percentiles_in(directory):
    return json.loads((directory / "manifest.json").read_text())["percentiles"]


def test_percentiles_come_back(compared_dir):
    assert load_model(compared_dir.parent, "small-1").percentiles.entry() == percentiles_in(compared_dir)


def test_a_model_of_before_percentiles_has_none(models_dir):
    assert load_model(models_dir).percentiles is None


def test_percentiles_of_other_rows_than_the_quartiles_are_refused(compared_dir):
    entry = percentiles_in(compared_dir)
    reseal(compared_dir, percentiles=entry | {"amount_z": entry["time_since_last"]})
    with pytest.raises(ArtifactError, match=r"percentiles: amount_z: 0 to 0 of 400 rows are below .* the 25% quartile"):
        load_model(compared_dir.parent, "small-1")


def test_percentiles_that_lack_a_feature_are_refused(compared_dir):
    entry = percentiles_in(compared_dir)
    del entry["pace_ratio"]
    reseal(compared_dir, percentiles=entry)
    with pytest.raises(ArtifactError, match=r"percentiles: of .*restore the file"):
        load_model(compared_dir.parent, "small-1")


def test_a_manifest_of_a_newer_format_is_refused(models_dir):
    reseal(models_dir / "small-1", format=3)
    with pytest.raises(ArtifactError, match="format 3"):
        load_model(models_dir)


def test_a_feature_index_out_of_range_is_refused_though_its_digest_fits(models_dir, model):
    arrays = model.forest.arrays()
    arrays["feature"] = np.full_like(arrays["feature"], 200)
    np.savez_compressed(models_dir / "small-1/forest.npz", **arrays)
    reseal(models_dir / "small-1")
    with pytest.raises(ArtifactError, match="feature: index 200 of 4 features"):
        load_model(models_dir)


def test_an_array_file_that_unpacks_to_too_much_is_refused_unread(models_dir, model):
    arrays = model.forest.arrays() | {"leaf": np.zeros((1, MAX_ARRAY_BYTES // 4 + 1024), np.float32)}
    np.savez_compressed(models_dir / "small-1/forest.npz", **arrays)
    assert (models_dir / "small-1/forest.npz").stat().st_size < 1 << 20
    reseal(models_dir / "small-1")
    with pytest.raises(ArtifactError, match=r"leaf.npy: unpacks to"):
        load_model(models_dir)


def rewrite(path, member, content):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, held in (members | {member: content}).items():
            archive.writestr(name, held)


def test_a_header_that_claims_more_than_the_file_holds_is_refused(models_dir):
    path = models_dir / "small-1/forest.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (40, 99999999999), }".ljust(117) + b"\n"
    rewrite(path, "leaf.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    reseal(models_dir / "small-1")
    with pytest.raises(ArtifactError, match="does not match its 64 bytes"):
        load_model(models_dir)


def test_objects_are_refused_and_never_unpickled(models_dir):
    path = models_dir / "small-1/forest.npz"
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + pickle.dumps([1])
    rewrite(path, "leaf.npy", content)
    reseal(models_dir / "small-1")
    with pytest.raises(ArtifactError, match="leaf: object"):
        load_model(models_dir)


def test_a_member_too_many_is_refused(models_dir):
    rewrite(models_dir / "small-1/forest.npz", "extra.npy", b"")
    reseal(models_dir / "small-1")
    with pytest.raises(ArtifactError, match=r"members .*extra"):
        load_model(models_dir)


def test_what_is_no_zip_is_refused(models_dir):
    (models_dir / "small-1/forest.npz").write_bytes(b"not a zip")
    reseal(models_dir / "small-1")
    with pytest.raises(ArtifactError, match=r"forest\.npz: "):
        load_model(models_dir)


def test_an_oversized_file_is_refused(models_dir):
    (models_dir / "small-1/manifest.json").write_bytes(b" " * ((4 << 20) + 1))
    with pytest.raises(ArtifactError, match="larger than"):
        load_model(models_dir)


@pytest.mark.parametrize("version", ["../small-1", "", "current", "a/b", ".hidden", "x" * 65])
def test_a_version_is_a_plain_name(models_dir, version):
    (models_dir / "current").write_text(version)
    with pytest.raises(ArtifactError, match="is no version"):
        load_model(models_dir)


def test_current_moves_only_to_a_model_that_loads(models_dir):
    with pytest.raises(ArtifactError):
        set_current(models_dir, "small-2")
    assert (models_dir / "current").read_text() == "small-1\n"


def test_a_model_with_parts_beside_the_forest_comes_back_the_same(tmp_path, blended, blended_rows):
    save_model(
        tmp_path, blended, as_rows(blended_rows[:12], np.array([INDEX[name] for name in blended.features])), {}, ""
    )
    loaded = load_model(tmp_path, blended.version)
    for mine, theirs in zip(loaded.judge(blended_rows), blended.judge(blended_rows), strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert [part.name for part in loaded.parts] == ["forest", "risk", "challenger"]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"kind": "pickle"}, "not a part of a kind"),
        ({"name": "../forest"}, "is no version"),
        ({"scale": {"raw": ["0x0p0", "0x1p0"], "worth": ["0x0p0", "0x1p0"]}}, "the first must be a forest"),
    ],
)
def test_parts_that_no_release_wrote_are_refused(models_dir, part, why):
    reseal(models_dir / "small-1", part=part)
    with pytest.raises(ArtifactError, match=why):
        load_model(models_dir)


@pytest.mark.parametrize(
    "scale",
    [
        {"raw": ["0x0p0"], "worth": ["0x0p0"]},
        {"raw": ["0x1p0", "0x0p0"], "worth": ["0x0p0", "0x1p0"]},
        {"raw": ["0x0p0", "0x1p0"], "worth": ["0x1p0", "0x0p0"]},
        {"raw": ["0x0p0", "0x1p0"], "worth": ["0x0p0", "0x1p1"]},
        {"raw": ["0x0p0", "nan"], "worth": ["0x0p0", "0x1p0"]},
        {"raw": "x"},
        [],
    ],
)
def test_a_scale_that_does_not_rise_from_0_to_1_is_refused(scale):
    with pytest.raises(ArtifactError, match="scale: "):
        Scale.from_entry(scale, "manifest.json")
