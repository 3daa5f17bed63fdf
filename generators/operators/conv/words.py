"""A convolution in the words that laws use."""

from math import prod

from generators.arrays import LOWEST
from generators.builder import SPELLED
from generators.operators.conv.spec import ConvSpec


def parameters(spec: ConvSpec) -> dict[str, int | bool | str]:
    """A spec in the words of laws, structural words first, then numeric ones, then data.

    ``kernel``, ``stride`` and ``dilation`` are the largest over the axes, ``image`` the smallest;
    ``pads`` is their sum, also where ``auto_pad`` makes them, ``pixels`` the output's elements per channel, ``terms`` the products
    summed for one of them.
    """
    return {**_geometry(spec), **_quantization(spec)}


def _geometry(spec: ConvSpec) -> dict[str, int | bool | str]:
    rank, pads = len(spec.image), resolved_pads(spec)
    return {
        "groups": spec.groups,
        "M/groups": spec.out_per_group,
        "C/groups": spec.in_per_group,
        "M": spec.filters,
        "C": spec.channels,
        "C == M": spec.in_per_group == spec.out_per_group,
        "terms": spec.terms,
        "depthwise": spec.in_per_group == spec.out_per_group == 1,
        "N": spec.batch,
        "rank": rank,
        "kernel": max(spec.kernel),
        "kernel square": len(set(spec.kernel)) == 1,
        "kernel taps": prod(spec.kernel),
        "stride": max(spec.strides),
        "strides differ": len(set(spec.strides)) > 1,
        "dilation": max(spec.dilations),
        "dilations differ": len(set(spec.dilations)) > 1,
        "pads": sum(pads),
        "pads asymmetric": pads[:rank] != pads[rank:],
        "pads of axes differ": len(set(zip(pads[:rank], pads[rank:], strict=True))) > 1,
        "auto_pad": spec.auto_pad,
        "pixels": prod(spec.y_image),
        "image": min(spec.image),
    }


def _quantization(spec: ConvSpec) -> dict[str, int | bool | str]:
    return {
        "form": spec.form,
        "opset": spec.opset,
        "x dtype": "float32" if spec.missing == "x" else spec.x_dtype,
        "w dtype": "float32" if spec.missing == "w" else spec.w_dtype,
        "y dtype": "float32" if spec.missing == "y" else spec.y_codes,
        "per-channel": len(spec.w_scales) > 1 and spec.missing != "w",
        "bias": spec.bias,
        "activation": spec.activation,
        "doubled": spec.doubled,
        "shared": spec.shared,
        "missing": spec.missing,
        "zero points written": spec.zero_points_written or spec.form == "QLinearConv",
        "defaults written": bool(set(spec.written) - {"kernel_shape"}),
        "kernel_shape written": "kernel_shape" in spec.written,
        "Q and DQ say defaults": _says_defaults(spec),
        "w axis from the end": spec.w_axis < 0,
        "per-channel zero points": _has_zero_points_per_channel(spec),
        "x input": "reals" if spec.x_float or spec.missing == "x" else "codes",
        "x zero point": 0 if spec.missing == "x" else spec.x_zero_point,
        "x zero point above lowest": spec.missing != "x"
        and spec.x_zero_point > LOWEST[spec.x_dtype],
        "w zero point": 0 if spec.missing == "w" else max(map(abs, spec.w_zero_points)),
        "y zero point": 0 if spec.missing == "y" else spec.y_zero_point,
    }


def _says_defaults(spec: ConvSpec) -> bool:
    has_conversions = spec.form == "QDQ" or spec.x_float or spec.y_float
    return has_conversions and any(SPELLED[each] <= spec.opset for each in spec.spelled)


def resolved_pads(spec: ConvSpec) -> tuple[int, ...]:
    """Begins, then ends, as the standard resolves ``auto_pad``: an odd one follows its name."""
    if not spec.auto_pad.startswith("SAME"):
        return spec.pads
    totals = [
        max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size)
        for out, stride, dilation, kernel, size in zip(
            spec.y_image, spec.strides, spec.dilations, spec.kernel, spec.image, strict=True
        )
    ]
    less = [total // 2 for total in totals]
    more = [total - half for total, half in zip(totals, less, strict=True)]
    upper = spec.auto_pad == "SAME_UPPER"
    return (*less, *more) if upper else (*more, *less)


def _has_zero_points_per_channel(spec: ConvSpec) -> bool:
    """As the model says it: one DequantizeLinear has as many zero points as scales."""
    counts = {len(spec.w_zero_points)}
    if spec.form == "QDQ":
        counts.add(len(spec.w_scales))
    return max(counts) > 1 and spec.missing != "w"
