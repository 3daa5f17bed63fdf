from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from corpus.load import InputError, load_array, load_model, load_npy, random_inputs
from tests.corpus.models import FOUR, conv_case, identity, with_external_data


def refusal(path: Path) -> str:
    """The one line with which a model file is refused."""
    with pytest.raises(InputError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def write(path: Path, model: ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_survives(tmp_path: Path) -> None:
    case = conv_case()
    (tmp_path / "m.onnx").write_bytes(case.model)
    assert load_model(tmp_path / "m.onnx") == case.proto()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.onnx")
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x08", b"hello world", b"\x08\x07", b"PK\x03\x04"])
def test_what_is_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert "is not an ONNX model" in refusal(path)


def test_garbage_is_always_refused_in_one_line(tmp_path: Path) -> None:
    random = Random(1)
    path = tmp_path / "m.onnx"
    for size in range(300):
        path.write_bytes(random.randbytes(size))
        refusal(path)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    whole = conv_case().model
    path = tmp_path / "m.onnx"
    for size in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:size])
        refusal(path)


def test_a_model_without_opset_or_outputs(tmp_path: Path) -> None:
    model = identity(TensorProto.FLOAT, [1])
    del model.opset_import[:]
    assert "no opset" in refusal(write(tmp_path / "a.onnx", model))
    model = identity(TensorProto.FLOAT, [1])
    del model.graph.output[:]
    assert "no graph with outputs" in refusal(write(tmp_path / "b.onnx", model))


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    model = identity(TensorProto.FLOAT, [1])
    model.graph.node[0].input[0] = "y"
    assert "not a valid ONNX model" in refusal(write(tmp_path / "m.onnx", model))


def test_too_large_a_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with path.open("wb") as stream:
        stream.truncate(2**31 + 1)  # sparse: takes no disk
    assert "larger than" in refusal(path)


def test_external_data_beside_the_model_is_read_in(tmp_path: Path) -> None:
    (tmp_path / "k.bin").write_bytes(b"head" + FOUR.tobytes() + b"tail")
    model = with_external_data("k.bin", offset="4", length="16")
    loaded = load_model(write(tmp_path / "m.onnx", model))
    np.testing.assert_array_equal(numpy_helper.to_array(loaded.graph.initializer[0]), FOUR)
    assert not onnx.external_data_helper.uses_external_data(loaded.graph.initializer[0])


@pytest.mark.parametrize("location", ["../k.bin", "/etc/hostname", "link.bin", "none.bin", ""])
def test_external_data_elsewhere_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "k.bin").write_bytes(FOUR.tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "k.bin")
    path = write(folder / "m.onnx", with_external_data(location))
    assert "is no file in the model's folder" in refusal(path)


@pytest.mark.parametrize(
    ("offset", "length"), [("8", "16"), ("-1", "4"), ("99", "1"), ("a", "1")]
)
def test_external_data_out_of_the_file_is_refused(
    tmp_path: Path, offset: str, length: str
) -> None:
    (tmp_path / "k.bin").write_bytes(FOUR.tobytes())
    model = with_external_data("k.bin", offset=offset, length=length)
    assert "data of tensor 'k'" in refusal(write(tmp_path / "m.onnx", model))


def test_deeply_nested_graphs_are_refused(tmp_path: Path) -> None:
    graph = identity(TensorProto.FLOAT, [1]).graph
    for _ in range(20):
        node = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph(
            [node], "g", [], [helper.make_tensor_value_info("y", 1, [1])]
        )
        del node.attribute[1:]
        graph.node[0].CopyFrom(node)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    refusal(write(tmp_path / "m.onnx", model))


def array_refusal(path: Path, model: ModelProto, name: str = "x") -> str:
    with pytest.raises(InputError) as caught:
        load_array(path, model, name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_array_of_the_right_type_and_shape(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    for shape in ((2, 3), (0, 3)):
        np.save(path, np.zeros(shape, np.uint8))
        array = load_array(path, identity(TensorProto.UINT8, ["n", 3]), "x")
        assert (array.shape, array.dtype.name, array.flags.writeable) == (shape, "uint8", True)


def test_an_array_for_an_input_that_has_a_default(tmp_path: Path) -> None:
    path = tmp_path / "s.npy"
    np.save(path, np.ones(1, np.float32))
    model = identity(TensorProto.UINT8, ["n", 3])
    model.graph.input.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, [1]))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "s"))
    assert load_array(path, model, "s") == 1
    assert set(random_inputs(model, 1)) == {"x"}


def test_an_array_of_another_input(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    model = identity(TensorProto.UINT8, ["n", 3])
    np.save(path, np.zeros((2, 3), np.int8))
    assert array_refusal(path, model) == f"{path} holds int8, input 'x' takes uint8"
    assert array_refusal(path, model, "z") == "the model has no input 'z'; its inputs are x"
    np.save(path, np.zeros((2, 4), np.uint8))
    assert array_refusal(path, model).endswith("of shape 2x4, input 'x' takes ?x3")
    np.save(path, np.zeros(3, np.uint8))
    assert "input 'x' takes ?x3" in array_refusal(path, model)


def test_files_that_are_no_plain_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    contents = [path.read_bytes(), b"", b"\x93NUMPY", b"text", np.zeros(9).tobytes()]
    np.save(path, np.zeros(9))
    contents.append(path.read_bytes()[:-1])
    padded = b"(9,), }" + b" " * 12
    assert padded in path.read_bytes()
    huge = path.read_bytes().replace(padded, b"(9" + b"0" * 12 + b",), }")
    contents.append(huge)
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_npy(path)
        assert "\n" not in str(caught.value)


def test_an_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.zeros(1))
    with pytest.raises(InputError, match="archive"):
        load_npy(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "name", ["uint8", "int8", "int16", "int32", "int64", "bool", "float32"]
)
def test_random_inputs_have_the_type_and_the_shape(name: str) -> None:
    elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(name))
    drawn = random_inputs(identity(elem_type, ["n", 50]), 1)
    assert (drawn["x"].dtype, drawn["x"].shape) == (np.dtype(name), (1, 50))
    assert len(np.unique(drawn["x"])) > 1
    again = random_inputs(identity(elem_type, ["n", 50]), 1)
    assert drawn["x"].tobytes() == again["x"].tobytes()


def test_random_codes_use_the_whole_type() -> None:
    drawn = random_inputs(identity(TensorProto.INT8, [9999]), 1)["x"]
    assert (drawn.min(), drawn.max()) == (-128, 127)


def test_random_reals_fill_the_range_of_the_codes_made_of_them() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [9999])
    y = helper.make_tensor_value_info("y", TensorProto.INT8, [9999])
    scale = numpy_helper.from_array(np.array(0.5, np.float32), "s")
    zero = numpy_helper.from_array(np.array(-28, np.int8), "z")
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    graph = helper.make_graph([node], "g", [x], [y], [scale, zero])
    drawn = random_inputs(helper.make_model(graph), 1)["x"]
    assert -50 <= drawn.min() < -49
    assert 77 < drawn.max() <= 77.5


@pytest.mark.parametrize("elem_type", [TensorProto.STRING, TensorProto.COMPLEX64])
def test_types_that_are_not_drawn_may_be_given(elem_type: int) -> None:
    model = identity(elem_type, [1])
    with pytest.raises(InputError, match=r"input 'x' is of type .* give it as NAME=FILE\.npy"):
        random_inputs(model, 1)
    assert random_inputs(model, 1, given=["x"]) == {}


def test_inputs_of_unknown_rank_or_of_absurd_size() -> None:
    with pytest.raises(InputError, match="has no shape"):
        random_inputs(identity(TensorProto.FLOAT, None), 1)
    with pytest.raises(InputError, match="more than"):
        random_inputs(identity(TensorProto.FLOAT, [2**20, 2**20]), 1)


def test_an_opset_from_the_future_is_refused(tmp_path: Path) -> None:
    model = identity(TensorProto.FLOAT, [1])
    model.opset_import[0].version = onnx.defs.onnx_opset_version() + 1
    assert "convert it" in refusal(write(tmp_path / "m.onnx", model))


def test_an_output_declared_with_another_shape_is_refused(tmp_path: Path) -> None:
    model = conv_case().proto()
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 77
    assert "77" in refusal(write(tmp_path / "m.onnx", model))


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["x"], ["y"], name="same")
    other = helper.make_node("Identity", ["y"], ["z"], name="same")
    x, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xz")
    model = helper.make_model(helper.make_graph([node, other], "g", [x], [z]))
    assert "two nodes are called 'same'" in refusal(write(tmp_path / "m.onnx", model))


def test_what_is_no_regular_file_is_not_read() -> None:
    assert "no regular file" in refusal(Path("/dev/zero"))


def test_nobody_is_told_to_unpickle(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_text("not an array")
    with pytest.raises(InputError, match="no header") as caught:
        load_npy(path)
    assert "pickle" not in str(caught.value)


def test_an_infinite_scale_spans_no_range_to_draw_from() -> None:
    scale = numpy_helper.from_array(np.float32(np.inf), "s")
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["q"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [8])
    q = helper.make_tensor_value_info("q", TensorProto.UINT8, [8])
    model = helper.make_model(helper.make_graph([node], "g", [x], [q], [scale]))
    assert np.isfinite(random_inputs(model, 0)["x"]).all()
