"""Matrix products between Q and DQ, for the tests of R06 to R09, R60 and R61."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.engine.models import Array, graph_model

R = np.random.default_rng(7)
A = R.integers(0, 256, (4, 8)).astype(np.uint8)
B = R.integers(-128, 128, (8, 6)).astype(np.int8)
ROW = R.integers(-500, 500, 6).astype(np.int32)
F32 = np.float32

# powers of two keep every float32 step of the unfused graph exact: both must agree bit for bit
CONSTANTS: dict[str, Any] = {
    "as": F32(2.0**-5),
    "az": np.uint8(3),
    "b": B,
    "bs": F32(2.0**-6),
    "bz": np.int8(0),
    "cs": F32(2.0**-11),
    "lo": F32(0),
    "hi": F32(6),
    "ys": F32(0.5),
    "yz": np.uint8(5),
}


def dequantize(name: str, **attributes: Any) -> onnx.NodeProto:
    """Node "d<name>": codes <name> with <name>s, <name>z become <name>f."""
    names = [name if name != "x" else "x", f"{name}s", f"{name}z"]
    return helper.make_node(
        "DequantizeLinear", names, [f"{name}f"], name=f"d{name}", **attributes
    )


def product(
    op: str = "MatMul",
    *,
    bias: str = "",
    between: tuple[str, ...] = (),
    quantized: bool = True,
    b_attributes: dict[str, int] | None = None,
    outputs: dict[str, Any] | None = None,
    a_shape: tuple[int, ...] = (4, 8),
    swapped: bool = False,
    opset: int = 21,
    constants: dict[str, Any] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """Nodes da, db[, dc], m1[, add], t0.., qy; ``bias`` is "int32" or "float", "" for none."""
    given = CONSTANTS | {"c": ROW, "cf": (ROW * 2.0**-11).astype(F32)} | (constants or {})
    nodes = [dequantize("a"), dequantize("b", **(b_attributes or {}))]
    if bias == "int32":
        more = {"axis": 0} if np.ndim(given["cs"]) else {}
        names = ["c", "cs"] + (["cz"] if "cz" in given else [])
        nodes.append(helper.make_node("DequantizeLinear", names, ["cf"], name="dc", **more))
    last = "mf"
    operands = ["af", "bf"] + (["cf"] if bias and op == "Gemm" else [])
    nodes.append(helper.make_node(op, operands, [last], name="m1", **attributes))
    if bias and op == "MatMul":
        both = ["cf", last] if swapped else [last, "cf"]
        nodes.append(helper.make_node("Add", both, ["sf"], name="add"))
        last = "sf"
    for i, each in enumerate(between):
        read = [last, "lo", "hi"] if each == "Clip" else [last]
        nodes.append(helper.make_node(each, read, [f"t{i}f"], name=f"t{i}"))
        last = f"t{i}f"
    if quantized:
        nodes.append(helper.make_node("QuantizeLinear", [last, "ys", "yz"], ["y"], name="qy"))
    made = {name for node in nodes for name in node.output}
    read_names = {name for node in nodes for name in node.input}
    kept = {name: each for name, each in given.items() if name in read_names - made}
    results = outputs or {"y" if quantized else last: given["yz"].dtype if quantized else F32}
    inputs = {"a": (np.asarray(given["az"]).dtype, list(a_shape))}
    return graph_model(nodes, inputs, results, kept, opset)


def with_inputs(
    model: onnx.ModelProto, *names: str
) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """Constants turned into graph inputs, and what to feed for them."""
    fed = {}
    for each in [each for each in model.graph.initializer if each.name in names]:
        fed[each.name] = numpy_helper.to_array(each)
        info = helper.make_tensor_value_info(each.name, each.data_type, list(each.dims))
        model.graph.input.append(info)
        model.graph.initializer.remove(each)
    return model, fed


def kinds(model: onnx.ModelProto, **how: Any) -> list[tuple[str, str]]:
    """(operation, rule) of each step."""
    from engine import Session

    return [(each.kind, each.rule) for each in Session(model, **how).plan().steps]
