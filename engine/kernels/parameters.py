"""Everything that fixes one integer convolution, whichever ONNX form it came from."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from engine.ir import Array
from engine.kernels.geometry import Window


@dataclass(frozen=True, slots=True)
class ConvParameters:
    """One QLinearConv, or one fused Q/DQ Conv; codes and scales as in eq. (1) to (5).

    ``w`` holds codes (M, C/groups, *kernel); ``w_scales`` and ``w_zero_points`` have 1 or M
    elements, ``bias`` (int32, in steps of ``x_scale * w_scale``) M. ``bias_scales`` is what the
    model says the bias steps are, None where the operator defines them. ``low`` and ``high`` are
    the bounds of the activation in output codes, ``bounds`` the real ones; ``table`` what comes out
    for each code from the lowest on, None where nothing is looked up, ``table_zero_point`` the zero
    point of that, ``table_of`` the operators it stands for. ``ending`` is what follows the sums: ``codes`` (the usual: requantize, in blocks
    where that is possible), ``residual``, ``silu``, or ``none``.
    """

    node: str
    x_dtype: np.dtype[Any]
    x_scale: np.float32
    x_zero_point: int
    w: Array
    w_scales: Array
    w_zero_points: Array
    y_dtype: np.dtype[Any]
    y_scale: np.float32
    y_zero_point: int
    bias: Array | None
    bias_scales: Array | None
    groups: int
    window: Window
    activation: str
    low: int
    high: int
    table: Array | None = None
    table_zero_point: int | None = None
    table_of: str = ""
    ending: str = "codes"
    bounds: tuple[float, float] = (-np.inf, np.inf)

    @property
    def out_channels(self) -> int:
        """M."""
        return int(self.w.shape[0])

    @property
    def in_channels(self) -> int:
        """C."""
        return int(self.w.shape[1]) * self.groups

    @property
    def out_per_group(self) -> int:
        """M / groups."""
        return int(self.w.shape[0]) // self.groups

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps along each spatial axis."""
        return self.w.shape[2:]

    @property
    def strides(self) -> tuple[int, ...]:
        """Steps of the window along each spatial axis."""
        return self.window.strides

    @property
    def dilations(self) -> tuple[int, ...]:
        """Distances between neighbouring taps."""
        return self.window.dilations

    @property
    def pads(self) -> tuple[int, ...]:
        """Explicit pads, begins then ends; unused where ``auto_pad`` is set."""
        return self.window.pads

    @property
    def auto_pad(self) -> str:
        """NOTSET, VALID, SAME_UPPER or SAME_LOWER."""
        return self.window.auto_pad

    @property
    def may_pad(self) -> bool:
        """Whether some input size makes a window reach over the border."""
        if self.auto_pad.startswith("SAME"):
            return any(each > 1 for each in self.kernel)
        return self.auto_pad != "VALID" and any(self.pads)

    @property
    def in_per_group(self) -> int:
        """C / groups."""
        return int(self.w.shape[1])

    def facts(self) -> dict[str, Any]:
        """Every field by name, for records of convolutions with more to them."""
        return {each.name: getattr(self, each.name) for each in fields(ConvParameters)}

    @property
    def is_depthwise(self) -> bool:
        """One input and one output channel in each of several groups."""
        return self.groups > 1 and self.w.shape[1] == 1 and self.out_per_group == 1
