"""Coverage cells: named combinations that a complete generator must produce."""

from collections.abc import Iterator
from itertools import product
from math import prod

from generators import arrays, qparams
from generators.arrays import LOWEST
from generators.operators.conv import coincidences
from generators.operators.conv.draw import LANES
from generators.operators.conv.spec import NEWEST_OPSET, OLDEST_OPSET, ConvSpec

FORMS = ("QLinearConv", "QDQ")
GROUPINGS = ("plain", "grouped", "depthwise", "multiplier")
TYPES = ("uint8 uint8", "uint8 int8", "int8 int8", "int8 uint8")
BIASES = {
    "QLinearConv": ("none", "int32", "extreme"),
    "QDQ": ("none", "int32", "extreme", "own-scale", "float"),
}
PADS = ("none", "symmetric", "asymmetric", "VALID", "SAME_UPPER", "SAME_LOWER")
ACTIVATIONS = ("none", "Relu", "Clip")
END_PLACEMENTS = ("real x", "real y")
PLACEMENTS = (
    *END_PLACEMENTS,
    *("doubled x", "doubled y", "shared output", "shared conv"),
    *("missing x", "missing w", "missing y"),
    *("zero points left out", "y of another type"),
)
ZEROS = ("zero", "low", "high", "inner")
SCALES = ("powers of two", "beside a power of two", "other")


def cells_of(spec: ConvSpec) -> tuple[str, ...]:
    """The names of the cells a spec belongs to."""
    return (
        *(*_structure(spec), *_geometry(spec), *_quantization(spec), *_surroundings(spec)),
        *coincidences.cells_of(spec),
    )


def _structure(spec: ConvSpec) -> Iterator[str]:
    rank, form = len(spec.image), spec.form
    yield f"{form} {rank}-D {_grouping(spec)} {spec.x_dtype} {spec.w_dtype}"
    yield f"M/groups {spec.out_per_group} {'groups 1' if spec.groups == 1 else 'groups > 1'}"
    yield f"{form} opset {spec.opset}"
    yield f"batch {spec.batch}"


def _grouping(spec: ConvSpec) -> str:
    if spec.groups == 1:
        return "plain"
    if spec.in_per_group > 1:
        return "grouped"
    return "depthwise" if spec.out_per_group == 1 else "multiplier"


def _geometry(spec: ConvSpec) -> Iterator[str]:
    rank = len(spec.image)
    yield f"{rank}-D pads {_padding(spec)}"
    yield f"{rank}-D kernel {max(spec.kernel)}"
    yield f"{rank}-D stride {max(spec.strides)}"
    yield f"{rank}-D dilation {max(spec.dilations)}"
    if any(k > i for k, i in zip(spec.kernel, spec.image, strict=True)):
        yield f"{rank}-D kernel beyond the image"
    if max(spec.image) == 1:
        yield f"{rank}-D image of one element"
    if prod(spec.y_image) == 1:
        yield f"{rank}-D output of one pixel"


def _padding(spec: ConvSpec) -> str:
    if spec.auto_pad != "NOTSET":
        return spec.auto_pad
    rank = len(spec.image)
    if not any(spec.pads):
        return "none"
    return "symmetric" if spec.pads[:rank] == spec.pads[rank:] else "asymmetric"


def _quantization(spec: ConvSpec) -> Iterator[str]:
    channels = "per-channel" if len(spec.w_scales) > 1 else "per-tensor"
    yield f"{spec.form} {channels} bias {spec.bias}"
    if len(set(spec.w_zero_points)) > 1:
        yield f"{spec.form} per-channel zero points"
        if spec.filters == spec.in_per_group:
            yield f"{spec.form} per-channel zero points, M = C"
    yield f"x zero point {spec.x_dtype} {_zero(spec.x_zero_point, spec.x_dtype)}"
    yield f"w zero point {spec.w_dtype} {_zero(spec.w_zero_points[0], spec.w_dtype)}"
    yield f"y zero point {spec.y_codes} {_zero(spec.y_zero_point, spec.y_codes)}"
    yield f"x data {spec.x_kind}"
    yield f"w data {spec.w_kind}"
    yield f"{spec.form} scales {_scales(spec)}"


def _zero(zero_point: int, dtype: str) -> str:
    from_lowest = zero_point - LOWEST[dtype]
    if zero_point == 0:
        return "zero"
    return {0: "low", 255: "high"}.get(from_lowest, "inner")


def _scales(spec: ConvSpec) -> str:
    scales = (spec.x_scale, spec.y_scale, *spec.w_scales)
    if all(map(qparams.is_power_of_two, scales)):
        return "powers of two"
    near = qparams.are_beside_power_of_two((spec.y_scale,))
    return "beside a power of two" if near else "other"


def _surroundings(spec: ConvSpec) -> Iterator[str]:
    if spec.form == "QDQ":
        yield f"{_grouping(spec)} activation {spec.activation}"
    if spec.activation == "Clip":
        yield f"Clip as {'attributes' if spec.opset < 11 else 'inputs'}"
    said = {
        "real x": spec.x_float,
        "real y": spec.y_float,
        "zero points left out": not spec.zero_points_written,
        "y of another type": spec.y_codes != spec.x_dtype,
    }
    for name in ("doubled", "shared", "missing"):
        said[f"{name} {getattr(spec, name)}"] = getattr(spec, name) != "none"
    yield from (f"{spec.form} {name}" for name, holds in said.items() if holds)


def _all_cells() -> Iterator[str]:
    for form, rank, grouping, types in product(FORMS, (1, 2, 3), GROUPINGS, TYPES):
        yield f"{form} {rank}-D {grouping} {types}"
    for count, groups in product(LANES, ("groups 1", "groups > 1")):
        yield f"M/groups {count} {groups}"
    for form, opset in product(FORMS, range(OLDEST_OPSET, NEWEST_OPSET + 1)):
        yield f"{form} opset {opset}"
    yield from (f"batch {count}" for count in (1, 2, 3))
    yield from _all_geometry()
    yield from _all_quantization()
    for grouping, activation in product(GROUPINGS, ACTIVATIONS):
        yield f"{grouping} activation {activation}"
    yield from ("Clip as attributes", "Clip as inputs")
    yield from (f"QLinearConv {name}" for name in END_PLACEMENTS)
    yield from (f"QDQ {name}" for name in PLACEMENTS)


def _all_geometry() -> Iterator[str]:
    for rank in (1, 2, 3):
        yield from (f"{rank}-D pads {kind}" for kind in PADS)
        yield from (f"{rank}-D kernel {size}" for size in range(1, 6 if rank < 3 else 4))
        yield from (f"{rank}-D stride {size}" for size in (1, 2, 3))
        yield from (f"{rank}-D dilation {size}" for size in (1, 2, 3))
        yield f"{rank}-D kernel beyond the image"
        yield f"{rank}-D image of one element"
        yield f"{rank}-D output of one pixel"


def _all_quantization() -> Iterator[str]:
    for form, channels in product(FORMS, ("per-tensor", "per-channel")):
        yield from (f"{form} {channels} bias {kind}" for kind in BIASES[form])
    for form in FORMS:
        yield from (f"{form} per-channel zero points{each}" for each in ("", ", M = C"))
    for name, dtype in product("xwy", ("uint8", "int8")):
        # For uint8, zero is the lowest code.
        zeros = [zero for zero in ZEROS if (dtype, zero) != ("uint8", "low")]
        yield from (f"{name} zero point {dtype} {zero}" for zero in zeros)
    for name in "xw":
        yield from (f"{name} data {kind}" for kind in arrays.KINDS)
    yield from (f"{form} scales {kind}" for form, kind in product(FORMS, SCALES))


ALL_CELLS = (*_all_cells(), *coincidences.ALL_CELLS)
