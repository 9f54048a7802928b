"""ids.json and its files: what is refused, by name. What holds for every source is in tests/contract/test_schema_sources.py."""

import json

import pytest

from monitor.errors import SchemaError
from monitor.resources import shipped
from monitor.wire.reader import compile_reader
from monitor.wire.schema_files import FileSchemas


@pytest.fixture
def directory(tmp_path):
    def make(ids, **files):
        (tmp_path / "ids.json").write_text(ids if isinstance(ids, str) else json.dumps(ids))
        for name, text in files.items():
            (tmp_path / f"{name}.avsc").write_text(text)
        return tmp_path

    return make


def line(file, suffix="-value"):
    return {"file": file, "subject_suffix": suffix}


def test_the_shipped_directory_has_an_id_for_each_of_our_schemas():
    source = FileSchemas(shipped("schemas"))
    for path in shipped("schemas").glob("*.avsc"):
        schema_id = source.id_of("anything-value", path.read_text())
        assert json.loads(source.writer_schema(schema_id)) == json.loads(path.read_text())


def test_the_shipped_transaction_schema_is_read_by_the_kernel():
    source = FileSchemas(shipped("schemas"))
    assert compile_reader(source.writer_schema(1)).program is not None


def test_several_ids_may_name_evolved_schemas_and_the_same_one(directory):
    source = FileSchemas(
        directory({"1": line("old.avsc"), "7": line("new.avsc"), "9": line("old.avsc")}, old='"int"', new='"long"')
    )

    assert [source.writer_schema(each) for each in (1, 7, 9)] == ['"int"', '"long"', '"int"']
    assert source.id_of("t-value", '"int"') == 1


def test_the_suffix_tells_subjects_apart(directory):
    source = FileSchemas(directory({"1": line("s.avsc", "-key"), "2": line("s.avsc")}, s='"int"'))

    assert source.id_of("t-value", '"int"') == 2


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ("{", "the file"),
        ('{"1": "transaction.avsc"}', "1"),
        ({"1": {"file": "s.avsc"}}, "subject_suffix"),
        ({"one": line("s.avsc")}, "id 'one'"),
        ({"0": line("s.avsc")}, "id '0'"),
        ({"-1": line("s.avsc")}, "id '-1'"),
        ({"2147483648": line("s.avsc")}, "id '2147483648'"),
        ({"²": line("s.avsc")}, "id '²'"),
        ({"1": line("absent.avsc")}, "absent.avsc: cannot be read"),
        ({"1": line("../s.avsc")}, "name a file of the same directory"),
        ({"1": line("/etc/passwd")}, "name a file of the same directory"),
        ({"1": line("broken.avsc")}, "broken.avsc: not JSON"),
    ],
)
def test_a_directory_that_cannot_be_used_is_refused_with_the_line(ids, said, directory):
    with pytest.raises(SchemaError, match=r"ids\.json|avsc") as refused:
        FileSchemas(directory(ids, s='"int"', broken="{"))
    assert said in str(refused.value)


def test_a_directory_without_an_index_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="set schemas_dir"):
        FileSchemas(tmp_path)
