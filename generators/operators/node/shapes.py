"""The shapes of results, as the standard's own inference derives them."""

from functools import lru_cache
from itertools import chain

import numpy as np
from onnx import (
    NodeProto,
    TensorProto,
    TypeProto,
    checker,
    defs,
    helper,
    numpy_helper,
    shape_inference,
)

from corpus.case import Array
from generators.operators.node.spec import Attribute, NodeSpec, Operand

REMEMBERED = 4096
_REFUSALS = (shape_inference.InferenceError, defs.SchemaError, checker.ValidationError)
_TYPES = {"int64": TensorProto.INT64, "bool": TensorProto.BOOL}

Shape = tuple[int, ...]
Input = tuple[Shape, str, bytes | None]  # shape, type, value where the shape may depend on it
Attributes = tuple[tuple[str, Attribute], ...]


def result_shapes(spec: NodeSpec) -> tuple[Shape, ...] | None:
    """The shape of each output of the node, the first behind the tails; None where none follows."""
    if not spec.op:
        return (spec.operands[0].shape,)
    inputs = tuple(map(_input, spec.operands))
    shapes = _inferred(spec.op, spec.opset, inputs, spec.attributes, len(spec.results))
    before = real = shapes[0] if shapes else None
    for tail in spec.tails:
        if before is None or real is None:
            return None
        rows = [
            ((len(row),) if len(row) > 1 else (), "float32", None) for row in tail.constants
        ]
        others = [(before, "float32", None)] if tail.twice else []
        reads = (*others, (real, "float32", None), *rows)
        made = _inferred(tail.op, spec.opset, reads, tail.attributes, 1)
        before, real = real, made[0] if made else None
    return None if shapes is None or real is None else (real, *shapes[1:])


def _input(operand: Operand) -> Input:
    if not operand.name:
        return (), "", None
    if operand.dtype in _TYPES or (operand.constant and not operand.is_quantized):
        array = operand.array
        return operand.shape, operand.dtype, None if array is None else array.tobytes()
    return operand.shape, "float32", None


@lru_cache(REMEMBERED)
def _inferred(
    op: str, opset: int, inputs: tuple[Input, ...], attributes: Attributes, outputs: int
) -> tuple[Shape, ...] | None:
    try:
        schema = defs.get_schema(op, opset, "")
        node = _node(op, inputs, attributes, outputs, set(schema.attributes))
        types = {f"i{i}": _type(each) for i, each in enumerate(inputs) if each[1]}
        data = {f"i{i}": _data(each) for i, each in enumerate(inputs) if each[2] is not None}
        found = shape_inference.infer_node_outputs(
            schema, node, types, data, opset_imports=[helper.make_opsetid("", opset)]
        )
    except (*_REFUSALS, ValueError):
        return None
    shapes = [_shape(found.get(f"o{i}")) for i in range(outputs)]
    known = tuple(each for each in shapes if each is not None)
    is_some = all(size > 0 for size in chain.from_iterable(known))
    return known if len(known) == outputs and is_some else None


def _node(
    op: str, inputs: tuple[Input, ...], attributes: Attributes, outputs: int, known: set[str]
) -> NodeProto:
    names = [f"i{i}" if dtype else "" for i, (_, dtype, _) in enumerate(inputs)]
    given = {name: value for name, value in attributes if name in known}
    return helper.make_node(op, names, [f"o{i}" for i in range(outputs)], **given)


def _type(given: Input) -> TypeProto:
    shape, dtype, _ = given
    return helper.make_tensor_type_proto(_TYPES.get(dtype, TensorProto.FLOAT), shape)


def _data(given: Input) -> TensorProto:
    shape, dtype, value = given
    array: Array = np.frombuffer(value or b"", dtype).reshape(shape)
    return numpy_helper.from_array(array)


def _shape(found: TypeProto | None) -> Shape | None:
    if found is None or not found.tensor_type.HasField("shape"):
        return None
    dims = found.tensor_type.shape.dim
    if not all(each.HasField("dim_value") for each in dims):
        return None
    return tuple(each.dim_value for each in dims)
