"""Pad: a border of a constant, of reflections, of the edge, or of the other side; any type."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Node
from engine.kernels.codes_before import CodesBefore, codes_before
from engine.kernels.known_shape import known_shape
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.shape import axes_of, checked_shape

_MODES = ("constant", "reflect", "edge", "wrap")
Widths = Sequence[tuple[int, int]]
"""Begin and end of each axis."""


@dataclass(frozen=True, slots=True)
class PadParameters:
    """One Pad with a border of a constant ``value``, around an input of this ``shape``.

    Both are None where only a run tells.
    """

    value: float | None
    shape: tuple[int, ...] | None
    codes: CodesBefore


def given_value(
    value: Array, p: PadParameters, shape: tuple[int, ...], widths: Widths
) -> Array:
    """The value of the border as it is."""
    return value


def pad(node: Node, setting: Setting) -> Kernel:
    """Begins, then ends, of each axis (or of those named); negative ones cut.

    Source:
        ONNX Pad-2 (attributes), -11 (inputs), -18 (axes), -19 (wrap).
    """
    mode = node.attributes.get("mode", "constant")
    if mode not in _MODES:
        raise InvalidModel(
            f"Pad {node.id!r}: mode is {mode!r}, not one of {', '.join(_MODES)}"
        )
    fixed, filler = node.attributes.get("pads"), node.attributes.get("value", 0.0)
    parameters = _parameters(node, setting) if mode == "constant" else None
    value_of = setting.stage("pad.value", given_value)

    def run(
        x: Array,
        pads: Array | None = None,
        value: Array | None = None,
        axes: Array | None = None,
    ) -> Array:
        given = fixed if pads is None else pads.tolist()
        if given is None:
            raise InvalidModel(f"Pad {node.id!r} has no pads")
        widths = _widths(node, x, [int(n) for n in given], axes)  # type: ignore[union-attr]
        what = np.asarray(filler if value is None else value.reshape(()), x.dtype)
        if parameters is not None:
            what = value_of(what, parameters, x.shape, widths)
        return pad_by(node, x, widths, str(mode), what)

    return Kernel(run, parameters=parameters)


def _parameters(node: Node, setting: Setting) -> PadParameters:
    """The border, and what the codes stand for that it is put around."""
    constant = setting.constant(node.input(2))
    value = node.attributes.get("value", 0.0) if not node.input(2) else None
    if constant is not None and constant.size == 1 and constant.dtype.kind in "biuf":
        value = float(constant.reshape(()))
    known = value if isinstance(value, float) else None
    shape = known_shape(setting.graph, node.inputs[0])
    return PadParameters(known, shape, codes_before(node, setting.graph))


def _widths(
    node: Node, x: Array, pads: Sequence[int], axes: Array | None
) -> list[tuple[int, int]]:
    places = range(x.ndim) if axes is None else axes_of(node, axes, x.ndim)
    count = len(places)
    if len(pads) != 2 * count:
        raise EngineError(f"Pad {node.id!r}: {len(pads)} pads for {count} axes")
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(places):
        widths[axis] = (pads[i], pads[i + count])
    return widths


def pad_by(node: Node, x: Array, widths: Widths, mode: str, value: Array) -> Array:
    """``x`` with a border of these widths around it; C-contiguous."""
    checked_shape(node, [max(n + b + e, 0) for n, (b, e) in zip(x.shape, widths, strict=True)])
    cut = tuple(
        slice(max(-b, 0), max(n - max(-e, 0), 0))
        for n, (b, e) in zip(x.shape, widths, strict=True)
    )
    inner = x[cut]
    grown = [(max(b, 0), max(e, 0)) for b, e in widths]
    if mode == "constant":
        return np.pad(inner, grown, constant_values=value)
    if any(n == 0 and max(w) for n, w in zip(inner.shape, grown, strict=True)):
        raise EngineError(f"Pad {node.id!r}: mode {mode} has nothing to repeat in {x.shape}")
    return np.pad(inner, grown, mode=mode)  # type: ignore[call-overload, no-any-return]


OPERATORS = (operator("Pad", pad, "mode pads value", inputs=(1, 4), since=2),)
