"""Faults of transposed convolutions: of what lies between the pixels, and of what is cut off."""

from dataclasses import replace

from engine.faults.fault import Fault
from engine.ir import Node
from engine.kernels.conv_transpose import Borders, Stretch, TransposeParameters, borders

Sizes = tuple[int, ...]


def lowest_of_memory(p: TransposeParameters) -> int:
    """Code 0, which is real 0 only where zx is 0."""
    return 0


def ends_first(node: Node, image: Sizes, s: Stretch) -> Borders:
    """The begin pads at the end, the end pads at the beginning."""
    half = len(s.pads) // 2
    return borders(node, image, replace(s, pads=s.pads[half:] + s.pads[:half]))


def output_padding_first(node: Node, image: Sizes, s: Stretch) -> Borders:
    """The pixels that output_padding adds are at the beginning."""
    around = borders(node, image, s)
    return tuple(
        (b + more, e - more) for (b, e), more in zip(around, s.output_padding, strict=True)
    )


def _has_gaps(p: TransposeParameters) -> bool:
    """Whether some output reads a tap between or beside the pixels."""
    return p.x_zero_point != 0 and (max(p.stretch.strides) > 1 or max(p.kernel) > 1)


def _asymmetric(p: TransposeParameters) -> bool:
    s, half = p.stretch, len(p.stretch.pads) // 2
    explicit = s.auto_pad == "NOTSET" and not s.output_shape
    return explicit and s.pads[:half] != s.pads[half:]


FAULTS = (
    Fault(
        "F12.transpose",
        "code 0 lies between the pixels of a transposed convolution instead of the zero point",
        "apache/tvm PR 4807, transposed",
        _has_gaps,
        {"transpose.code": lowest_of_memory},
        record=TransposeParameters,
    ),
    Fault(
        "F14.transpose",
        "begin and end pads of a transposed convolution are swapped",
        "asymmetric pads",
        _asymmetric,
        {"transpose.borders": ends_first},
        record=TransposeParameters,
    ),
    Fault(
        "F15.transpose",
        "output_padding of a transposed convolution is added at the beginning",
        "an output that is moved instead of made longer",
        lambda p: any(p.stretch.output_padding),
        {"transpose.borders": output_padding_first},
        record=TransposeParameters,
    ),
)
