"""Models that are broken or absurd: one line each, never a traceback, never wrong numbers."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from engine import EngineError, InvalidModel, Session, Unsupported
from engine.onnx_file import read_model
from tests.engine.models import Array, graph_model, qdq_conv, qlinear_conv
from tests.engine.mutations import mutated_bytes, mutated_fields

make = helper.make_node
W = np.ones((2, 1, 1, 1), np.int8)
ONE: Any = {"x": (np.float32, [1])}
Change = Callable[[onnx.ModelProto], object]


def relu() -> onnx.ModelProto:
    return graph_model([make("Relu", ["x"], ["y"], name="r")], ONE, {"y": np.float32}, {})


def refused(model: Any, error: type[EngineError] = InvalidModel) -> str:
    """The one line that a model is refused with."""
    with pytest.raises(error) as caught:
        Session(model)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 7000
    return message


def initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(each for each in model.graph.initializer if each.name == name)


def duplicate(field: Any) -> None:
    field.add().CopyFrom(field[0])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda m: duplicate(m.graph.input), InvalidModel, "input 'x' exists twice"),
        (lambda m: duplicate(m.graph.output), InvalidModel, "output 'y' is listed twice"),
        (
            lambda m: duplicate(m.graph.initializer),
            InvalidModel,
            "initializer 'xs' exists twice",
        ),
        (
            lambda m: setattr(m.graph.input[0], "name", ""),
            InvalidModel,
            "an input has no name",
        ),
        (lambda m: setattr(m.graph.initializer[0], "name", ""), InvalidModel, "has no name"),
        (lambda m: m.graph.ClearField("input"), InvalidModel, "reads 'x', which is no input"),
        (lambda m: m.graph.ClearField("output"), InvalidModel, "no outputs"),
        (lambda m: m.graph.ClearField("node"), InvalidModel, "'y' is computed by no node"),
        (lambda m: m.ClearField("graph"), InvalidModel, "no IR version or no graph"),
        (lambda m: m.ClearField("opset_import"), InvalidModel, "add opset_import"),
        (lambda m: m.graph.node[0].ClearField("output"), InvalidModel, "has no output"),
        (lambda m: m.graph.node[0].ClearField("op_type"), Unsupported, "operator  (opset 13"),
        (lambda m: setattr(m.graph.node[0], "domain", "x"), Unsupported, "x.QLinearConv"),
        (lambda m: duplicate(m.graph.node[0].attribute), InvalidModel, "group is given twice"),
        (
            lambda m: setattr(m.graph.node[0].attribute[0], "type", 1),
            InvalidModel,
            "group must be an integer, not a float",
        ),
        (lambda m: m.graph.input[0].type.Clear(), Unsupported, "input 'x' is no tensor"),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 8),
            Unsupported,
            "input 'x' has type STRING",
        ),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99),
            Unsupported,
            "input 'x' has type 99",
        ),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", -1),
            InvalidModel,
            "input 'x' has shape (-1, 1, 8, 8); no size is negative",
        ),
    ],
)
def test_graphs_that_are_broken(change: Change, error: type[EngineError], words: str) -> None:
    model = qlinear_conv(W)
    change(model)
    assert words in refused(model, error)


def test_an_input_that_a_list_of_inputs_leaves_out() -> None:
    node = make("Concat", ["x", "", "x"], ["y"], axis=0, name="n")
    model = graph_model([node], ONE, {"y": np.float32}, {})
    assert refused(model) == "Concat 'n' has no input 1; it is required"


@pytest.mark.parametrize(
    ("dims", "kind", "words"),
    [
        ([2**40], TensorProto.FLOAT, "tensor 'c': 4 bytes do not hold type FLOAT"),
        ([2**33, 2**33], TensorProto.FLOAT, "4 bytes do not hold"),
        ([-1], TensorProto.FLOAT, "4 bytes do not hold"),
        ([0], TensorProto.FLOAT, "4 bytes do not hold"),
        ([1] * 100, TensorProto.FLOAT, "4 bytes do not hold"),
        ([0, 2**62, 2**62], TensorProto.FLOAT, "4 bytes do not hold"),
        ([9], TensorProto.INT4, "4 bytes do not hold type INT4"),
        ([3], TensorProto.BOOL, "4 bytes do not hold type BOOL"),
        ([3], TensorProto.FLOAT8E8M0, "4 bytes do not hold type FLOAT8E8M0"),
        ([1], TensorProto.STRING, "has type STRING"),
        ([1], TensorProto.COMPLEX64, "has type COMPLEX64"),
        ([1], 77, "has type 77"),
        ([1], 0, "has type UNDEFINED"),
    ],
)
def test_tensors_that_do_not_fit_their_bytes(dims: list[int], kind: int, words: str) -> None:
    model = relu()
    stored = onnx.TensorProto(name="c", data_type=kind, dims=dims, raw_data=b"\0" * 4)
    model.graph.initializer.append(stored)
    assert words in refused(model, EngineError)


@pytest.mark.parametrize("dims", [[2**40], [2**33, 2**33], [-2], [3]])
def test_tensors_in_typed_fields_that_do_not_fit(dims: list[int]) -> None:
    model = relu()
    stored = TensorProto(name="c", data_type=TensorProto.FLOAT, dims=dims, float_data=[1, 2])
    model.graph.initializer.append(stored)
    assert "tensor 'c': 0 bytes do not hold type FLOAT" in refused(model)


def test_an_input_of_absurd_size_is_only_a_shape() -> None:
    model = relu()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**40
    with pytest.raises(
        EngineError, match=r"shape \(1,\), the model takes x: float32\[1099511"
    ):
        Session(model).run({"x": np.zeros(1, np.float32)})


@pytest.mark.parametrize("name", ["n" * 10**6, "a\nb\r\u2028c", "\x00\x1b[31m"])
def test_names_of_any_kind_stay_one_line(name: str) -> None:
    model = relu()
    model.graph.node[0].input[0] = name
    assert "reads" in refused(model)
    model.graph.node[0].op_type = name
    assert "operator" in refused(model, Unsupported)


def test_bytes_cut_short() -> None:
    data = qlinear_conv(W).SerializeToString()
    for end in range(0, len(data) - 1, 3):
        with pytest.raises(EngineError):
            Session(data[:end])


def test_graphs_nested_10_000_deep_in_bytes() -> None:
    """The protobuf library gives up at 100 messages."""
    pieces, size = list[bytes](), 0
    for tag in (b"\x32", b"\x2a", b"\x0a") * 10_000:  # attribute.g, node.attribute, graph.node
        pieces.append(tag + _varint(size))
        size += len(pieces[-1])
    stored = b"\x08\x08" + b"\x3a" + _varint(size) + b"".join(reversed(pieces))
    assert "its bytes do not parse" in refused(stored)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def calling(*bodies: list[onnx.NodeProto]) -> onnx.ModelProto:
    """A model that calls function f0; the others are f1, f2, ..."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function("own", f"f{i}", ["a"], ["b"], body, opsets)
        for i, body in enumerate(bodies)
    ]
    call = make("f0", ["x"], ["y"], domain="own")
    model = graph_model([call], ONE, {"y": np.float32}, {}, 17)
    model.opset_import.add(domain="own", version=1)
    model.functions.extend(functions)
    return model


def test_functions_are_inlined() -> None:
    inner = [make("Relu", ["a"], ["t"]), make("Add", ["t", "t"], ["b"])]
    outer = [make("f1", ["a"], ["t"], domain="own"), make("f1", ["t"], ["b"], domain="own")]
    model = calling(outer, inner)
    before = model.SerializeToString()
    assert Session(model).run({"x": np.array([3], np.float32)})["y"] == 12
    assert model.SerializeToString() == before
    assert not read_model(model).functions


def test_functions_that_call_themselves() -> None:
    once = [make("f0", ["a"], ["b"], domain="own")]
    assert "function 'f0' of the model calls itself" in refused(calling(once))
    by_two = [make("f1", ["a"], ["b"], domain="own")]
    assert "calls itself" in refused(calling(by_two, once))


def test_functions_that_multiply() -> None:
    """2**40 nodes from 40 functions of two."""
    bodies = [
        [
            make(f"f{i + 1}" if i < 39 else "Relu", [a], [b], domain="own" if i < 39 else "")
            for a, b in (("a", "t"), ("t", "b"))
        ]
        for i in range(40)
    ]
    assert "more than 100000 nodes" in refused(calling(*bodies), Unsupported)


def stored_outside(folder: Path, **place: object) -> Path:
    """A model whose tensor "c" lies elsewhere."""
    model = graph_model(
        [make("Add", ["x", "c"], ["y"])], ONE, {"y": np.float32}, {"c": np.ones(1, np.float32)}
    )
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("place", ["c.bin", "sub/c.bin", "./c.bin"])
def test_tensors_beside_the_model_are_read(tmp_path: Path, place: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / place).write_bytes(b"\0" * 4 + np.array([5], np.float32).tobytes())
    path = stored_outside(tmp_path, location=place, offset=4, length=4)
    for model in (path, str(path)):
        assert Session(model).run({"x": np.array([2], np.float32)})["y"] == 7


def test_nibbles_beside_the_model_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.bin").write_bytes(b"\x21\x03")
    path = stored_outside(tmp_path, location="c.bin")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].data_type = TensorProto.UINT4
    model.graph.initializer[0].dims[0] = 3
    model.graph.node[0].op_type = "Identity"
    del model.graph.node[0].input[0]
    path.write_bytes(model.SerializeToString())
    y = Session(path).run({"x": np.zeros(1, np.float32)})["y"]
    assert y.astype(int).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"location": "/etc/hostname"}, "only files inside the model's folder"),
        ({"location": "../c.bin"}, "only files inside the model's folder"),
        ({"location": "sub/../../c.bin"}, "only files inside the model's folder"),
        ({"location": "link"}, "only files inside the model's folder"),
        ({"location": "absent"}, "only files inside the model's folder"),
        ({"location": "sub"}, "only files inside the model's folder"),
        ({"location": "c\0d"}, "only files inside the model's folder"),
        ({}, "lies at ''"),
        ({"location": "c.bin", "offset": 8}, "bytes 8 to 4 of 'c.bin', which has 4"),
        ({"location": "c.bin", "length": 2**60}, "bytes 0 to 1152921504606846976"),
        ({"location": "c.bin", "offset": -4}, "bytes -4 to"),
        ({"location": "c.bin", "length": -1}, "bytes 0 to -1"),
        ({"location": "c.bin", "offset": "a"}, "cannot be read from 'c.bin'"),
        ({"location": "c.bin", "length": 2}, "2 bytes do not hold type FLOAT"),
    ],
)
def test_tensors_anywhere_else_are_not(
    tmp_path: Path, place: dict[str, object], words: str
) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for each in (tmp_path, folder):
        (each / "c.bin").write_bytes(b"\0" * 4)
    (folder / "link").symlink_to(tmp_path / "c.bin")
    assert words in refused(stored_outside(folder, **place))


def test_a_path_that_is_none(tmp_path: Path) -> None:
    assert "give the path" in refused(str(tmp_path), EngineError)
    assert "give the path" in refused("a\0b", EngineError)


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fusion", ["on", "off"])
def test_scales_that_are_none_never_fuse(scale: float, fusion: str) -> None:
    """The float graph still means something, the fused one does not: both ways the same bits."""
    model = qdq_conv(W)
    initializer(model, "ys").CopyFrom(numpy_helper.from_array(np.float32(scale), "ys"))
    x = np.ones((1, 1, 8, 8), np.uint8)
    try:
        session = Session(model, fusion=fusion)
    except InvalidModel as error:
        assert "scale" in str(error)  # noqa: PT017 - a refusal is right too
        return
    assert all(not each.rule for each in session.plan().steps)
    assert session.run({"x": x})["y"].dtype == np.uint8


SEEDS = (
    qdq_conv(np.ones((2, 3, 3, 3), np.int8), bias=np.zeros(2), activation="Clip"),
    qlinear_conv(np.ones((2, 3, 3, 3), np.int8), bias=np.zeros(2), pads=[1, 1, 1, 1]),
    calling([make("Relu", ["a"], ["b"])]),
)


def load_and_run(model: Any) -> None:
    for fusion in ("on", "off"):
        session = Session(model, fusion=fusion)
        assert str(session.plan())
        session.run({"x": np.ones((1, 3, 8, 8), np.uint8)})


@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.booleans())
def test_nothing_but_one_line_comes_out(
    model: onnx.ModelProto, r: random.Random, as_bytes: bool
) -> None:
    changed = mutated_bytes(model, r) if as_bytes else mutated_fields(model, r)
    try:
        load_and_run(changed)
    except EngineError as error:
        text = str(error)
        assert (len(text.splitlines()), len(text) < 7000) == (1, True)


def test_odd_but_legal_models_run() -> None:
    """Nodes without names or of one name, unused inputs and outputs, "" for what is absent."""
    nodes = [
        make("Relu", ["x"], ["a"], name="n"),
        make("Relu", ["x"], ["unused"], name="n"),
        make("Clip", ["a", "", "high"], ["b"]),
        make("Identity", ["b"], ["y"], name="n"),
    ]
    inputs: Any = {"x": (np.float32, None), "idle": (np.float32, [1])}
    model = graph_model(nodes, inputs, {"y": np.float32}, {"high": np.array(2, np.float32)})
    for shape in ((), (1,), (0,), (2, 0, 3)):
        x = np.full(shape, 3, np.float32)
        y = Session(model).run({"x": x, "idle": np.zeros(1, np.float32)})["y"]
        assert y.shape == shape
        assert (y == 2).all()


@pytest.mark.parametrize("fusion", ["on", "off"])
def test_parameters_with_one_element_and_no_images(fusion: str) -> None:
    model = qdq_conv(W)
    for name in ("xs", "xz", "ws", "wz", "ys", "yz"):
        tensor = initializer(model, name)
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).reshape(1), name)
        )
    x = np.ones((1, 1, 8, 8), np.uint8)
    expected = Session(qdq_conv(W)).run({"x": x})["y"]
    assert (Session(model, fusion=fusion).run({"x": x})["y"] == expected).all()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 0
    assert Session(model, fusion=fusion).run({"x": x[:0]})["y"].shape == (0, 2, 8, 8)


TYPES: list[Any] = [
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.INT4,
    TensorProto.UINT4,
    TensorProto.INT2,
    TensorProto.UINT2,
    TensorProto.FLOAT8E4M3FN,
    TensorProto.FLOAT8E5M2,
    TensorProto.FLOAT8E8M0,
    TensorProto.FLOAT4E2M1,
    TensorProto.BOOL,
    TensorProto.UINT32,
    TensorProto.UINT64,
    TensorProto.INT16,
    TensorProto.DOUBLE,
]


@pytest.mark.parametrize("kind", TYPES, ids=TensorProto.DataType.Name)
def test_every_type_of_real_numbers_comes_in(kind: int) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    numbers = [1, 2 if kind == TensorProto.FLOAT8E8M0 else 0, 1]  # that has no zero
    values: Array = np.array(numbers).astype(dtype)
    nodes = [make("Identity", ["x"], ["y"]), make("Identity", ["c"], ["z"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [3])],
        [helper.make_tensor_value_info(name, kind, [3]) for name in ("y", "z")],
        [numpy_helper.from_array(values, "c")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)])
    found = Session(model).run({"x": values})
    for each in found.values():
        assert each.dtype == dtype
        assert each.tobytes() == values.tobytes()
    typed = graph.initializer[0]
    typed.CopyFrom(helper.make_tensor("c", kind, [3], numbers))
    model.graph.CopyFrom(graph)
    assert Session(model).run({"x": values})["z"].tobytes() == values.tobytes()
