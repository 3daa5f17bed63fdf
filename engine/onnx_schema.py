"""What ONNX itself says of an operator's attributes, asked once for each operator and opset."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import onnx

KINDS: Mapping[int, str] = {
    1: "a float",
    2: "an integer",
    3: "a string",
    4: "a tensor",
    5: "a graph",
    6: "floats",
    7: "integers",
    8: "strings",
}
"""The types of attributes that can be read, by ONNX's numbers."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The type of each attribute, by number, and which of them a node must have."""

    types: Mapping[str, int]
    required: tuple[str, ...]


_INTEGERS = (
    "ceil_mode channels_last count_include_pad keepdims axis block_size output_dtype K N "
    "accuracy_level bits weight_prepacked opset transA transB precision saturate"
)
CONTRIB = Schema(
    {
        **dict.fromkeys(_INTEGERS.split(), 2),
        **dict.fromkeys(("kernel_shape", "pads", "strides", "dilations", "axes"), 7),
        "alpha": 1,
        "auto_pad": 3,
        "approximate": 3,
    },
    (),
)
"""Of the operators of com.microsoft, which onnx does not know: a name has one type in all of them."""


@cache
def schema_of(op: str, opset: int) -> Schema | None:
    """The schema of an operator of the standard domain, None where that opset lacks it."""
    try:
        found = onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return None
    attributes = found.attributes
    return Schema(
        {name: each.type.value for name, each in attributes.items()},
        tuple(name for name, each in attributes.items() if each.required),
    )


def first_opset(op: str, opset: int, last: int) -> int | None:
    """The first opset after ``opset`` that has an operator, up to ``last``."""
    later = range(opset + 1, last + 1)
    return next((each for each in later if schema_of(op, each) is not None), None)
