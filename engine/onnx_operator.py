"""Whether a node is what its operator may look like: known, of this opset, rightly attributed."""

from collections.abc import Collection, Mapping
from typing import NoReturn

import onnx

from engine.errors import InvalidModel, Unsupported
from engine.kernels.operator import MANY, Operator, operator
from engine.onnx_schema import CONTRIB, KINDS, Schema, first_opset, schema_of

OPSETS = range(7, 29)
"""What may be imported; each operator says by ``since``, each kernel by itself, what it knows."""

_CONSTANT = operator(
    "Constant",
    lambda node, setting: lambda: None,  # becomes an initializer
    "value value_float value_floats value_int value_ints",
    inputs=0,
)


def find_operator(
    proto: onnx.NodeProto, identity: str, operators: Mapping[str, Operator], opset: int
) -> Operator:
    """The operator of a node; Unsupported where the engine has none."""
    known = _CONSTANT if proto.op_type == "Constant" else operators.get(proto.op_type)
    if known is None or _domain(proto) not in known.domains:
        _refuse_operator(proto, identity, operators, opset)
    return known


def _domain(proto: onnx.NodeProto) -> str:
    return "" if proto.domain == "ai.onnx" else str(proto.domain)


def check_counts(
    proto: onnx.NodeProto,
    identity: str,
    known: Operator,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> None:
    """InvalidModel where inputs or outputs are too few, too many, or absent though required."""
    low, high = known.inputs
    if (
        not low <= len(inputs) <= high
        or "" in (inputs if high == MANY else inputs[:low])
        or not known.outputs[0] <= len(outputs) <= known.outputs[1]
    ):
        _refuse_counts(proto.op_type, identity, known, inputs, outputs)


def find_schema(proto: onnx.NodeProto, identity: str, known: Operator, opset: int) -> Schema:
    """What is known of the attributes; InvalidModel where the opset lacks the operator."""
    if _domain(proto):
        return CONTRIB
    op = proto.op_type
    schema = schema_of(op, opset)
    if schema is not None and opset >= known.since:
        return schema
    first = max(known.since, first_opset(op, opset, OPSETS[-1]) or OPSETS[-1])
    raise InvalidModel(f"{op} {identity!r} exists from opset {first}, not in {opset}")


def check_attribute(
    proto: onnx.AttributeProto,
    schema: Schema,
    known: Operator,
    seen: Collection[str],
    identity: str,
) -> None:
    """Refuses an attribute that the engine does not know, of another type, or given twice."""
    name = proto.name
    if name not in known.attributes:
        raise Unsupported(f"{known.name} {identity!r}: attribute {name!r} is not supported")
    wanted = schema.types.get(name, proto.type)
    if wanted != proto.type or name in seen:
        _refuse_attribute(proto, wanted, known.name, identity)


def check_required(schema: Schema, given: Collection[str], op: str, identity: str) -> None:
    """InvalidModel where an attribute is missing that a node must have."""
    for name in schema.required:
        if name not in given:
            kind = KINDS.get(schema.types[name], "set")
            raise InvalidModel(f"{op} {identity!r} has no {name}; {name} must be {kind}")


def _refuse_attribute(
    proto: onnx.AttributeProto, wanted: int, op: str, identity: str
) -> NoReturn:
    if wanted == proto.type:
        raise InvalidModel(f"{op} {identity!r}: {proto.name} is given twice; remove one")
    raise InvalidModel(
        f"{op} {identity!r}: {proto.name} must be {KINDS.get(wanted, wanted)}, not "
        f"{KINDS.get(proto.type, 'of an unknown type')}"
    )


def _refuse_counts(
    op: str, identity: str, known: Operator, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> NoReturn:
    for count, (fewest, most), what in (
        (len(inputs), known.inputs, "input(s)"),
        (len(outputs), known.outputs, "output(s)"),
    ):
        if not fewest <= count <= most:
            upto = "" if most == fewest else " or more" if most == MANY else f" to {most}"
            raise InvalidModel(
                f"{op} {identity!r} has {count} {what}; it takes {fewest}{upto}"
            )
    raise InvalidModel(f"{op} {identity!r} has no input {inputs.index('')}; it is required")


def _refuse_operator(
    proto: onnx.NodeProto, identity: str, operators: Mapping[str, Operator], opset: int
) -> NoReturn:
    domain = f"{proto.domain}." if proto.domain else ""
    names = sorted(name for name, each in operators.items() if each.domains)
    raise Unsupported(
        f"operator {domain}{proto.op_type} (opset {opset}, node {identity!r}) is not "
        f"supported; supported: {', '.join(names)}"
    )
