"""ONNX ModelProto to the engine's graph: reads, refuses in one line, changes nothing.

The protobuf is walked once; neither the checker nor shape inference runs, because a campaign
loads a model per case. What the engine relies on is checked here: names, order, operator
versions, where tensors live.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Attribute, Graph, Node, Value
from engine.kernels.operator import MANY, Operator, operator

OPSETS = range(10, 28)
"""Every operator of ours means the same throughout; 28 redefines QuantizeLinear."""

_RAW_DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    11: np.dtype(np.float64),
}
_DTYPES: Mapping[int, np.dtype[Any]] = {
    **_RAW_DTYPES,
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    9: np.dtype(np.bool_),
}
_TENSOR_TYPES = dict(onnx.TensorProto.DataType.items())
_EXTERNAL = 1
_CONSTANT = operator(
    "Constant",
    lambda node, setting: lambda: None,  # becomes an initializer
    "value value_float value_floats value_int value_ints",
    inputs=0,
)


def read_model(model: bytes | onnx.ModelProto | str | Path) -> onnx.ModelProto:
    """The parsed model; InvalidModel where there is none in what was given."""
    if isinstance(model, onnx.ModelProto):
        return model
    if isinstance(model, str | Path):
        model = _read_file(Path(model))
    try:
        return onnx.ModelProto.FromString(model)
    except DecodeError as error:
        raise InvalidModel(
            "this is no ONNX model: its bytes do not parse; export it again"
        ) from error


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EngineError(
            f"model {path}: {error.strerror}; give the path of an ONNX file"
        ) from error


def import_graph(proto: onnx.ModelProto, operators: Mapping[str, Operator]) -> Graph:
    """The graph of a model.

    Args:
        proto: the parsed model; not changed.
        operators: the operators that may occur.

    Raises:
        Unsupported: an opset, operator, attribute or storage this engine does not have.
        InvalidModel: names that dangle, repeat or form a cycle.
    """
    opset = _opset(proto)
    source = proto.graph
    constants = {each.name: read_tensor(each) for each in source.initializer}
    if source.sparse_initializer:
        raise Unsupported("sparse initializers are not supported; store them as dense tensors")
    nodes = []
    for each in source.node:
        node = _node(each, operators, opset)
        if node.op == "Constant":
            constants[node.outputs[0]] = _constant(node)
        else:
            nodes.append(node)
    inputs = tuple(_value(each) for each in source.input if each.name not in constants)
    graph = Graph(
        opset=opset,
        inputs=inputs,
        outputs=tuple(each.name for each in source.output),
        constants=constants,
        nodes=tuple(nodes),
    )
    _check_names(graph)
    return graph


def _opset(proto: onnx.ModelProto) -> int:
    if not proto.ir_version or not proto.HasField("graph"):
        raise InvalidModel("this is no ONNX model: it has no IR version or no graph")
    for each in proto.opset_import:
        if each.domain in ("", "ai.onnx"):
            if each.version not in OPSETS:
                raise Unsupported(
                    f"opset {each.version} is not supported; convert the model to opset "
                    f"{OPSETS[0]} to {OPSETS[-1]}"
                )
            return int(each.version)
    raise InvalidModel(
        "the model imports no version of the ONNX operator set; add opset_import"
    )


def read_tensor(tensor: onnx.TensorProto) -> Array:
    """The values of a stored tensor; read-only where they share the model's bytes."""
    if tensor.data_location == _EXTERNAL:
        raise Unsupported(
            f"tensor {tensor.name!r} is stored outside the model; save it inside"
        )
    dtype = _RAW_DTYPES.get(tensor.data_type)
    raw = tensor.raw_data
    try:
        if dtype is not None and raw:
            flat, dims = np.frombuffer(raw, dtype), tensor.dims
            rank = len(dims)
            if rank == 1 and flat.size == dims[0]:
                return flat
            return flat.reshape(tuple(dims) if rank else ())
        values: Array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidModel(
            f"tensor {tensor.name!r}: {len(raw)} bytes do not hold type {tensor.data_type}, "
            f"shape {list(tensor.dims)}"
        ) from error
    return values


def _node(proto: onnx.NodeProto, operators: Mapping[str, Operator], opset: int) -> Node:
    inputs, outputs = _trimmed(proto.input), _trimmed(proto.output)
    op, identity = proto.op_type, proto.name
    if not identity:
        identity = next(filter(None, outputs), op)
    if not outputs:
        raise InvalidModel(f"{op} {proto.name!r} has no output; remove the node")
    known = _CONSTANT if op == "Constant" else operators.get(op)
    if known is None or proto.domain.replace("ai.onnx", "") not in known.domains:
        _refuse_operator(proto, identity, operators, opset)
    if opset < known.since and not proto.domain:
        raise InvalidModel(
            f"{op} {identity!r} exists from opset {known.since}, not in {opset}"
        )
    _check_counts(op, identity, known, inputs, outputs)
    attributes: dict[str, Attribute] = {}
    for each in proto.attribute:
        if each.name not in known.attributes:
            raise Unsupported(f"{op} {identity!r}: attribute {each.name!r} is not supported")
        attributes[each.name] = _attribute(each, op, identity)
    return Node(identity, op, inputs, outputs, attributes)


def _check_counts(
    op: str, identity: str, known: Operator, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    for count, (fewest, most), what in (
        (len(inputs), known.inputs, "input(s)"),
        (len(outputs), known.outputs, "output(s)"),
    ):
        if not fewest <= count <= most:
            upto = "" if most == fewest else " or more" if most == MANY else f" to {most}"
            raise InvalidModel(f"{op} {identity!r} has {count} {what}; it takes {fewest}{upto}")
    for i, name in enumerate(inputs[: known.inputs[0]]):
        if not name:
            raise InvalidModel(f"{op} {identity!r} has no input {i}; it is required")


def _trimmed(names: Sequence[str]) -> tuple[str, ...]:
    """The names without the absent ones at the end."""
    found = tuple(names)
    while found and not found[-1]:
        found = found[:-1]
    return found


def _refuse_operator(
    proto: onnx.NodeProto, identity: str, operators: Mapping[str, Operator], opset: int
) -> NoReturn:
    domain = f"{proto.domain}." if proto.domain else ""
    names = sorted(name for name, each in operators.items() if each.domains)
    raise Unsupported(
        f"operator {domain}{proto.op_type} (opset {opset}, node {identity!r}) is not supported; "
        f"supported: {', '.join(names)}"
    )


def _attribute(proto: onnx.AttributeProto, op: str, identity: str) -> Attribute:
    kind = proto.type
    if kind == 2:
        return int(proto.i)
    if kind == 7:
        return tuple(proto.ints)
    if kind == 3:
        return str(proto.s.decode(errors="replace"))
    if kind == 1:
        return float(proto.f)
    if kind == 4:
        return read_tensor(proto.t)
    if kind == 6:
        return tuple(proto.floats)
    raise Unsupported(
        f"{op} {identity!r}: attribute {proto.name!r} has a type that is not supported"
    )


def _constant(node: Node) -> Array:
    for name, dtype in (
        ("value", None),
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in node.attributes:
            return np.asarray(node.attributes[name], dtype)
    raise InvalidModel(f"Constant {node.id!r} has no value")


def _value(proto: onnx.ValueInfoProto) -> Value:
    kind = proto.type.tensor_type
    dtype = _DTYPES.get(kind.elem_type)
    if dtype is None:
        names = {number: name for name, number in _TENSOR_TYPES.items()}
        raise Unsupported(
            f"input {proto.name!r} has type {names.get(kind.elem_type, kind.elem_type)}; supported: "
            f"{', '.join(str(each) for each in _DTYPES.values())}"
        )
    shape = None
    if kind.HasField("shape"):
        shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
    return Value(proto.name, dtype, shape)


def _check_names(graph: Graph) -> None:
    known: set[str] = {"", *graph.constants}
    known.update(each.name for each in graph.inputs)
    for node in graph.nodes:
        if not known.issuperset(node.inputs):
            _refuse_missing(node, known, graph)
        for name in node.outputs:
            if name in known and name:
                raise InvalidModel(
                    f"{node.op} {node.id!r}: its output {name!r} exists already; rename it"
                )
        known.update(node.outputs)
    _check_outputs(graph.outputs, known)


def _refuse_missing(node: Node, known: Iterable[str], graph: Graph) -> None:
    name = next(each for each in node.inputs if each not in known)
    if any(name in each.outputs for each in graph.nodes):
        raise InvalidModel(
            f"{node.op} {node.id!r} reads {name!r} before it is computed (a cycle, or nodes out of order)"
        )
    raise InvalidModel(
        f"{node.op} {node.id!r} reads {name!r}, which is no input, initializer or node output"
    )


def _check_outputs(outputs: tuple[str, ...], known: set[str]) -> None:
    if not outputs:
        raise InvalidModel("the graph has no outputs; name at least one")
    for name in outputs:
        if name not in known or not name:
            raise InvalidModel(f"graph output {name!r} is computed by no node; remove it")
