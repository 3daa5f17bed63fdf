"""Moves: the ways in which a neighbour can differ in one aspect."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from generators.builder import SPELLED
from generators.operators.conv.spec import WRITABLE, first_axis

Draft = dict[str, Any]  # the fields of a ConvSpec while it is being varied; cheap to change
Move = Callable[[Draft, Random], Draft]  # what the neighbour has instead

LOWEST = {"uint8": 0, "int8": -128}
CODES = 256
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 20, 23, 24, 25, 31, 32, 33, 40)


def _word(name: str, word: object) -> Move:
    return lambda _draft, _rng: {name: word}


def _words(name: str, words: Sequence[object]) -> tuple[Move, ...]:
    return tuple(_word(name, word) for word in words)


def _axes(name: str, size: int) -> Move:
    return lambda draft, _rng: {name: (size,) * len(draft["image"])}


def _one_axis(name: str, sizes: Sequence[int]) -> Move:
    def move(draft: Draft, rng: Random) -> Draft:
        values = list(draft[name])
        values[rng.randrange(len(values))] = rng.choice(sizes)
        return {name: tuple(values)}

    return move


def _shape(name: str, sizes: Sequence[int], mixed: Sequence[int]) -> tuple[Move, ...]:
    return (*(_axes(name, size) for size in sizes), _one_axis(name, mixed))


def code_type(draft: Draft, letter: str) -> str:
    """The 8-bit type of x, w or y; y has that of x unless it has its own."""
    return str(draft[f"{letter}_dtype"] or draft["x_dtype"])


def _zero_point(name: str, place: str) -> Move:
    def move(draft: Draft, rng: Random) -> Draft:
        low = LOWEST[code_type(draft, name[0])]
        codes = {"zero": 0, "low": low, "high": low + CODES - 1}
        code = codes.get(place, low + rng.randrange(1, CODES - 1))
        return {name: (code,) if name.endswith("s") else code}

    return move


def _zero_points(name: str) -> tuple[Move, ...]:
    return tuple(_zero_point(name, place) for place in ("zero", "low", "high", "any", "any"))


def _equal_sizes(draft: Draft, _: Random) -> Draft:
    return {"in_per_group": draft["out_per_group"]}


def _scales_per_channel(draft: Draft, rng: Random) -> Draft:
    first = draft["w_scales"][0]
    filters = draft["groups"] * draft["out_per_group"]
    return {"w_scales": tuple(first * rng.uniform(0.5, 1.0) for _ in range(filters))}


def _scales_per_tensor(draft: Draft, _: Random) -> Draft:
    return {"w_scales": draft["w_scales"][:1]}


def _pads(size: int) -> Move:
    return lambda draft, _rng: {"auto_pad": "NOTSET", "pads": (size,) * len(draft["pads"])}


def _one_sided_pads(draft: Draft, rng: Random) -> Draft:
    return {"auto_pad": "NOTSET", "pads": tuple(rng.choice((0, 1)) for _ in draft["pads"])}


def _auto_pad(draft: Draft, rng: Random) -> Draft:
    padding = rng.choice(("SAME_UPPER", "SAME_LOWER", "VALID"))
    return {"auto_pad": padding, "pads": (0,) * len(draft["pads"])}


def _zero_points_per_channel(draft: Draft, rng: Random) -> Draft:
    low, filters = LOWEST[draft["w_dtype"]], draft["groups"] * draft["out_per_group"]
    return {"w_zero_points": tuple(low + rng.randrange(CODES) for _ in range(filters))}


def _rank(rank: int) -> Move:
    """The same sizes along fewer axes, or the last ones again along more."""

    def move(draft: Draft, _rng: Random) -> Draft:
        def fitted(values: Sequence[int]) -> tuple[int, ...]:
            return tuple(values[min(axis, len(values) - 1)] for axis in range(rank))

        sizes = {
            name: fitted(draft[name]) for name in ("image", "kernel", "strides", "dilations")
        }
        half = len(draft["pads"]) // 2
        pads = (*fitted(draft["pads"][:half]), *fitted(draft["pads"][half:]))
        return {**sizes, "pads": pads}

    return move


def _y_type(dtype: str) -> Move:
    return lambda draft, _rng: {"y_dtype": "" if dtype == draft["x_dtype"] else dtype}


def _axis_from_the_end(draft: Draft, rng: Random) -> Draft:
    axis = {"form": "QDQ", "w_axis": first_axis(len(draft["image"]))}
    return axis if len(draft["w_scales"]) > 1 else axis | _scales_per_channel(draft, rng)


def _spelled(_draft: Draft, _rng: Random) -> Draft:
    return {"form": "QDQ", "opset": max(SPELLED.values()), "spelled": tuple(SPELLED)}


def _activated(activation: str) -> Move:
    return lambda _draft, _rng: {"form": "QDQ", "activation": activation}


ASPECTS: dict[str, tuple[Move, ...]] = {
    "rank": tuple(map(_rank, (1, 2, 2, 3))),
    "groups": _words("groups", (1, 2, 3, 4)),
    "outputs": _words("out_per_group", SIZES),
    "inputs": _words("in_per_group", (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17)),
    "equal sizes": (_equal_sizes,),
    "batch": _words("batch", (1, 2, 3)),
    "kernel": _shape("kernel", (1, 2, 3), (1, 2, 3, 5)),
    "strides": _shape("strides", (1, 2), (1, 2, 3)),
    "dilations": _shape("dilations", (1, 2), (1, 2)),
    "pads": (*map(_pads, (0, 1, 2)), _one_sided_pads, _auto_pad),
    "image": _shape("image", (1, 2, 3, 4, 5, 7, 8), (1, 2, 3, 5, 6)),
    "x type": _words("x_dtype", ("uint8", "int8")),
    "w type": _words("w_dtype", ("uint8", "int8")),
    "x zero": _zero_points("x_zero_point"),
    "y type": tuple(map(_y_type, ("uint8", "int8"))),
    "w zero": (*_zero_points("w_zero_points"), _zero_points_per_channel),
    "y zero": _zero_points("y_zero_point"),
    "scales": (_scales_per_channel, _scales_per_tensor),
    "bias": _words("bias", ("none", "int32")),
    "form": _words("form", ("QLinearConv", "QDQ")),
    "activation": (_word("activation", "none"), _activated("Relu"), _activated("Clip")),
    "opset": _words("opset", (13, 17, 21)),
    "missing": (_word("missing", "none"),),
    "doubled": (_word("doubled", "none"),),
    "shared": (_word("shared", "none"),),
    "zero points written": _words("zero_points_written", (True, False)),
    "x input": _words("x_float", (True, False)),
    "written": (
        _word("written", ("kernel_shape",)),
        _word("written", WRITABLE),
        _word("written", ()),
    ),
    "spelled": (_word("spelled", ()), _spelled),
    "w axis": (_word("w_axis", 0), _axis_from_the_end),
}

# Which aspects change a parameter of the law's vocabulary; any may, where nothing is said.
AFFECTING: dict[str, tuple[str, ...]] = {
    "groups": ("groups",),
    "M/groups": ("outputs",),
    "C/groups": ("inputs",),
    "M": ("groups", "outputs"),
    "C": ("groups", "inputs"),
    "terms": ("inputs", "kernel"),
    "depthwise": ("outputs", "inputs"),
    "N": ("batch",),
    "kernel": ("kernel",),
    "kernel taps": ("kernel",),
    "stride": ("strides",),
    "dilation": ("dilations",),
    "strides differ": ("strides",),
    "dilations differ": ("dilations",),
    "kernel square": ("kernel",),
    "pads of axes differ": ("pads",),
    "C == M": ("inputs", "outputs", "equal sizes"),
    "pads": ("pads",),
    "pads asymmetric": ("pads",),
    "auto_pad": ("pads",),
    "pixels": ("image", "pads", "strides"),
    "image": ("image",),
    "x dtype": ("x type",),
    "w dtype": ("w type",),
    "x zero point": ("x zero",),
    "x zero point above lowest": ("x zero",),
    "w zero point": ("w zero",),
    "y zero point": ("y zero",),
    "per-channel": ("scales",),
    "bias": ("bias",),
    "form": ("form",),
    "activation": ("activation",),
    "opset": ("opset",),
    "rank": ("rank",),
    "y dtype": ("y type", "x type"),
    "missing": ("missing", "form"),
    "doubled": ("doubled", "form"),
    "shared": ("shared", "form"),
    "zero points written": ("zero points written", "form"),
    "defaults written": ("written",),
    "kernel_shape written": ("written",),
    "Q and DQ say defaults": ("spelled", "form"),
    "w axis from the end": ("w axis", "scales", "form"),
    "per-channel zero points": ("w zero",),
    "x input": ("x input", "missing"),
}
