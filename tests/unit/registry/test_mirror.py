import json
import uuid
from contextlib import suppress

import pytest

from monitor.errors import ArtifactError
from monitor.registry import history
from monitor.registry.approvals import Policy
from monitor.registry.mirror import Mirror, pull, push
from monitor.registry.promotion import promote, standing
from monitor.versions import current_version, set_pointer
from tests.registry import models_in

NOW = 1_790_000_000_000


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path_factory):
    """A place that fsspec knows, empty."""
    return (
        f"memory://{uuid.uuid4().hex}/models"
        if request.param == "memory"
        else f"file://{tmp_path_factory.mktemp('far')}/models"
    )


@pytest.fixture
def promoted(models_dir, approved, policy, ann, ben):
    """m-2, approved by two and served."""
    approved(ann)
    approved(ben, who="Ben")
    promote(models_in(models_dir, policy(2)), "m-2", "Cid", "less noise", NOW)
    return models_dir


def test_a_registry_goes_there_and_back_with_all_that_speaks_for_it(promoted, url, tmp_path, policy):
    assert push(promoted, Mirror(url)).versions == ("m-1", "m-2")
    here = tmp_path / "elsewhere"
    assert pull(Mirror(url), here).versions == ("m-1", "m-2")
    assert current_version(here) == "m-2"
    found = standing(models_in(here, policy(2)), "m-2")
    assert (found.problems, set(found.signers)) == ((), {"Ann", "Ben"})
    assert history.steps(here) == history.steps(promoted)


def test_what_is_there_already_is_not_copied_again(promoted, url, tmp_path):
    push(promoted, Mirror(url))
    again = push(promoted, Mirror(url))
    assert (again.versions, again.records) == ((), 0)
    pull(Mirror(url), tmp_path / "elsewhere")
    again = pull(Mirror(url), tmp_path / "elsewhere")
    assert (again.versions, again.records) == ((), 0)


def test_a_copy_that_broke_off_at_any_file_is_finished_by_the_next_and_never_half_a_version(
    promoted, url, tmp_path, monkeypatch
):
    whole = Mirror(url)
    for files in range(12):
        mirror = Mirror(url)
        _breaking(monkeypatch, mirror, "write", files)
        with pytest.raises(OSError, match="the line broke"):
            push(promoted, mirror)
        here = tmp_path / f"{files}"
        with suppress(ArtifactError):  # while it has none at all
            pull(whole, here)  # each version that it has is whole: this checks every byte of it
        if (here / "current").exists():
            assert (here / current_version(here)).is_dir()
        for name in whole.names():
            whole.remove(name)
    push(promoted, whole)
    for files in range(12):
        mirror, here = Mirror(url), tmp_path / f"pulled-{files}"
        _breaking(monkeypatch, mirror, "read", files)
        with pytest.raises(OSError, match="the line broke"):
            pull(mirror, here)
        pull(whole, here)
        assert current_version(here) == "m-2"


def _breaking(monkeypatch, mirror, name, files):
    left, call = [files], getattr(mirror, name)

    def broken(*arguments):
        if not left[0]:
            raise OSError("the line broke")
        left[0] -= 1
        return call(*arguments)

    monkeypatch.setattr(mirror, name, broken)


@pytest.mark.parametrize("file", ["forest.npz", "manifest.json"])
def test_a_flipped_byte_on_the_way_is_refused_and_nothing_of_the_version_is_kept(promoted, url, tmp_path, file):
    mirror = Mirror(url)
    push(promoted, mirror)
    content = bytearray(mirror.read(f"m-1/{file}", 1 << 20))
    content[len(content) // 2] ^= 1
    mirror.write(f"m-1/{file}", bytes(content))
    with pytest.raises(ArtifactError, match=f"m-1/{file}: SHA-256"):
        pull(mirror, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "m-1").exists()


def test_other_bytes_of_one_name_are_refused_both_ways(promoted, url, tmp_path):
    mirror = Mirror(url)
    push(promoted, mirror)
    pull(mirror, tmp_path / "elsewhere")
    sums = mirror.read("m-1/SHA256SUMS", 1 << 20)
    mirror.write("m-1/SHA256SUMS", sums.replace(sums[:4], b"0000", 1))
    for copying in (lambda: push(promoted, mirror), lambda: pull(mirror, tmp_path / "elsewhere")):
        with pytest.raises(ArtifactError, match="m-1: other bytes here than on the mirror"):
            copying()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".hidden"])
def test_sums_that_name_a_file_elsewhere_are_refused(promoted, url, tmp_path, name):
    mirror = Mirror(url)
    mirror.write("m-9/SHA256SUMS", f"{'0' * 64}  {name}\n".encode())
    with pytest.raises(ArtifactError, match="m-9/SHA256SUMS: not written by this program"):
        pull(mirror, tmp_path / "elsewhere")


def test_histories_that_went_on_differently_are_refused(promoted, url, tmp_path, evaluated):
    mirror, here = Mirror(url), tmp_path / "elsewhere"
    push(promoted, mirror)
    pull(mirror, here)
    promote(models_in(here, Policy({}, 1)), "m-2", "Eve", "here", NOW)
    promote(models_in(promoted, Policy({}, 1)), "m-2", "Cid", "there", NOW)
    push(promoted, mirror)
    with pytest.raises(ArtifactError, match=r"history\.jsonl: here and on the mirror"):
        pull(mirror, here)
    with pytest.raises(ArtifactError, match=r"history\.jsonl: here and on the mirror"):
        push(here, mirror)


def test_a_candidate_that_was_ended_is_ended_there_too(promoted, url, tmp_path):
    mirror, here = Mirror(url), tmp_path / "elsewhere"
    set_pointer(promoted, "candidate", "m-1")
    push(promoted, mirror)
    pull(mirror, here)
    assert current_version(here, "candidate") == "m-1"
    (promoted / "candidate").unlink()
    push(promoted, mirror)
    pull(mirror, here)
    assert not (here / "candidate").exists()


@pytest.mark.parametrize("url", ["nosuch://bucket/models", "s3://bucket/models"])
def test_a_url_that_fsspec_cannot_reach_says_what_to_install(url):
    with pytest.raises(ArtifactError, match="its fsspec package is installed"):
        Mirror(url).names()


def test_a_url_with_nothing_at_it_changes_nothing_here(promoted, url):
    with pytest.raises(ArtifactError, match="no version of anything; check the URL"):
        pull(Mirror(f"{url}/mistyped"), promoted)
    assert current_version(promoted) == "m-2"


def test_who_does_not_know_the_history_may_not_push(promoted, url, tmp_path, models_dir):
    mirror, fresh = Mirror(url), tmp_path / "fresh"
    push(promoted, mirror)
    fresh.mkdir()
    with pytest.raises(ArtifactError, match="pull before you push"):
        push(fresh, mirror)
    assert mirror.read("current", 100) == b"m-2\n"


def test_a_pull_during_a_push_names_nothing_that_is_not_here(promoted, url, tmp_path, monkeypatch, evaluated):
    mirror, here = Mirror(url), tmp_path / "elsewhere"
    push(promoted, mirror)
    pull(mirror, here)
    names, asked = mirror.names, []

    def slow():
        found = names()
        if not asked:
            asked.append(1)
            evaluated("m-1")
            promote(models_in(promoted, Policy({}, 1)), "m-1", "Cid", "back", NOW)
            push(promoted, Mirror(url))
        return found

    monkeypatch.setattr(mirror, "names", slow)
    pull(mirror, here)
    assert (here / current_version(here)).is_dir()
    mirror.write("current", b"m-9\n")
    with pytest.raises(ArtifactError, match="names m-9, which the mirror does not have"):
        pull(Mirror(url), here)
    assert current_version(here) != "m-9"


def test_a_directory_that_is_no_version_is_left_alone(promoted, url, tmp_path):
    odd = promoted / "m-1 backup"
    odd.mkdir()
    (odd / "SHA256SUMS").write_bytes((promoted / "m-1" / "SHA256SUMS").read_bytes())
    assert push(promoted, Mirror(url)).versions == ("m-1", "m-2")
    Mirror(url).write("m-2 backup/SHA256SUMS", b"")
    assert pull(Mirror(url), tmp_path / "elsewhere").versions == ("m-1", "m-2")


def test_a_line_that_was_cut_off_stays_where_it_is(promoted, url, tmp_path, evaluated):
    path = promoted / "history.jsonl"
    path.write_bytes(path.read_bytes() + b'{"action":"prom')
    push(promoted, Mirror(url))
    promote(models_in(promoted, Policy({}, 1)), "m-2", "Cid", "again", NOW)
    push(promoted, Mirror(url))
    pull(Mirror(url), tmp_path / "elsewhere")
    assert history.steps(tmp_path / "elsewhere") == history.steps(promoted)


def test_an_older_approval_never_replaces_a_newer_one(promoted, url, tmp_path, ann):
    mirror, here = Mirror(url), tmp_path / "elsewhere"
    push(promoted, mirror)
    pull(mirror, here)
    (path,) = (each for each in (here / "approvals" / "m-2").iterdir() if '"Ann"' in each.read_text())
    newer = json.loads(path.read_text())
    newer["approval"]["time_ms"] += 1
    path.write_text(json.dumps(newer))
    pull(mirror, here)
    assert json.loads(path.read_text()) == newer
    push(here, mirror)
    assert push(promoted, mirror).records == 0
    assert json.loads(mirror.read(str(path.relative_to(here)), 1 << 20)) == newer


def test_whatever_a_backend_raises_is_an_error_of_ours(promoted, url, monkeypatch):
    class NoCredentials(Exception):
        pass

    def find(_root):
        raise NoCredentials("Unable to locate credentials")

    mirror = Mirror(url)
    push(promoted, mirror)
    monkeypatch.setattr(mirror._fs, "find", find)
    with pytest.raises(ArtifactError, match="Unable to locate credentials; check the URL, its credentials"):
        mirror.names()
