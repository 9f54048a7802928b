"""Exports: what was written reads back, and one flipped byte anywhere is found."""

import functools

import fastavro
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.audit.export import Export, write_export
from monitor.audit.report import verify
from monitor.errors import ProtocolError
from tests.audit_log import log_of

LOG = [*log_of(0, 3), *log_of(1, 2)]


@pytest.fixture
def path(tmp_path):
    write_export(tmp_path / "e.avro", "audit", [0, 1], LOG)
    return tmp_path / "e.avro"


@functools.cache
def content():
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "e.avro"
        write_export(path, "audit", [0, 1], LOG)
        return path.read_bytes()


def verdict(path):
    """Whether an export is found good."""
    try:
        export = Export(path)
        return verify(export.blocks(), export.partitions).ok
    except ProtocolError:
        return False


def test_an_export_holds_what_was_written(path):
    export = Export(path)
    assert (export.audit_topic, export.partitions) == ("audit", [0, 1])
    assert list(export.blocks()) == LOG
    assert list(export.blocks([1])) == LOG[4:]
    assert verdict(path)


def test_an_export_is_a_container_that_any_reader_of_avro_reads(path):
    with path.open("rb") as opened:
        records = list(fastavro.reader(opened))
    assert [(each["partition"], each["offset"], each["value"]) for each in records[:-1]] == [
        tuple(each) for each in LOG
    ]
    assert (records[-1]["partition"], records[-1]["offset"], len(records[-1]["value"])) == (-1, len(LOG), 32)


@settings(max_examples=400)
@given(st.integers(0, len(content()) - 1), st.integers(1, 255))
@example(at=0, change=1)
@example(at=len(content()) - 1, change=128)
def test_a_flipped_byte_anywhere_in_an_export_is_found(tmp_path_factory, at, change):
    altered = bytearray(content())
    altered[at] ^= change
    path = tmp_path_factory.getbasetemp() / "flipped.avro"
    path.write_bytes(altered)
    assert not verdict(path), f"byte {at} flipped by {change} was not found"


def test_every_single_bit_of_the_container_around_the_blocks_counts(tmp_path):
    """The header, and the end: what the blocks' own hashes do not cover."""
    whole, path = content(), tmp_path / "flipped.avro"
    first = whole.index(LOG[0].value)
    for at in [*range(first + 5), *range(len(whole) - 60, len(whole))]:
        altered = bytearray(whole)
        altered[at] ^= 1 << (at % 8)
        path.write_bytes(altered)
        assert not verdict(path), f"byte {at}"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_an_export_that_was_cut_off_is_damaged(path, kept):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert not verdict(path)


def test_an_export_with_another_after_it_is_damaged(path):
    whole = path.read_bytes()
    with path.open("rb") as opened:
        reader = fastavro.reader(opened)
        list(reader)
        body = whole[whole.index(reader._header["sync"]) + 16 :]
    path.write_bytes(whole + body)
    with pytest.raises(ProtocolError, match="follows its closing record"):
        list(Export(path).blocks())


def test_an_export_that_fails_half_way_leaves_no_file(tmp_path):
    def broken():
        yield LOG[0]
        raise OSError("the broker went away")

    with pytest.raises(OSError, match="went away"):
        write_export(tmp_path / "e.avro", "audit", [0], broken())
    assert list(tmp_path.iterdir()) == []
