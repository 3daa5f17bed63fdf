"""One operator while it is varied: its aspects, which parameters they change, what keeps it valid."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from random import Random
from typing import Any

from generators.operators.node import NodeSpec
from generators.operators.node.axes import attribute, inferred, refitted, resized, sizes
from generators.operators.node.families import family_of, window_pads
from generators.operators.node.versions import in_its_opset
from generators.operators.node.words import MATRICES
from harness.law.node import moves, shape_moves, structure_moves
from harness.law.node.moves import Move

MOST_WORK = 60_000  # products per case, so that a probe stays near a millisecond
MOST_ELEMENTS = 4_000
OPSETS = (13, 17, 21, 23)
WEIGHT_AXES: Mapping[str, tuple[int, ...]] = {
    "MatMul": (1, 0),
    "ConvTranspose": (1,),
    "Conv": (0,),
}
FIRST_RESULT = -1

# What a parameter depends on, where it is not called like the aspect that changes it.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "M": ("M", "groups", "M/groups"),
    "C": ("C", "groups", "C/groups", "d1", "d2", "d3", "d4"),
    "depthwise": ("C/groups", "M/groups"),
    "C == M": ("C/groups", "M/groups", "M/groups == C/groups"),
    "batch": ("batch", "b1", "b2"),
    "kernel": ("kernel_shape", "k0", "k1", "k2"),
    "kernel taps": ("kernel_shape", "k0", "k1", "k2"),
    "kernel square": ("kernel_shape", "k0", "k1", "k2"),
    "stride": ("strides",),
    "dilation": ("dilations",),
    "strides differ": ("strides",),
    "dilations differ": ("dilations",),
    "pads of axes differ": ("pads",),
    "pads asymmetric": ("pads",),
    "auto_pad": ("pads",),
    "last window beyond the pads": ("ceil_mode", "strides", "kernel_shape", "i0", "i1", "i2"),
    "pixels": ("i0", "i1", "i2", "strides", "pads"),
    "image": ("i0", "i1", "i2"),
    "elements": ("d1", "d2", "d3", "d4"),
    "last axis": ("d1",),
    "elements left": ("terms", "d1", "d2", "d3", "d4"),
    "all axes": ("terms",),
    "terms": ("terms", "d1", "d2", "d3", "d4", "i0", "i1", "i2"),
    "broadcast": ("broadcast",),
    "parts alike": ("part 0", "part 1", "part 2"),
    "all scales equal": ("x scale", "a scale", "b scale", "a like b"),
    "all operands alike": ("a like b", "a scale", "b scale", "a zero point"),
    "all tensors alike": ("x like y", "a like b", "a like y", "y scale", "y zero point"),
}
OF_TENSOR = {
    "dtype": "dtype",
    "bits": "dtype",
    "quantized": "quantized",
    "per-channel": "granularity",
    "axis": "granularity",
    "block size": "granularity",
    "partial block": "granularity",
    "blocks": "granularity",
    "constant": "constant",
    "zero points differ": "zero point",
    "zero point above lowest": "zero point",
    "scale negative": "scale negative",
    "zero point": "zero point",
    "scale": "scale",
}


def aspects(spec: NodeSpec) -> dict[str, Sequence[Move]]:
    """The ways of changing a spec, by what they change."""
    found: dict[str, list[Move]] = {
        **shape_moves.size_moves(spec),
        **shape_moves.attribute_moves(spec),
        **shape_moves.rank_moves(spec),
        **structure_moves.operator_moves(spec),
        **structure_moves.form_moves(spec),
        **structure_moves.tail_moves(spec),
        **structure_moves.operand_moves(spec),
        **structure_moves.default_moves(spec),
        "opset": [partial(_replaced, {"opset": opset}) for opset in OPSETS],
    }
    if spec.form == "QDQ":
        flags = {
            "input": "x_float",
            "output": "y_float",
            "zero points written": "zero_points_written",
        }
        for name, field in flags.items():
            found[name] = [partial(_replaced, {field: flag}) for flag in (True, False)]
    for name, place in _places(spec).items():
        found |= _tensor_aspects(spec, name, place)
    if spec.op not in MATRICES:
        found["dtype"] = [partial(moves.all_typed, dtype) for dtype in _types(spec)]
    return {name: each for name, each in found.items() if each}


def _types(spec: NodeSpec) -> tuple[str, ...]:
    """Eight bits, and what its first codes are."""
    tensors = (*spec.operands, *spec.results)
    found = (each.dtype for each in tensors if each.dtype in moves.NARROW_AND_WIDE)
    return tuple(dict.fromkeys((*moves.EIGHT_BITS, *found)))


def _replaced(changes: Mapping[str, Any], spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return replace(spec, **changes)


def _places(spec: NodeSpec) -> dict[str, int]:
    """The tensors that have a letter, and y."""
    letters = family_of(spec).letters
    places = {letter: i for i, letter in enumerate(letters) if i < len(spec.operands)}
    return {**places, "y": FIRST_RESULT}


def _tensor_aspects(spec: NodeSpec, name: str, place: int) -> dict[str, list[Move]]:
    tensor = moves.tensor_at(spec, place)
    if not tensor.is_quantized:
        return {}
    places = _places(spec)
    others = {letter: at for letter, at in places.items() if at != place}
    found: dict[str, list[Move]] = {}
    if (place == 1 and spec.op in (*WEIGHT_AXES, "Gemm")) or tensor.axis is not None:
        axes = WEIGHT_AXES.get(spec.op, tuple(range(len(tensor.shape))))
        blocked = bool(tensor.block_size)
        found[f"{name} granularity"] = list(moves.granularities(place, axes, blocked))
    found |= {
        f"{name} zero point": list(moves.zero_points(place)),
        f"{name} dtype": list(moves.types(place, tensor)),
        f"{name} scale": list(moves.scales(place, tuple(others.values()))),
    }
    for letter, at in others.items():
        if letter > name and spec.op not in MATRICES:
            found[f"{name} like {letter}"] = list(moves.alike(at, place))
    if min(tensor.scales) < 0:
        found[f"{name} scale negative"] = [moves.changing(place, moves.positive)]
    if place > 0 and spec.op in ("MatMul", "Add", "Mul", "Sub", "Div", "Max", "Min"):
        found[f"{name} constant"] = list(moves.constants(place))
    return found


def affecting(name: str, given: Mapping[str, Sequence[Move]]) -> Sequence[str]:
    """The aspects, of those given, that a parameter depends on; all where nothing is known."""
    wanted = {name, *ALIASES.get(name, ())}
    for part in name.split(" == "):
        wanted.add(part)
        letter, _, rest = part.partition(" ")
        wanted.add(f"{letter} {OF_TENSOR.get(rest, rest)}")
        if rest in ("dtype", "bits"):
            wanted.add("dtype")
    if " like " in name:
        letter = name.split()[0]
        wanted |= {
            f"{each} {what}"
            for each in (letter, name.split()[-1])
            for what in ("scale", "zero point", "dtype")
        }
    return [each for each in given if each in wanted] or list(given)


def is_lasting(aspect: str) -> bool:
    """Sizes: one that says nothing alone may say much beside another."""
    return aspect in ("groups", "M", "K", "N", "M/groups", "C/groups") or aspect[1:].isdigit()


def mended(spec: NodeSpec) -> NodeSpec | None:
    """The spec, mended where aspects clash; None if no small valid model has it.

    Zero points go inside their types, axes and bounds where the opset has them, an opset that lacks
    something rises, a form loses what it cannot have, and an image grows until it holds a window.
    """
    spec = in_its_opset(structure_moves.in_form(shape_moves.axes_in_place(spec)))
    spec = replace(
        spec,
        operands=tuple(moves.clamped(refitted(each)) for each in spec.operands),
        results=tuple(moves.clamped(each) for each in spec.results),
        y_float=spec.y_float and spec.results[0].is_quantized,
        x_float=spec.x_float and _may_come_real(spec),
    )
    found = inferred(spec)
    if found is None and spec.op in shape_moves.WINDOWED:
        found = _with_larger_image(spec)
    if found is None or _work(found) > MOST_WORK or _most_elements(found) > MOST_ELEMENTS:
        return None
    return found if _has_whole_groups(found) and _has_full_windows(found) else None


def _may_come_real(spec: NodeSpec) -> bool:
    first = spec.operands[0]
    return first.is_quantized and not first.constant and first.axis is None


def _with_larger_image(spec: NodeSpec) -> NodeSpec | None:
    """Its image at least as large as the window."""
    found = sizes(spec)
    least = {f"i{i}": 5 for i in range(3) if found.get(f"i{i}", 5) < 5}
    return resized(spec, least) if least else None


def _has_full_windows(spec: NodeSpec) -> bool:
    """Whether every window of a pool meets the image: of others no mean and no maximum exists."""
    if spec.op not in ("MaxPool", "AveragePool"):
        return True
    image, out = spec.operands[0].shape[2:], spec.results[0].shape[2:]
    pads, rank = window_pads(spec, image, out), len(image)
    strides = attribute(spec, "strides", (1,) * rank)
    kernel = attribute(spec, "kernel_shape", (1,) * rank)
    if not isinstance(strides, tuple) or not isinstance(kernel, tuple):
        return False
    return all(
        max(pads[i], pads[i + rank]) < kernel[i]
        and (out[i] - 1) * strides[i] < image[i] + pads[i]
        for i in range(rank)
    )


def _has_whole_groups(spec: NodeSpec) -> bool:
    if spec.op not in ("Conv", "ConvTranspose"):
        return True
    return spec.operands[0].shape[1] == prod(
        sizes(spec)[name] for name in ("groups", "C/groups")
    )


def _work(spec: NodeSpec) -> int:
    """About how many products are summed."""
    if spec.op not in MATRICES:
        return 0
    found = sizes(spec)
    kernel = prod(size for name, size in found.items() if name.startswith("k"))
    return prod(spec.results[0].shape) * found.get("K", found.get("C/groups", 1)) * kernel


def _most_elements(spec: NodeSpec) -> int:
    return max(prod(each.shape) for each in (*spec.operands, *spec.results))
