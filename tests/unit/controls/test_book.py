"""Controls folded from records: what replaces what, what is passed over, and what a version stands for."""

import hashlib
import uuid
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from monitor.controls.book import MOST_REFUSED, MOST_TOLD, ControlBook
from monitor.controls.controls import NO_CONTROLS, Override, Suppression
from monitor.controls.history import ControlsHistory
from monitor.controls.policy import Retired
from monitor.controls.record import read_signed
from monitor.decide.policy import BLOCK, REVIEW
from monitor.keys import key_id
from monitor.registry.approvals import CONTROLS, Policy
from tests.unit.controls.conftest import HERE, HOUR, NOBODY, NOW, book_of, control, record

ID = str(uuid.UUID(int=1))


def test_an_empty_topic_has_no_version_and_no_controls():
    book = ControlBook(NOBODY)
    assert (book.version, book.controls, book.entries, book.refused) == ("", NO_CONTROLS, (), ())


def test_each_kind_becomes_what_runs_are_decided_with():
    made = book_of(
        control(rule_id="burst", blocks=True),
        control("override"),
        control("list_entry", word="m-2"),
        control("list_entry"),
        control("rail"),
        control("rail", rail="wallet", state="open"),
        control("rail", rail="transfer", state="auto"),
    ).controls
    assert made.suppressions == (Suppression(ID, "a-1", "burst", None, True, NOW, NOW + HOUR),)
    assert made.overrides == (Override(ID, "a-1", REVIEW, NOW, NOW + HOUR),)
    assert dict(made.lists) == {"watched": ("m-1", "m-2")}
    assert dict(made.rails) == {"card": "walled", "wallet": "open"}


def test_a_later_record_of_a_key_takes_the_place_of_the_one_before():
    book = book_of(control("override"), control("override", outcome="block", created_at=NOW + 1))
    assert [each.outcome for each in book.controls.overrides] == [BLOCK]
    assert [offset for offset, _ in book.entries] == [1]


def test_a_withdrawal_ends_it_and_keeps_who_withdrew_it():
    book = book_of(control(), control(withdrawn=True, author="Ben", created_at=NOW + 1))
    assert book.controls == replace(NO_CONTROLS, version=book.version)
    assert [each.control.author for each in book.entries] == ["Ben"]
    assert set(book.counts().values()) == {0}


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (control(created_at=NOW), "not after that of the record before"),
        (control(created_at=NOW - 1, withdrawn=True), "not after that of the record before"),
        (control("override", withdrawn=True, created_at=NOW + 1), "nothing of that id is in force"),
    ],
)
def test_what_is_not_newer_or_ends_nothing_is_passed_over(late, said):
    book = book_of(control())
    before = book.controls.suppressions
    assert said in book.add(1, *record(late))
    assert book.controls.suppressions == before
    assert book.refusals == 1


def test_a_withdrawn_control_cannot_be_put_back_with_its_old_bytes():
    book = book_of(control(), control(withdrawn=True, created_at=NOW + 1))
    assert book.add(2, *record(control())) is not None
    assert book.controls.suppressions == ()


def test_an_override_that_took_anothers_place_is_not_withdrawn_by_the_others_id():
    other = str(uuid.UUID(int=2))
    book = book_of(control("override"), control("override", control_id=other, created_at=NOW + 1))
    assert book.add(2, *record(control("override", withdrawn=True, created_at=NOW + 2))) is not None
    assert [each.control_id for each in book.controls.overrides] == [other]


@pytest.mark.parametrize("key", [b"override/a-2", b"", None, b"\xff"])
def test_a_record_under_another_key_is_passed_over(key):
    book = ControlBook(NOBODY)
    assert "its key must be 'override/a-1'" in book.add(0, key, record(control("override"))[1])
    assert book.controls.overrides == ()


@pytest.mark.parametrize("value", [None, b"", b"\0\0\0\0\1rubbish"])
def test_what_cannot_be_read_is_passed_over_and_counts_in_the_version(value):
    book = ControlBook(NOBODY)
    assert "control at offset 3" in book.add(3, b"override/a-1", value)
    assert book.version.startswith("3@")
    assert (book.refusals, len(book.refused)) == (1, 1)
    assert book.add(4, *record(control("override"))) is None
    assert (book.refusals, book.refused) == (1, ()), "its key has a good record since"


def test_of_many_refusals_the_last_are_told():
    book = ControlBook(NOBODY)
    for offset in range(3 * MOST_TOLD):
        book.add(offset, b"%d" % offset, b"")
    assert [f"offset {offset} " in each for offset, each in enumerate(book.refused, 2 * MOST_TOLD)] == [
        True
    ] * MOST_TOLD


def test_refusals_are_kept_of_so_many_keys_only():
    book = ControlBook(NOBODY)
    for offset in range(3 * MOST_REFUSED):
        book.add(offset, b"%d" % offset, b"")
    assert (len(book._refused), book.refusals) == (MOST_REFUSED, 3 * MOST_REFUSED)


def test_records_are_added_in_their_order():
    book = book_of(control())
    with pytest.raises(ValueError, match="added in their order"):
        book.add(0, *record(control("rail")))


def test_the_version_is_the_offset_and_a_chain_of_digests_as_documented():
    key, value = record(control())
    book = ControlBook(NOBODY)
    book.add(5, key, value)
    book.add(9, None, b"x")
    digest = bytes(32)
    for part, content in ((key, value), (None, b"x")):
        framed = b"".join(
            (-1 if each is None else len(each)).to_bytes(8, "big", signed=True) + (each or b"")
            for each in (part, content)
        )
        digest = hashlib.sha256(digest + framed).digest()
    assert book.version == f"9@{digest.hex()[:12]}"


def test_with_signers_enough_different_ones_must_have_signed(keys, policy):
    made = control()
    ann, ben = ((key_id(key.public_key()), key.sign(made.signed_bytes(HERE))) for key in keys)
    strange = ("00" * 32, ann[1])
    for signatures in ((), (ann,), (ann, ann), (ann, strange), (ann, (ben[0], ann[1]))):
        book = ControlBook(policy)
        assert "valid signatures of the 2 needed" in book.add(0, *record(made, signatures))
        assert book.controls.suppressions == ()
    book = ControlBook(policy)
    assert book.add(0, *record(made, (ann, ben))) is None
    assert len(book.controls.suppressions) == 1


@pytest.mark.parametrize(
    "change", [{"account_id": "a-2"}, {"reason": "other"}, {"blocks": True}, {"until_ms": NOW + 2 * HOUR}]
)
def test_a_signature_is_of_every_field(keys, policy, change):
    signatures = [(key_id(key.public_key()), key.sign(control().signed_bytes(HERE))) for key in keys]
    assert "0 valid signatures" in ControlBook(policy).add(0, *record(replace(control(), **change), signatures))


def test_other_signers_make_another_version_of_the_same_records(keys, policy):
    versions = set()
    for each in (
        NOBODY,
        policy,
        replace(policy, approvals=replace(policy.approvals, needed=1)),
        replace(policy, installation="staging"),
    ):
        book = ControlBook(each)
        book.add(0, *record(control()))
        versions.add(book.version)
    assert len(versions) == 4


def test_what_is_signed_for_one_installation_is_nothing_at_another(keys, policy):
    made = control()
    key, value = record(made, [(key_id(each.public_key()), each.sign(made.signed_bytes("staging"))) for each in keys])
    assert "0 valid signatures of the 2 needed for fraud-monitor" in ControlBook(policy).add(0, key, value)
    assert ControlBook(replace(policy, installation="staging")).add(0, key, value) is None


def test_the_digest_begins_with_what_stands_for_the_policy_as_documented(keys, policy):
    policy = replace(policy, retired={"aa": Retired(keys[0].public_key(), 7)})
    signers = ",".join(f'"{name}"' for name in sorted(policy.approvals.signers))
    said = f'{{"installation":"fraud-monitor","needed":2,"retired":{{"aa":7}},"signers":[{signers}]}}'
    assert policy.beginning() == hashlib.sha256(f"monitor controls policy 1\n{said}".encode()).digest()


def test_what_a_retired_key_withdrew_stays_withdrawn_and_nothing_more_is_decided_with_it(keys, policy):
    ann, ben, cleo = *keys, Ed25519PrivateKey.generate()
    signers = {key_id(each.public_key()): each.public_key() for each in (ann, ben)}
    now = replace(policy, approvals=Policy(signers, 2, CONTROLS))
    left = replace(now, retired={key_id(cleo.public_key()): Retired(cleo.public_key(), 1)})

    def signed(made, *by):
        return record(made, [(key_id(each.public_key()), each.sign(made.signed_bytes(HERE))) for each in by])

    records = [
        signed(control("rail"), ann, ben),
        signed(control("rail", withdrawn=True, created_at=NOW + 1), ann, cleo),
        signed(control("rail", rail="wallet"), ann, cleo),
    ]

    def refused(policy):
        book = ControlBook(policy)
        return [at for at, each in enumerate(records) if book.add(at, *each) is not None], dict(book.controls.rails)

    assert refused(left) == ([2], {})
    assert refused(now) == ([1, 2], {"card": "walled"}), "what just taking it out would bring back"


def decisions():
    """Records as people with clocks of their own would write them, and some that are none."""
    times = st.integers(NOW, NOW + 6)
    ids = st.integers(1, 3).map(lambda number: str(uuid.UUID(int=number)))
    common = {"created_at": times, "control_id": ids, "withdrawn": st.booleans()}
    kinds = st.one_of(
        st.builds(control, st.just("suppression"), account_id=st.sampled_from(["a-1", "a-2"]), **common),
        st.builds(control, st.just("override"), account_id=st.sampled_from(["a-1", "a-2"]), **common),
        st.builds(control, st.just("list_entry"), word=st.sampled_from(["m-1", "m-2"]), **common),
        st.builds(control, st.just("rail"), state=st.sampled_from(["walled", "open", "auto"]), **common),
    ).map(record)
    return st.one_of(kinds, kinds, st.tuples(st.none() | st.binary(max_size=3), st.none() | st.binary(max_size=3)))


@given(st.lists(decisions(), max_size=25), st.lists(st.integers(1, 5), min_size=25, max_size=25), st.randoms())
def test_the_controls_of_any_moment_are_rebuilt_from_the_topic(found, steps, random):
    book, records, snapshots, offset = ControlBook(NOBODY), [], [], -1
    for (key, value), step in zip(found, steps, strict=False):
        offset += step  # markers of transactions lie between
        records.append((offset, key, value))
        book.add(offset, key, value)
        snapshots.append((book.version, book.controls))
    history = ControlsHistory(NOBODY, lambda: records)
    random.shuffle(snapshots)
    for version, then in snapshots:
        assert history.at(version) == then


@given(st.lists(decisions(), max_size=25))
def test_of_each_key_the_last_allowed_record_is_what_counts(found):
    book, last = ControlBook(NOBODY), {}
    for offset, (key, value) in enumerate(found):
        if book.add(offset, key, value) is None:
            last[key] = read_signed(value).control
    assert {each.control.key.encode(): each.control for each in book.entries} == last
    standing = [each for each in last.values() if not each.withdrawn]
    controls = book.controls
    assert {each.account_id for each in controls.overrides} == {
        each.account_id for each in standing if each.kind == "override"
    }
    assert {each.control_id for each in controls.suppressions} == {
        each.control_id for each in standing if each.kind == "suppression"
    }
    assert {word for words in controls.lists.values() for word in words} == {
        each.word for each in standing if each.kind == "list_entry"
    }
    assert dict(controls.rails) == {
        each.rail: each.state for each in standing if each.kind == "rail" and each.state != "auto"
    }
    assert sum(book.counts().values()) == len(standing)
