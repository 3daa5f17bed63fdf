"""Small models for the reducer's tests, and predicates on what a model contains."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Case

BEFORE = ("Relu", "Neg", "Abs", "Sigmoid", "Tanh", "Neg", "Abs", "Relu", "Neg")
AFTER = ("Sigmoid", "Tanh", "Neg", "Abs", "Relu", "Neg", "Sigmoid", "Tanh", "Abs")


def ops(case: Case) -> list[str]:
    return [node.op_type for node in case.proto().graph.node]


def constant(case: Case, name: str) -> np.ndarray:
    tensors = {each.name: each for each in case.proto().graph.initializer}
    return np.array(numpy_helper.to_array(tensors[name]))


def chain(operators: Sequence[str], shape: Sequence[int] = (1, 2, 4, 4)) -> Case:
    """Unary float operators, one after the other, from ``x`` to ``y``."""
    names = ["x", *(f"middle_{i}" for i in range(1, len(operators))), "y"]
    nodes = [
        helper.make_node(op, [names[i]], [names[i + 1]], name=f"node_{i}")
        for i, op in enumerate(operators)
    ]
    return case_of(nodes, {"x": reals(shape)}, {"y": (TensorProto.FLOAT, shape)}, {})


def wrapped(groups: int = 2, channels: int = 24) -> Case:
    """A quantized convolution between 9 + 9 elementwise nodes: 21 nodes with its Q and DQ."""
    rng = np.random.default_rng(0)
    shape = (1, channels, 8, 8)
    inner = helper.make_node(
        "QLinearConv",
        ["codes", "xs", "xz", "weights", "ws", "wz", "ys", "yz"],
        ["conv_out"],
        name="the_conv",
        group=groups,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
    )
    nodes, last = _row(BEFORE, "x", "before")
    nodes += [
        helper.make_node("QuantizeLinear", [last, "xs", "xz"], ["codes"], name="quantize")
    ]
    nodes += [inner]
    nodes += [
        helper.make_node("DequantizeLinear", ["conv_out", "ys", "yz"], ["real"], name="dq")
    ]
    after, last = _row(AFTER, "real", "after")
    weights = rng.integers(-128, 128, (channels, channels // groups, 3, 3)).astype(np.int8)
    constants = {
        "xs": np.float32(0.01),
        "xz": np.int8(3),
        "weights": weights,
        "ws": np.float32(0.02),
        "wz": np.int8(0),
        "ys": np.float32(1),
        "yz": np.int8(5),
    }
    outputs = {last: (TensorProto.FLOAT, shape)}
    return case_of([*nodes, *after], {"x": reals(shape)}, outputs, constants)


def residual(pixels: int = 6) -> Case:
    """Two Q/DQ convolutions and a float Add of both branches: not a single convolution."""
    shape = (2, 3, pixels, pixels)
    weights = np.arange(-14, 13, dtype=np.int8).reshape(3, 3, 3, 1)
    nodes = [helper.make_node("DequantizeLinear", ["codes", "s", "z"], ["x"], name="dq_x")]
    for branch in ("left", "right"):
        wide = [f"w_{branch}", "s", "z"]
        nodes += [
            helper.make_node("DequantizeLinear", wide, [f"r_{branch}"], name=f"dq_{branch}"),
            helper.make_node(
                "Conv", ["x", f"r_{branch}"], [branch], name=branch, pads=[1, 0, 1, 0]
            ),
        ]
    nodes += [
        helper.make_node("Add", ["left", "right"], ["sum"], name="add"),
        helper.make_node("QuantizeLinear", ["sum", "s", "z"], ["y"], name="q"),
    ]
    constants = {
        "s": np.float32(0.1),
        "z": np.int8(1),
        "w_left": weights,
        "w_right": weights[::-1].copy(),
    }
    codes = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    return case_of(nodes, {"codes": codes}, {"y": (TensorProto.INT8, shape)}, constants)


def case_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, np.ndarray],
    outputs: Mapping[str, tuple[int, Sequence[int]]],
    constants: Mapping[str, object],
) -> Case:
    graph = helper.make_graph(
        list(nodes),
        "a graph with a name",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in inputs.items()
        ],
        [helper.make_tensor_value_info(name, *kind) for name, kind in outputs.items()],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
        doc_string="words that nobody needs",
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.producer_name = "a tool"
    onnx.checker.check_model(model, full_check=True)
    return Case(model.SerializeToString(), inputs, "test")


def reals(shape: Sequence[int]) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def asked_only_valid(still_fails: Callable[[Case], bool]) -> Callable[[Case], bool]:
    """The predicate, after checking that a valid model with fitting data is asked about."""

    def checked(case: Case) -> bool:
        model = case.proto()
        onnx.checker.check_model(model, full_check=True)
        declared = {
            each.name: tuple(size.dim_value for size in each.type.tensor_type.shape.dim)
            for each in model.graph.input
        }
        assert declared == {name: array.shape for name, array in case.inputs.items()}
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        assert list(inferred.graph.output) == list(model.graph.output)
        return still_fails(case)

    return checked


def _row(
    operators: Sequence[str], first: str, prefix: str
) -> tuple[list[onnx.NodeProto], str]:
    nodes = []
    for number, op in enumerate(operators):
        last = f"{prefix}_{number}"
        nodes.append(helper.make_node(op, [first], [last], name=last))
        first = last
    return nodes, first
