"""ONNX ModelProto to the engine's graph: reads, refuses in one line, changes nothing.

The protobuf is walked once; neither the checker nor shape inference runs, because a campaign
loads a model per case. What the engine relies on is checked here: names, order, operator
versions, types of attributes, where tensors live.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Attribute, Graph, Node, Value
from engine.kernels.operator import Operator
from engine.onnx_conversions import check_conversions
from engine.onnx_names import captured_by, check_names, check_unique, trimmed
from engine.onnx_operator import (
    OPSETS,
    check_attribute,
    check_counts,
    check_required,
    find_operator,
    find_schema,
)
from engine.onnx_tensor import read_tensor, read_value

_DEEPEST = 50
_OVERRIDABLE = 4


@dataclass(frozen=True, slots=True)
class _Context:
    """What holds for a graph and its subgraphs; ``outer`` are the constants around a subgraph."""

    operators: Mapping[str, Operator]
    opset: int
    folder: Path | None
    outer: Mapping[str, Array]
    depth: int = 0


def import_graph(
    proto: onnx.ModelProto, operators: Mapping[str, Operator], folder: Path | None = None
) -> Graph:
    """The graph of a model.

    An initializer that is also an input is a constant up to IR version 3; later it is what that
    input has where the caller gives nothing, and no constant.

    Args:
        proto: the parsed model, without functions; not changed.
        operators: the operators that may occur.
        folder: where the files of its tensors lie; None: there are none.

    Raises:
        Unsupported: an opset, operator, attribute or storage this engine does not have.
        InvalidModel: names that dangle, repeat or form a cycle.
    """
    context = _Context(operators, _opset(proto), folder, {})
    source = proto.graph
    constants = _initializers(source, context.folder)
    inputs, defaults = _inputs(source, constants, proto.ir_version)
    nodes = _nodes(source, context, constants)
    outputs = tuple(each.name for each in source.output)
    graph = Graph(context.opset, inputs, outputs, constants, nodes, defaults)
    check_names(graph)
    check_conversions(graph)
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


def _initializers(source: onnx.GraphProto, folder: Path | None) -> dict[str, Array]:
    if source.sparse_initializer:
        raise Unsupported("sparse initializers are not supported; store them as dense tensors")
    check_unique("initializer", [each.name for each in source.initializer])
    return {each.name: read_tensor(each, folder) for each in source.initializer}


def _nodes(
    source: onnx.GraphProto, context: _Context, constants: dict[str, Array]
) -> tuple[Node, ...]:
    """The nodes of a graph; those that are constants join ``constants`` instead."""
    nodes = []
    for each in source.node:
        node = _node(each, context, constants)
        if node.op != "Constant":
            nodes.append(node)
            continue
        name = node.outputs[0]
        if name in constants:
            raise InvalidModel(f"two constants are called {name!r}; rename one")
        constants[name] = _constant(node)
    return tuple(nodes)


def _inputs(
    source: onnx.GraphProto, constants: dict[str, Array], ir_version: int
) -> tuple[tuple[Value, ...], dict[str, Array]]:
    """The inputs, and what those have that the caller may leave out: these leave ``constants``."""
    check_unique("input", [each.name for each in source.input])
    inputs, defaults = [], {}
    for each in source.input:
        if each.name not in constants:
            inputs.append(read_value(each))
        elif ir_version >= _OVERRIDABLE:
            inputs.append(read_value(each))
            defaults[each.name] = constants.pop(each.name)
    return tuple(inputs), defaults


def _node(proto: onnx.NodeProto, context: _Context, constants: Mapping[str, Array]) -> Node:
    inputs, outputs = trimmed(proto.input), trimmed(proto.output)
    op, identity = proto.op_type, proto.name
    if not identity:
        identity = next(filter(None, outputs), op)
    if not outputs:
        raise InvalidModel(f"{op} {proto.name!r} has no output; remove the node")
    known = find_operator(proto, identity, context.operators, context.opset)
    check_counts(proto, identity, known, inputs, outputs)
    schema = find_schema(proto, identity, known, context.opset)
    attributes: dict[str, Attribute] = {}
    for each in proto.attribute:
        check_attribute(each, schema, known, attributes, identity)
        attributes[each.name] = _attribute(each, op, identity, context, constants)
    check_required(schema, attributes, op, identity)
    if op == "If":
        inputs = (*inputs, *captured_by(op, identity, attributes, len(proto.output), inputs))
    return Node(identity, op, inputs, outputs, attributes)


def _attribute(
    proto: onnx.AttributeProto,
    op: str,
    identity: str,
    context: _Context,
    constants: Mapping[str, Array],
) -> Attribute:
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
        return read_tensor(proto.t, context.folder)
    if kind == 6:
        return tuple(proto.floats)
    if kind == 5:
        return _subgraph(proto.g, f"{proto.name} of {op} {identity!r}", context, constants)
    raise Unsupported(
        f"{op} {identity!r}: attribute {proto.name!r} has a type that is not supported"
    )


def _subgraph(
    source: onnx.GraphProto, where: str, context: _Context, around: Mapping[str, Array]
) -> Graph:
    """A branch: constants around it are its own, computed tensors around it are ``captured``."""
    if context.depth == _DEEPEST:
        raise Unsupported(f"graphs lie more than {_DEEPEST} deep in each other; flatten them")
    if source.input:
        raise InvalidModel(f"{where} has inputs; a branch takes what it needs from around it")
    outer = {**context.outer, **around}
    inside = _Context(
        context.operators, context.opset, context.folder, outer, context.depth + 1
    )
    own = _initializers(source, context.folder)
    nodes = _nodes(source, inside, own)
    outputs = tuple(each.name for each in source.output)
    made = {name for node in nodes for name in node.outputs}
    read = dict.fromkeys((*(name for node in nodes for name in node.inputs), *outputs))
    free = [name for name in read if name and name not in made and name not in own]
    constants = own | {name: outer[name] for name in free if name in outer}
    captured = tuple(name for name in free if name not in outer)
    graph = Graph(context.opset, (), outputs, constants, nodes, captured=captured)
    check_names(graph)
    return graph


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
