"""SHA-256 in lanes: against the standard's examples, and against hashlib."""

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.sha256 import DIGEST_WORDS, LANES, WORDS, begin, compress, work_array
from monitor.jit import kernel


@kernel
def start(work):
    begin(work)


def digests(messages):
    """Of up to `LANES` messages of as many blocks each, padded here, in plain Python."""
    padded = [m + b"\x80" + bytes(-(len(m) + 9) % 64) + (8 * len(m)).to_bytes(8, "big") for m in messages]
    (size,) = {len(each) for each in padded}
    work = work_array()
    start(work)
    rows = work[WORDS : WORDS + 16 * LANES].reshape(16, LANES)
    for at in range(0, size, 64):
        for lane, each in enumerate(padded):
            rows[:, lane] = np.frombuffer(each[at : at + 64], ">u4")
        compress(work)
    values = work[: DIGEST_WORDS * LANES].reshape(DIGEST_WORDS, LANES)
    return [values[:, lane].astype(">u4").tobytes() for lane in range(len(messages))]


# NIST, "Examples with Intermediate Values" for SHA-256, and short messages of the CAVP's SHA256ShortMsg.rsp.
EXAMPLES = [
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ),
    (bytes.fromhex("d3"), "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
    (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
]


@pytest.mark.parametrize(("message", "digest"), EXAMPLES)
def test_the_examples_of_the_standard_come_out(message, digest):
    assert [each.hex() for each in digests([message])] == [digest]


@given(st.integers(0, 300).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1, max_size=LANES)))
def test_each_lane_hashes_its_own_message_as_hashlib_does(messages):
    assert digests(messages) == [sha256(message).digest() for message in messages]
