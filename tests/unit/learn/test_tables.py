import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import pytest

from monitor.errors import DatasetError
from monitor.learn import tables
from monitor.learn.dataset import replay
from monitor.learn.play import HASH_KEY
from monitor.learn.sources import FileSource
from monitor.learn.tables import Tables
from monitor.simulate.files import table, write_csv, write_parquet
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

SPEC = SimulationSpec(seed=8, transactions=3_000)


@pytest.fixture(scope="module")
def rows():
    return pa.concat_tables([table(batch) for batch in generate(SPEC)])


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "payments.parquet"
    write_parquet(generate(SPEC), path)
    return path


def read(path, exchange, **window):
    return replay(FileSource([path], **window).slices(), exchange)


def same(one, other):
    return one.digest == other.digest and one.features.tobytes() == other.features.tobytes()


def test_csv_and_parquet_of_one_simulation_replay_to_the_same_bits(tmp_path, parquet, exchange):
    csv = tmp_path / "payments.csv"
    write_csv(generate(SPEC), csv)
    from_parquet, from_csv = read(parquet, exchange), read(csv, exchange)
    assert same(from_parquet, from_csv)
    assert from_csv.fraud.any()
    assert from_csv.label_time.tolist() == from_parquet.label_time.tolist()


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f+00:00"])
def test_times_in_csv_may_have_a_zone_or_none_and_any_fraction(tmp_path, rows, exchange, form):
    path = tmp_path / "payments.csv"
    written = rows.drop_columns(["attributes"])
    for name in ("event_time", "label_time"):
        texts = [None if time is None else time.strftime(form) for time in written[name].to_pylist()]
        written = written.set_column(written.schema.get_field_index(name), name, pa.array(texts, pa.string()))
    pa.csv.write_csv(written, path)
    pa.parquet.write_table(rows, tmp_path / "payments.parquet")
    assert same(read(path, exchange), read(tmp_path / "payments.parquet", exchange))


def test_without_any_fraud_the_label_times_may_be_nothing_at_all(tmp_path, rows, exchange):
    path = tmp_path / "payments.parquet"
    genuine = rows.filter(pa.compute.invert(rows["is_fraud"]))
    place = genuine.schema.get_field_index("label_time")
    pa.parquet.write_table(genuine.set_column(place, "label_time", pa.nulls(len(genuine))), path)
    assert not read(path, exchange).fraud.any()


@pytest.mark.parametrize("slice_rows", [250_000, 400])
def test_rows_in_any_order_are_replayed_by_event_time(tmp_path, rows, exchange, monkeypatch, slice_rows):
    monkeypatch.setattr(tables, "SLICE_ROWS", slice_rows)
    times = rows["event_time"].cast(pa.int64()).to_numpy()
    in_order = rows.take(pa.array(np.unique(times, return_index=True)[1]))  # of one time the files' order would count
    shuffled = in_order.take(pa.array(np.random.default_rng(2).permutation(len(in_order))))
    pa.parquet.write_table(in_order, tmp_path / "a.parquet")
    pa.parquet.write_table(shuffled, tmp_path / "b.parquet", row_group_size=500)
    assert Tables.open([tmp_path / "a.parquet"]).edges is None
    assert same(read(tmp_path / "a.parquet", exchange), read(tmp_path / "b.parquet", exchange))


def test_several_files_and_a_directory_of_them_are_one_source(tmp_path, rows, exchange):
    (tmp_path / "parts").mkdir()
    paths = [tmp_path / "parts" / f"{part}.parquet" for part in range(3)]
    for path, start in zip(paths, (0, 1_000, 2_000), strict=True):
        pa.parquet.write_table(rows.slice(start, 1_000 if start < 2_000 else len(rows)), path)
    pa.parquet.write_table(rows, tmp_path / "whole.parquet")
    whole = read(tmp_path / "whole.parquet", exchange)
    assert same(replay(FileSource(paths).slices(), exchange), whole)
    assert same(read(tmp_path / "parts", exchange), whole)


def test_a_window_takes_its_first_moment_and_not_its_last(parquet, rows, exchange):
    times = np.sort(rows["event_time"].cast(pa.int64()).to_numpy())
    source = FileSource([parquet], from_ms=int(times[10]), to_ms=int(times[20]))
    assert (source.rows, source.first_ms, source.end_ms) == (10, times[10], times[19] + 1)
    assert replay(source.slices(), exchange).event_time.tolist() == times[10:20].tolist()
    with pytest.raises(DatasetError, match="widen --from"):
        FileSource([parquet], from_ms=int(times[-1]) + 1)


def test_memory_holds_a_slice_at_a_time(tmp_path, rows, monkeypatch):
    monkeypatch.setattr(tables, "SLICE_ROWS", 300)
    shuffled = rows.take(pa.array(np.random.default_rng(2).permutation(len(rows))))
    for name, each in (("ordered", rows), ("shuffled", shuffled)):
        path = tmp_path / f"{name}.parquet"
        pa.parquet.write_table(each, path)
        sizes = [len(part) for part in Tables.open([path]).slices(HASH_KEY)]
        assert sum(sizes) == len(rows)
        assert max(sizes) <= 310


def test_what_is_no_file_of_payments_is_refused_by_name(tmp_path, rows):
    with pytest.raises(DatasetError, match=r"nowhere\.parquet: not there"):
        Tables.open([tmp_path / "nowhere.parquet"])
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 but not really")
    with pytest.raises(DatasetError, match=r"broken\.parquet: cannot be read as parquet"):
        Tables.open([broken])
    timeless = rows.set_column(2, "event_time", pa.array([None] * len(rows), rows.schema.field("event_time").type))
    pa.parquet.write_table(timeless, tmp_path / "timeless.parquet")
    with pytest.raises(DatasetError, match=f"event_time: null in {len(rows)} rows"):
        Tables.open([tmp_path / "timeless.parquet"])
    text = tmp_path / "text.csv"
    pa.csv.write_csv(rows.drop_columns(["attributes"]).slice(0, 3), text)
    text.write_text(text.read_text().replace(str(rows["amount_minor"][0].as_py()), "much", 1))
    with pytest.raises(DatasetError, match=r"text\.csv: cannot be read"):
        list(Tables.open([text]).slices(HASH_KEY))
