"""From a case back to the spec, for any model that is one quantized convolution."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

from onnx import NodeProto

from corpus.case import Array, Case
from generators.builder import SPELLED
from generators.operators.conv.build import product_scales
from generators.operators.conv.reading import (
    Link,
    OtherModelError,
    Reader,
    attributes,
    pairs,
    require,
)
from generators.operators.conv.spec import WRITABLE, ConvSpec, problem

EXTREME_BIAS = 2**30
Fields = dict[str, Any]


def describe(case: Case) -> ConvSpec | None:
    """The spec whose ``build`` computes the same from the same data; None for other models, and broken ones.

    Data are kept as arrays. Names, metadata and constants that nobody reads are forgotten; if one
    zero point is left out, all that may be are.
    """
    try:
        spec = _spec(Reader(case))
    except (OtherModelError, LookupError, TypeError, ValueError):  # or a broken one
        return None
    return None if problem(spec) else spec


def _spec(reader: Reader) -> ConvSpec:
    convolutions = [each for each in reader.nodes if each.op_type in ("QLinearConv", "Conv")]
    require(len(convolutions) in (1, 2))
    conv = reader.cover(convolutions[0])
    chains = _qlinear_chains if conv.op_type == "QLinearConv" else _qdq_chains
    fields = chains(reader, conv)
    fields |= _geometry(reader, conv, fields["w"])
    fields |= _shared(reader, conv, convolutions[1:])
    require(len(reader.covered) == len(reader.nodes))
    spelled = tuple(each for each in SPELLED if each in reader.spelled)
    spec = replace(ConvSpec(), **fields, opset=reader.opset, x=reader.x, spelled=spelled)
    require(spec.x_shape == reader.x.shape and spec.w_shape == fields["w"].shape)
    require(spec.b is None or spec.b.shape == (spec.filters,))
    if spec.y_dtype == spec.x_dtype:
        spec = replace(spec, y_dtype="")
    return _with_bias_kind(spec)


def _qlinear_chains(reader: Reader, conv: NodeProto) -> Fields:
    """A QLinearConv is read as if it were DequantizeLinear, Conv, QuantizeLinear."""
    x, xs, xz, w, ws, wz, ys, yz = conv.input[:8]
    x_link = _inner_link(reader, "D", xs, xz)
    y_link = _inner_link(reader, "Q", ys, yz)
    w_link = _inner_link(reader, "D", ws, wz)
    chain, _ = reader.after(conv.output[0])
    has_bias = len(conv.input) > 8 and bool(conv.input[8])
    return {
        "form": "QLinearConv",
        **_x_fields([*reader.before(x), x_link]),
        **_w_fields(reader.constant(w), w_link),
        **_y_fields([y_link, *map(reader.link, chain)]),
        "b": reader.constant(conv.input[8]) if has_bias else None,
        "bias": "int32" if has_bias else "none",
    }


def _inner_link(reader: Reader, kind: str, scale: str, zero: str) -> Link:
    dtype = reader.constant(zero).dtype.name
    return Link(kind, reader.numbers(scale), reader.numbers(zero), dtype)


def _qdq_chains(reader: Reader, conv: NodeProto) -> Fields:
    nodes, _ = reader.after(conv.output[0])
    activation: Fields = {}
    if nodes and nodes[0].op_type in ("Relu", "Clip"):
        activation = _activation(reader, nodes.pop(0))
    x_chain = reader.before(conv.input[0])
    y_chain = [reader.link(node) for node in nodes]
    w, w_link = _constant_chain(reader, conv.input[1])
    b, b_link = None, None
    if len(conv.input) > 2 and conv.input[2]:
        b, b_link = _constant_chain(reader, conv.input[2])
    links = [*x_chain, *y_chain, *filter(None, (w_link, b_link))]
    return {
        "form": "QDQ",
        **activation,
        **_merged(_x_fields(x_chain), _y_fields(y_chain), _w_fields(w, w_link)),
        **_b_fields(b, b_link),
        "zero_points_written": all(each.zero_written for each in links),
    }


def _merged(*parts: Fields) -> Fields:
    """The union; two missing or two doubled pairs are more than a spec can say."""
    merged: Fields = {}
    for part in parts:
        require(not merged.keys() & part.keys())
        merged |= part
    return merged


def _constant_chain(reader: Reader, name: str) -> tuple[Array, Link | None]:
    """A constant, or a constant behind one DequantizeLinear."""
    if name in reader.constants:
        return reader.constants[name], None
    require(name in reader.producers)
    node = reader.producers[name]
    require(node.op_type == "DequantizeLinear")
    return reader.constant(node.input[0]), reader.link(node)


def _x_fields(chain: Sequence[Link]) -> Fields:
    if not chain:
        return {"missing": "x"}
    require(chain[-1].kind == "D")
    found = pairs(chain, leading=True)
    last = found[-1]
    fields = {
        "x_dtype": last.dtype,
        "x_scale": last.scales[0],
        "x_zero_point": last.zeros[0],
        "x_float": chain[0].kind == "Q",
    }
    return fields | _doubled("x", found[0], len(found))


def _y_fields(chain: Sequence[Link]) -> Fields:
    if not chain:
        return {"missing": "y"}
    require(chain[0].kind == "Q")
    found = pairs(chain, leading=False)
    first = found[0]
    fields = {
        "y_dtype": first.dtype,
        "y_scale": first.scales[0],
        "y_zero_point": first.zeros[0],
        "y_float": chain[-1].kind == "D",
    }
    return fields | _doubled("y", found[-1], len(found))


def _doubled(side: str, outer: Link, count: int) -> Fields:
    return {"doubled": side, "doubled_scale": outer.scales[0]} if count == 2 else {}


def _w_fields(w: Array, link: Link | None) -> Fields:
    if link is None:
        require(w.dtype.name == "float32")
        return {"missing": "w", "w": w}
    require(link.dtype in ("uint8", "int8"))
    return {
        "w": w,
        "w_dtype": link.dtype,
        "w_scales": link.scales,
        "w_zero_points": link.zeros,
        "w_axis": link.axis,
    }


def _b_fields(b: Array | None, link: Link | None) -> Fields:
    if b is None:
        return {}
    if link is None:
        require(b.dtype.name == "float32")
        return {"b": b, "bias": "float"}
    require(link.dtype == "int32" and not any(link.zeros))
    return {"b": b, "bias": "own-scale", "bias_scales": link.scales}


def _with_bias_kind(spec: ConvSpec) -> ConvSpec:
    """Which kind a bias of codes is: its own scale, extreme, or ordinary."""
    if spec.b is None or spec.bias == "float":
        return spec
    if spec.bias == "own-scale" and spec.bias_scales != product_scales(spec):
        return spec
    kind = "extreme" if max(map(abs, spec.b.tolist())) >= EXTREME_BIAS else "int32"
    return replace(spec, bias=kind, bias_scales=ConvSpec().bias_scales)


def _activation(reader: Reader, node: NodeProto) -> Fields:
    if node.op_type == "Relu":
        return {"activation": "Relu"}
    given = attributes(node)
    bounds = [*node.input[1:], "", ""]
    low = reader.numbers(bounds[0])[0] if bounds[0] else given.get("min", -inf)
    high = reader.numbers(bounds[1])[0] if bounds[1] else given.get("max", inf)
    return {"activation": "Clip", "clip": (low, high)}


def _geometry(reader: Reader, conv: NodeProto, w: Array) -> Fields:
    given = attributes(conv)
    rank = reader.x.ndim - 2
    groups = int(given.get("group", 1))
    require(w.ndim == rank + 2 and rank > 0 and groups > 0 and w.shape[0] % groups == 0)
    require(tuple(given.get("kernel_shape", w.shape[2:])) == w.shape[2:])
    auto_pad = str(given.get("auto_pad", "NOTSET"))
    explicit = auto_pad == "NOTSET"
    return {
        "written": _written(given),
        "batch": reader.x.shape[0],
        "groups": groups,
        "in_per_group": w.shape[1],
        "out_per_group": w.shape[0] // groups,
        "image": reader.x.shape[2:],
        "kernel": w.shape[2:],
        "strides": tuple(given.get("strides", (1,) * rank)),
        "dilations": tuple(given.get("dilations", (1,) * rank)),
        "pads": tuple(given["pads"]) if explicit and "pads" in given else (0,) * (2 * rank),
        "auto_pad": auto_pad,
    }


def _written(given: dict[str, Any]) -> tuple[str, ...]:
    """The attributes that say their default."""
    return tuple(name for name in WRITABLE if name in given and _is_default(name, given[name]))


def _is_default(name: str, value: Any) -> bool:
    if isinstance(value, list) and name != "kernel_shape":
        return set(value) == {0 if name == "pads" else 1}
    return name == "kernel_shape" or value in (1, "NOTSET")


def _shared(reader: Reader, conv: NodeProto, others: Sequence[NodeProto]) -> Fields:
    """Who else reads the dequantized x: nobody, a graph output, or the same convolution again."""
    real_x = conv.input[0]
    if not others:
        require(len(reader.outputs) == 1 or set(reader.outputs[1:]) == {real_x})
        return {"shared": "output"} if len(reader.outputs) > 1 else {}
    twin = reader.cover(others[0])
    require(
        list(twin.input) == list(conv.input[:2]) and twin.op_type == conv.op_type == "Conv"
    )
    require(attributes(twin) == attributes(conv))
    require(len(reader.outputs) == 2 and twin.output[0] in reader.outputs)
    require(reader.readers[twin.output[0]] == 0)
    return {"shared": "conv"}
