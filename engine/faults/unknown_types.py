"""Faults of QuantizeLinear with an ``output_dtype`` that an importer does not know."""

from dataclasses import replace

import numpy as np

from engine.faults.fault import Fault
from engine.faults.quantize import multiplied
from engine.kernels.quantize_parameters import QuantizeParameters

_UINT8 = np.dtype(np.uint8)
_KNOWN = (None, _UINT8, *map(np.dtype, (np.int8, np.int16, np.uint16)))
_SOURCE = "opencv/opencv modules/dnn/src/onnx: types of the importer, measured"


def of_known_type(p: QuantizeParameters) -> QuantizeParameters:
    """uint8 where ``output_dtype`` asks for codes of 4 bits or fewer, or for floats."""
    return replace(p, dtype=_UINT8) if _is_unknown(p) else p


def _is_unknown(p: QuantizeParameters) -> bool:
    return p.zero_point is None and not p.computed_zero_point and p.dtype not in _KNOWN


FAULTS = (
    Fault(
        "F156",
        "codes of a type other than 8 or 16 bits that output_dtype asks for are uint8",
        _SOURCE,
        _is_unknown,
        {"quantize.parameters": of_known_type},
        record=QuantizeParameters,
    ),
    Fault(
        "F156.multiplied",
        "codes of another type than 8 or 16 bits are uint8, made by a product where one follows the axis",
        f"{_SOURCE}: as F124 makes those of uint8",
        _is_unknown,
        {"quantize.parameters": of_known_type, "quantize.rule": multiplied},
        record=QuantizeParameters,
    ),
)
