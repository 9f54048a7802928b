import hashlib
import json

import pytest


@pytest.fixture
def resealed():
    """A function that changes a manifest and writes digests that fit: what somebody does who wants an altered file to load."""

    def reseal(directory, **changes):
        path = directory / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        names = sorted(each.name for each in directory.iterdir() if each.name != "SHA256SUMS")
        sums = (f"{hashlib.sha256((directory / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
        (directory / "SHA256SUMS").write_text("".join(sums))

    return reseal
