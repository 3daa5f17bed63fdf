"""Attributes that say their default: written down or left out, they mean the same."""

from collections.abc import Mapping
from types import MappingProxyType

from generators.operators.node.spec import Attribute, NodeSpec

ONES, ZEROS, ZERO_PAIRS, REVERSED, KERNEL = "ones", "zeros", "zero pairs", "reversed", "kernel"
"""Defaults that follow from an operand's shape: for each axis of the image, of x, of the weights."""
LAST_SINCE_13 = "last axis, before opset 13 axis 1"

Default = tuple[Attribute, int]  # the value, the first opset that knows the attribute
_WINDOW: Mapping[str, Default] = {
    "strides": (ONES, 10),
    "pads": (ZERO_PAIRS, 10),
    "auto_pad": ("NOTSET", 10),
}
_CONV: Mapping[str, Default] = {
    **_WINDOW,
    "dilations": (ONES, 10),
    "group": (1, 10),
    "kernel_shape": (KERNEL, 10),
}
_REDUCTION: Mapping[str, Default] = {"keepdims": (1, 10), "noop_with_empty_axes": (0, 18)}

DEFAULTS: Mapping[str, Mapping[str, Default]] = MappingProxyType(
    {
        "Gemm": {
            **dict.fromkeys(("transA", "transB"), (0, 10)),
            **dict.fromkeys(("alpha", "beta"), (1.0, 10)),
        },
        "QGemm": {**dict.fromkeys(("transA", "transB"), (0, 10)), "alpha": (1.0, 10)},
        "Conv": _CONV,
        "ConvInteger": _CONV,
        "ConvTranspose": {**_CONV, "output_padding": (ZEROS, 10)},
        "LeakyRelu": {"alpha": (0.01, 10)},
        "HardSigmoid": {"alpha": (0.2, 10), "beta": (0.5, 10)},
        "Elu": {"alpha": (1.0, 10)},
        "Celu": {"alpha": (1.0, 12)},
        "ThresholdedRelu": {"alpha": (1.0, 10)},
        "Gelu": {"approximate": ("none", 20)},
        "Softmax": {"axis": (LAST_SINCE_13, 10)},
        "BatchNormalization": {
            "epsilon": (1e-5, 10),
            "momentum": (0.9, 10),
            "training_mode": (0, 14),
        },
        "MaxPool": {
            **_WINDOW,
            "dilations": (ONES, 10),
            "ceil_mode": (0, 10),
            "storage_order": (0, 10),
        },
        "AveragePool": {
            **_WINDOW,
            "dilations": (ONES, 19),
            "ceil_mode": (0, 10),
            "count_include_pad": (0, 10),
        },
        "QLinearAveragePool": {
            **_WINDOW,
            "ceil_mode": (0, 10),
            "channels_last": (0, 10),
            "count_include_pad": (0, 10),
        },
        "QLinearGlobalAveragePool": {"channels_last": (0, 10)},
        "QLinearLeakyRelu": {"alpha": (0.01, 10)},
        "QLinearSoftmax": {"axis": (-1, 10)},
        "ReduceSum": {**_REDUCTION, "noop_with_empty_axes": (0, 13)},
        **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceMin"), _REDUCTION),
        "ArgMax": {"axis": (0, 10), "keepdims": (1, 10), "select_last_index": (0, 12)},
        "TopK": {"axis": (-1, 11), "largest": (1, 11), "sorted": (1, 11)},
        "Transpose": {"perm": (REVERSED, 10)},
        "Flatten": {"axis": (1, 10)},
        "Gather": {"axis": (0, 10)},
        "DepthToSpace": {"mode": ("DCR", 11)},
        "Reshape": {"allowzero": (0, 14)},
        "Pad": {"mode": ("constant", 10)},
        "Resize": {
            "antialias": (0, 18),
            "coordinate_transformation_mode": ("half_pixel", 11),
            "cubic_coeff_a": (-0.75, 11),
            "exclude_outside": (0, 11),
            "extrapolation_value": (0.0, 11),
            "keep_aspect_ratio_policy": ("stretch", 18),
        },
    }
)
"""By operator, or form on codes: its attributes with their defaults and first opsets."""


def label(spec: NodeSpec) -> str:
    """What a spec's operator is called: as it stands in the model."""
    return spec.op if spec.form == "QDQ" else spec.form


def defaults(spec: NodeSpec) -> dict[str, Attribute]:
    """The attributes that a spec's operator has in its opset, each with its default."""
    return {
        name: _resolved(value, spec)
        for name, (value, since) in DEFAULTS.get(label(spec), {}).items()
        if since <= spec.opset
    }


def left_out(spec: NodeSpec) -> dict[str, Attribute]:
    """The attributes that may be written with their default; pads and auto_pad exclude each other."""
    given = dict(spec.attributes)
    found = {name: value for name, value in defaults(spec).items() if name not in given}
    if given.get("auto_pad", "NOTSET") != "NOTSET":
        found.pop("pads", None)
    if "pads" in given:
        found.pop("auto_pad", None)
    return found


def written(spec: NodeSpec) -> tuple[str, ...]:
    """The attributes that say their default; not the kernel's shape, which usually is written."""
    given = dict(spec.attributes)
    found = defaults(spec).items()
    return tuple(n for n, value in found if n != "kernel_shape" and given.get(n) == value)


def _resolved(value: Attribute, spec: NodeSpec) -> Attribute:
    shape = spec.operands[0].shape
    image = len(shape) - 2
    if value == LAST_SINCE_13:
        return -1 if spec.opset >= 13 else 1
    if value == REVERSED:
        return tuple(range(len(shape)))[::-1]
    if value == KERNEL:
        return spec.operands[1].shape[2:]
    if value == ONES:
        return (1,) * image
    if value == ZEROS:
        return (0,) * image
    return (0,) * (2 * image) if value == ZERO_PAIRS else value
