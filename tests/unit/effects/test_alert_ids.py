"""The ids of alerts: UUIDs of version 5 that never change."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.alert_ids import ALERT_NAMESPACE, ID_BYTES, alert_id, alert_ids


def test_the_id_of_an_alert_never_changes():
    # A literal: were the namespace or the name to change, consumers that deduplicate would see every alert anew.
    assert alert_id("topic-id", 0, 1) == "10c898c5-d919-5993-9199-6e8a8757e9ab"


@given(st.text(max_size=30), st.integers(0, 2**31), st.lists(st.integers(0, 2**63 - 1), max_size=5))
def test_ids_are_uuids_of_version_5_one_after_the_other(topic_id, partition, offsets):
    expected = [str(uuid.uuid5(ALERT_NAMESPACE, f"{topic_id}/{partition}/{offset}")) for offset in offsets]
    found = alert_ids(topic_id, partition, offsets).decode()
    assert [found[at : at + ID_BYTES] for at in range(0, len(found), ID_BYTES)] == expected


def test_each_source_record_has_an_alert_id_of_its_own():
    ids = {alert_id(topic, partition, offset) for topic in "ab" for partition in range(12) for offset in range(12)}
    assert len(ids) == 2 * 12 * 12
