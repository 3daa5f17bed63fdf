from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from corpus.case import Case
from corpus.load import InputError
from corpus.store import Contents, file_name, load, save
from tests.corpus.models import conv_case, identity, renamed

NAMES = [
    "plain",
    "../../x",
    "a/b",
    "a%2Fb",
    "",
    ".",
    "..",
    "a b\n",
    "C:\\x",
    "x" * 500,
    "é~",
    "~",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_back(tmp_path: Path, name: str) -> None:
    case = renamed(conv_case(), "y", name) if name else conv_case()
    y = np.arange(6, dtype=np.uint8)
    save(tmp_path / "f", case, {"expected": {name: y}})
    loaded, arrays = load(tmp_path / "f")
    assert loaded.digest == case.digest
    np.testing.assert_array_equal(arrays["expected"][name], y)
    assert {each.parent for each in tmp_path.rglob("*.npy")} == {tmp_path / "f"}


def test_long_names_that_begin_alike_do_not_collide(tmp_path: Path) -> None:
    x, y = "n" * 200 + "x", "n" * 200 + "y"
    case = renamed(renamed(conv_case(), "x", x), "y", y)
    save(tmp_path / "f", case, {"actual": {x: np.zeros(1), y: np.ones(1)}})
    _, arrays = load(tmp_path / "f")
    assert {name: float(array[0]) for name, array in arrays["actual"].items()} == {
        x: 0.0,
        y: 1.0,
    }


@given(st.sets(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=8))
def test_names_never_share_a_file_nor_leave_the_folder(names: set[str]) -> None:
    files = {file_name("input", name) for name in names}
    assert len(files) == len(names)
    for file in files:
        assert Path(file).name == file
        assert len(file) < 128
        assert file.isascii()


def test_every_role_and_text_file_is_kept(tmp_path: Path) -> None:
    roles = ("expected", "allowed_low", "allowed_high", "actual")
    arrays = {role: {"y": np.array([i], np.int64)} for i, role in enumerate(roles)}
    save(tmp_path / "a" / "f", conv_case(), arrays, files={"issue.md": "Größe\n"})
    assert (tmp_path / "a" / "f" / "issue.md").read_text(encoding="utf-8") == "Größe\n"
    _, loaded = load(tmp_path / "a" / "f")
    assert {role: int(each["y"][0]) for role, each in loaded.items()} == dict(
        zip(roles, range(4), strict=True)
    )


def test_nothing_is_left_of_a_save_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown role"):
        save(tmp_path / "f", conv_case(), {"guess": {"y": np.zeros(1)}})
    with pytest.raises(ValueError, match="plain file name"):
        save(tmp_path / "f", conv_case(), files={"../evil": ""})
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        save(tmp_path / "f", conv_case(), {"actual": {"y": np.array([{}], object)}})
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    save(tmp_path / "f", conv_case())
    with pytest.raises(FileExistsError, match="exists"):
        save(tmp_path / "f", conv_case())
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_folder_that_does_not_fit_its_model(tmp_path: Path) -> None:
    save(tmp_path / "f", conv_case())
    np.save(tmp_path / "f" / "notes.npy", np.zeros(1))
    with pytest.raises(InputError, match="belongs to no tensor"):
        load(tmp_path / "f")
    (tmp_path / "f" / "notes.npy").unlink()
    np.save(tmp_path / "f" / "input_x.npy", np.zeros((1, 1, 2, 3), np.int8))
    with pytest.raises(InputError, match="holds int8, input 'x' takes uint8"):
        load(tmp_path / "f")
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "none")


def test_a_folder_inside_is_kept_with_it_and_never_read_for_it(tmp_path: Path) -> None:
    case, y = conv_case(), np.arange(6, dtype=np.uint8)
    other = renamed(conv_case(), "y", "z")
    inner = {"other": Contents(other, {"actual": {"z": y}}, {"note.txt": "two"})}
    save(tmp_path / "f", case, {"actual": {"y": y}}, inner=inner)
    found, arrays = load(tmp_path / "f")
    assert (found.digest, set(arrays["actual"])) == (case.digest, {"y"})
    found, arrays = load(tmp_path / "f" / "other")
    assert (found.digest, set(arrays["actual"])) == (other.digest, {"z"})
    assert (tmp_path / "f" / "other" / "note.txt").read_text() == "two"
    with pytest.raises(ValueError, match="not a plain"):
        save(tmp_path / "g", case, inner={"../h": Contents(other, {}, {})})
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2, TensorProto.INT4]
)
def test_types_that_numpy_does_not_know_come_back(tmp_path: Path, kind: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    array = np.arange(3).astype(dtype)
    model = identity(kind, [3])
    model.ir_version, model.opset_import[0].version = 10, 21
    case = Case(model.SerializeToString(), {"x": array})
    (output,) = case.proto().graph.output
    save(tmp_path / "f", case, {"actual": {output.name: array}})
    found, arrays = load(tmp_path / "f")
    assert found.inputs["x"].dtype == arrays["actual"][output.name].dtype == dtype
    assert found.inputs["x"].tobytes() == array.tobytes()
