"""What belongs to the operators of one kind: their operands' letters, attributes, and sizes in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from generators.operators.node.axes import attribute, sizes
from generators.operators.node.elementwise import UNARY
from generators.operators.node.spec import Attribute, NodeSpec

Value = int | bool | str


@dataclass(frozen=True, slots=True)
class Family:
    """Operators that laws speak of in the same words.

    ``ops`` may take each other's place. ``attributes`` are those that laws name, with the standard's
    defaults. ``sizes`` puts geometry into words.
    """

    letters: tuple[str, ...]
    ops: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    sizes: Callable[[NodeSpec], dict[str, Value]]
    has_bias: bool = False


def _product(spec: NodeSpec) -> dict[str, Value]:
    found = {"M": 1, "K": 1, "N": 1, **sizes(spec)}
    rows, depth, columns = found["M"], found["K"], found["N"]
    return {
        "M": rows,
        "K": depth,
        "N": columns,
        "batch": prod(size for name, size in found.items() if name.startswith("b")),
        "K == N": depth == columns,
        "M == N": rows == columns,
        "M == K": rows == depth,
    }


def _convolution(spec: NodeSpec) -> dict[str, Value]:
    found = sizes(spec)
    rank = len(spec.operands[0].shape) - 2
    groups, ins, outs = found["groups"], found["C/groups"], found["M/groups"]
    kernel = [found[f"k{i}"] for i in range(rank)]
    return {
        "groups": groups,
        "M/groups": outs,
        "C/groups": ins,
        "M": groups * outs,
        "C": groups * ins,
        "C == M": ins == outs,
        "depthwise": ins == outs == 1,
        "batch": found["batch"],
        "kernel": max(kernel),
        "kernel square": len(set(kernel)) == 1,
        "kernel taps": prod(kernel),
        **_steps(spec, rank),
        "output_padding": _total(spec, "output_padding"),
        **_pads(spec, _whole(spec, "pads", (0,) * (2 * rank))),
        "pixels": prod(spec.results[0].shape[2:]),
        "image": min(spec.operands[0].shape[2:], default=1),
    }


def _steps(spec: NodeSpec, rank: int) -> dict[str, Value]:
    strides, dilations = (_whole(spec, name, (1,) * rank) for name in ("strides", "dilations"))
    return {
        "stride": max(strides, default=1),
        "strides differ": len(set(strides)) > 1,
        "dilation": max(dilations, default=1),
        "dilations differ": len(set(dilations)) > 1,
    }


def _pads(spec: NodeSpec, pads: tuple[int, ...]) -> dict[str, Value]:
    half = len(pads) // 2
    sides = set(zip(pads[:half], pads[half:], strict=True))
    return {
        "pads": sum(pads),
        "pads asymmetric": pads[:half] != pads[half:],
        "pads of axes differ": len(sides) > 1,
        "auto_pad": str(attribute(spec, "auto_pad", "NOTSET")),
    }


def _whole(spec: NodeSpec, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = attribute(spec, name, default)
    return value if isinstance(value, tuple) else default


def _total(spec: NodeSpec, name: str) -> int:
    return sum(_whole(spec, name, ()))


def _pool(spec: NodeSpec) -> dict[str, Value]:
    image, out = spec.operands[0].shape[2:], spec.results[0].shape[2:]
    kernel = _whole(spec, "kernel_shape", (1,) * len(image))
    pads = window_pads(spec, image, out)
    beyond = _overhang(spec, image, out, pads)
    return {
        "batch": spec.operands[0].shape[0],
        "C": spec.operands[0].shape[1],
        "kernel": max(kernel, default=1),
        "kernel square": len(set(kernel)) == 1,
        "kernel taps": prod(kernel),
        **_steps(spec, len(image)),
        **_pads(spec, pads),
        "last window beyond the pads": beyond,
        "pixels": prod(out),
        "image": min(image, default=1),
    }


def window_pads(
    spec: NodeSpec, image: tuple[int, ...], out: tuple[int, ...]
) -> tuple[int, ...]:
    """Begins, then ends; of SAME, as the standard resolves it."""
    auto_pad, rank = attribute(spec, "auto_pad", "NOTSET"), len(image)
    if not str(auto_pad).startswith("SAME"):
        return _whole(spec, "pads", (0,) * (2 * rank))
    totals = [
        max(0, (count - 1) * stride + extent - size)
        for count, stride, extent, size in zip(
            out,
            _whole(spec, "strides", (1,) * rank),
            _extents(spec, rank),
            image,
            strict=False,
        )
    ]
    less = [each // 2 for each in totals]
    more = [each - half for each, half in zip(totals, less, strict=True)]
    return (*less, *more) if auto_pad == "SAME_UPPER" else (*more, *less)


def _extents(spec: NodeSpec, rank: int) -> list[int]:
    kernel = _whole(spec, "kernel_shape", (1,) * rank)
    dilations = _whole(spec, "dilations", (1,) * rank)
    return [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]


def _overhang(
    spec: NodeSpec, image: tuple[int, ...], out: tuple[int, ...], pads: tuple[int, ...]
) -> bool:
    rank = len(image)
    strides = _whole(spec, "strides", (1,) * rank)
    return any(
        (count - 1) * stride + extent > size + pads[i] + pads[i + rank]
        for i, (count, stride, extent, size) in enumerate(
            zip(out, strides, _extents(spec, rank), image, strict=False)
        )
    )


def _global(spec: NodeSpec) -> dict[str, Value]:
    n, c, *image = spec.operands[0].shape
    return {"batch": n, "C": c, "terms": prod(image), "image": min(image, default=1)}


def _reduction(spec: NodeSpec) -> dict[str, Value]:
    elements, left = prod(spec.operands[0].shape), prod(spec.results[0].shape)
    return {
        "terms": elements // max(left, 1),
        "elements left": left,
        "all axes": left == 1 < elements,
        "last axis": spec.operands[0].shape[-1] if spec.operands[0].shape else 1,
    }


def broadcast(spec: NodeSpec) -> dict[str, Value]:
    """Of operands that are aligned at the right."""
    shapes = [each.shape for each in spec.operands if each.dtype != "int64" and each.name]
    full = spec.results[0].shape
    return {
        "elements": prod(full),
        "last axis": full[-1] if full else 1,
        "C": full[1] if len(full) > 1 else 1,
        "broadcast": _broadcast_word(shapes, full),
        "a broadcast": shapes[0] != full if shapes else False,
        "operands": len(shapes),
    }


def _broadcast_word(shapes: list[tuple[int, ...]], full: tuple[int, ...]) -> str:
    smaller = [shape for shape in shapes if shape != full]
    if not smaller:
        return "none"
    if len(smaller) == len(shapes):
        return "both"
    if all(prod(shape) == 1 for shape in smaller):
        return "scalar"
    inner = all(shape == full[len(full) - len(shape) :] for shape in smaller)
    return "inner" if inner else "outer"


def plane(spec: NodeSpec) -> dict[str, Value]:
    """Of one operand."""
    shape = spec.operands[0].shape
    return {
        "elements": prod(shape),
        "last axis": shape[-1] if shape else 1,
        "C": shape[1] if len(shape) > 1 else 1,
        "axes equal": len(shape) > 1 and len(set(shape)) == 1,
    }


def _parts(spec: NodeSpec) -> dict[str, Value]:
    tensors = spec.operands if spec.op == "Concat" else spec.results
    shapes = [each.shape for each in tensors if each.dtype]
    return {**plane(spec), "parts": len(shapes), "parts alike": len(set(shapes)) == 1}


_ACTIVATIONS = tuple(UNARY)
_FAMILIES: tuple[Family, ...] = (
    Family(
        ("a", "b"),
        ("MatMul",),
        {},
        _product,
        has_bias=True,
    ),
    Family(
        ("a", "b"),
        ("Gemm",),
        {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0},
        _product,
        has_bias=True,
    ),
    Family(("x", "w"), ("Conv",), {}, _convolution, has_bias=True),
    Family(("x", "w"), ("ConvTranspose",), {}, _convolution, has_bias=True),
    Family(
        ("x",), ("MaxPool", "AveragePool"), {"ceil_mode": 0, "count_include_pad": 0}, _pool
    ),
    Family(("x",), ("GlobalMaxPool", "GlobalAveragePool"), {}, _global),
    Family(
        ("x",),
        ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"),
        {"keepdims": 1},
        _reduction,
    ),
    Family(("x",), ("ArgMax",), {"axis": 0, "keepdims": 1}, _reduction),
    Family(("x",), ("TopK",), {"axis": -1, "largest": 1}, _reduction),
    Family(("a", "b"), ("Add", "Mul", "Sub", "Div", "Max", "Min", "Sum"), {}, broadcast),
    Family(("a", "b"), ("Concat",), {"axis": 0}, _parts),
    Family(("x",), ("Split",), {"axis": 0}, _parts),
    Family(("x",), _ACTIVATIONS, {}, plane),
    Family(("x",), ("Softmax",), {"axis": -1, "opset": 13}, plane),
    Family(("x",), ("LeakyRelu",), {"alpha": 0.01}, plane),
    Family(("c", "a", "b"), ("Where",), {}, broadcast),
    Family(("x",), ("Transpose",), {"perm": ""}, plane),
    Family(("x",), ("Flatten",), {"axis": 1}, plane),
    Family(("x",), ("Gather",), {"axis": 0}, plane),
    Family(("x",), ("DepthToSpace",), {"blocksize": 0, "mode": "DCR"}, plane),
    Family(
        ("x",),
        ("Resize",),
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "half_pixel",
            "nearest_mode": "round_prefer_floor",
        },
        plane,
    ),
)
_BY_OP: Mapping[str, Family] = MappingProxyType(
    {op: family for family in reversed(_FAMILIES) for op in family.ops}
)


def family_of(spec: NodeSpec) -> Family:
    """The family of a spec's operator; one without attributes for an operator of no other."""
    return _BY_OP.get(spec.op) or Family(("x",), (spec.op,), {}, plane)
