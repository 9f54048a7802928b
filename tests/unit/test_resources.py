"""Where shipped files are found."""

import pytest

from monitor import resources
from monitor.resources import shipped


def test_a_checkout_uses_the_schemas_beside_the_package():
    directory = shipped("schemas")
    assert (directory / "transaction.avsc").is_file()
    assert directory.parent == resources._PACKAGE.parent


@pytest.mark.parametrize("beside", ["schemas/x.avsc", None])
def test_an_installed_wheel_uses_the_copy_inside_the_package(tmp_path, monkeypatch, beside):
    """Also when some other project's directory of the same name lies beside it, as in site-packages."""
    package = tmp_path / "monitor"
    package.mkdir()
    if beside:
        (tmp_path / beside).parent.mkdir()
        (tmp_path / beside).touch()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert shipped("schemas") == package / "_data" / "schemas"
