"""Who must have signed a control, as the settings say it."""

import pytest

from monitor.controls.policy import controls_policy_of
from monitor.errors import SettingsError
from monitor.keys import load_public, make_key
from monitor.settings import Settings


@pytest.fixture
def public(tmp_path):
    """Public keys of Ann and Cleo, as paths."""
    return {name: make_key(tmp_path / f"{name}.key", None)[0] for name in ("ann", "cleo")}


def test_settings_name_who_signs_and_who_signed_until_when(public):
    found = controls_policy_of(
        Settings(app_id="north", controls_signers=str(public["ann"]), controls_retired_signers=f"{public['cleo']}@41")
    )
    (retired,) = found.retired.items()
    (cleo,) = load_public([public["cleo"]])
    assert (found.installation, found.asks) == ("north", True)
    assert (retired[0], retired[1].last_offset) == (cleo, 41)
    assert not controls_policy_of(Settings()).asks


@pytest.mark.parametrize("entry", ["{cleo}", "{cleo}@", "{cleo}@-1", "@7", "{cleo}@x"])
def test_a_retired_key_without_its_offset_is_an_error_of_settings(public, entry):
    settings = Settings(controls_signers=str(public["ann"]), controls_retired_signers=entry.format(**public))
    with pytest.raises(SettingsError, match="write KEY"):
        controls_policy_of(settings)


def test_a_key_signs_or_is_retired_and_somebody_must_sign(public):
    with pytest.raises(SettingsError, match="in controls_signers too"):
        controls_policy_of(
            Settings(controls_signers=str(public["ann"]), controls_retired_signers=f"{public['ann']}@41")
        )
    with pytest.raises(SettingsError, match="controls_signers is empty"):
        controls_policy_of(Settings(controls_retired_signers=f"{public['cleo']}@41"))
