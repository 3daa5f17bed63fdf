"""Faults of pools, reductions, softmax and resize show under their trigger and nowhere else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest

from engine import EngineError, Session
from engine.faults import average_roundings, averages, pools, resize, softmax
from engine.faults.fault import Fault
from generators.graphs import draw_case
from tests.engine.fusion.pools import axes, behind, codes
from tests.engine.models import Array

FAULTS = (
    *pools.FAULTS,
    *averages.FAULTS,
    *average_roundings.FAULTS,
    *softmax.FAULTS,
    *resize.FAULTS,
)
I8: dict[str, Any] = {"dtype": np.int8}
SAME: dict[str, Any] = {"x": (0.25, 5), "y": (0.25, 5)}
OTHER: dict[str, Any] = {"x": (0.25, 5), "y": (0.4, 9)}
FINER: dict[str, Any] = {"x": (0.25, 5), "y": (0.1, 9)}
PADDED: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
BARE: dict[str, Any] = {"kernel_shape": [3, 3]}
CEIL: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}
FLOOR: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 2]}
TWO: dict[str, Any] = {"kernel_shape": [1, 2]}
ONE: dict[str, Any] = {"kernel_shape": [1, 1]}
WITH_INDEX: dict[str, Any] = {"made": ("g", "i"), "outputs": ("y", "i")}
PROBABILITY: dict[str, Any] = {"x": (0.05, 5), "y": (1 / 256, -128), "dtype": np.int8}


def top_k(**changed: Any) -> onnx.ModelProto:
    k = {"k": np.array([2], np.int64)}
    return behind("TopK", constants=k, **SAME, **{**WITH_INDEX, **changed})


def resized(**changed: Any) -> onnx.ModelProto:
    given: dict[str, Any] = SAME | changed
    extra = {"roi": np.empty(0, np.float32), "by": np.array([1, 1, 2, 2], np.float32)}
    return behind("Resize", constants=extra, mode="linear", **given)


PAIRS = {
    "F23": (
        behind("AveragePool", **SAME, **CEIL),
        behind("AveragePool", **SAME, **FLOOR),
    ),
    "F23.max": (
        behind("MaxPool", x=(0.25, 200), y=(0.25, 200), **CEIL),
        behind("MaxPool", x=(0.25, 0), y=(0.25, 0), **CEIL),
    ),
    "F14.pool": (
        behind("MaxPool", kernel_shape=[3, 3], pads=[1, 0, 0, 1], **SAME),
        behind("MaxPool", **SAME, **PADDED),
    ),
    "F16.pool.side": (
        behind("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_LOWER", **SAME),
        behind("MaxPool", kernel_shape=[3, 3], pads=[1, 0, 0, 1], **SAME),
    ),
    "F14.average": (
        behind("AveragePool", kernel_shape=[3, 3], pads=[1, 0, 0, 1], **SAME),
        behind("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_UPPER", **SAME),
    ),
    "F16.average.side": (
        behind("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_UPPER", **SAME),
        behind("AveragePool", **SAME, **PADDED),
    ),
    "F75.average": (
        behind("AveragePool", **SAME, **TWO),
        behind("AveragePool", x=(0.25, 5), y=(0.25, 4), **TWO),
    ),
    "F87b": (
        behind("MaxPool", x=(0.25, 250), y=(0.25, 250), **PADDED),
        behind("MaxPool", x=(0.25, 250), y=(0.25, 250), **BARE),
    ),
    "F87": (behind("MaxPool", **SAME, **TWO, **I8), behind("MaxPool", **SAME, **TWO)),
    "F87.reduce": (
        behind("ReduceMax", constants=axes(2), **SAME, **I8),
        behind("ReduceMin", constants=axes(2), **SAME, **I8),
    ),
    "F121": (top_k(), behind("ReduceMax", constants=axes(2), **SAME)),
    "F121.pool": (
        behind("MaxPool", **SAME, **TWO, **WITH_INDEX),
        behind("MaxPool", **SAME, **TWO),
    ),
    "F121.image": (
        behind("MaxPool", **SAME, **TWO, **WITH_INDEX),
        behind("MaxPool", **SAME, **TWO),
    ),
    **dict.fromkeys(
        ("F165", "F165.turned"),
        (
            behind("MaxPool", storage_order=1, **SAME, **TWO, **WITH_INDEX),
            behind("MaxPool", **SAME, **TWO, **WITH_INDEX),
        ),
    ),
    "F89": (
        behind("AveragePool", **SAME, **PADDED),
        behind("AveragePool", **SAME, **PADDED, count_include_pad=1),
    ),
    "F89.inside": (
        behind("AveragePool", **SAME, **PADDED, count_include_pad=1),
        behind("AveragePool", **SAME, **PADDED),
    ),
    "F90": (
        behind("AveragePool", **OTHER, **PADDED),
        behind("AveragePool", x=(0.25, 0), y=(0.4, 9), **PADDED),
    ),
    "F88": (behind("AveragePool", **OTHER, **BARE), behind("AveragePool", **OTHER, **ONE)),
    "F77.average": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", **SAME, **BARE),
    ),
    "F90b": (
        behind("ReduceMean", constants=axes(2), **FINER),
        behind("ReduceSum", constants=axes(2), **FINER),
    ),
    "F90d": (
        behind("GlobalAveragePool", **SAME),
        behind("AveragePool", kernel_shape=[6, 5], **SAME),
    ),
    "F105.average": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", **SAME, **BARE),
    ),
    "F43": (
        behind("MaxPool", x=(-0.25, 5), y=(-0.25, 5), **TWO),
        behind("MaxPool", **SAME, **TWO),
    ),
    "F90c": (behind("MaxPool", **OTHER, **TWO), behind("MaxPool", **SAME, **TWO)),
    "F90c.average": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", **SAME, **BARE),
    ),
    "F70.average": (
        behind("AveragePool", **SAME, **TWO),
        behind("AveragePool", **SAME, **BARE),
    ),
    "F71.average": (
        behind("AveragePool", **SAME, **TWO),
        behind("AveragePool", **SAME, **BARE),
    ),
    "F72.average": (
        behind("AveragePool", **OTHER, **BARE),
        behind("ReduceSum", constants=axes(3), x=(0.5, 5), y=(0.25, 9)),
    ),
    "F73a.average": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", x=(0.5, 5), y=(0.25, 9), **ONE),
    ),
    "F38.average": (
        behind("AveragePool", **FINER, **TWO),
        behind("AveragePool", **SAME, **TWO),
    ),
    "F128.average": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", x=(0.5, 0), y=(0.5, 0), **ONE),
    ),
    "F128.average.clipped": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", x=(0.5, 0), y=(0.5, 0), **ONE),
    ),
    "F142": (
        behind("AveragePool", **OTHER, **BARE),
        behind("AveragePool", **SAME, **ONE),
    ),
    "F128.softmax": (
        behind("Softmax", **PROBABILITY),
        behind("Softmax", **PROBABILITY | {"y": (4.0, 0)}),
    ),
    "F128.softmax.clipped": (
        behind("Softmax", **PROBABILITY),
        behind("Softmax", **PROBABILITY | {"y": (4.0, 0)}),
    ),
    "F37": (
        behind("Softmax", axis=3, **PROBABILITY | {"x": (1.0, 5)}),
        behind("Softmax", axis=3, x=(1.0, 5), y=(1 / 128, -128), **I8),
    ),
    "F86h": (
        behind("Softmax", opset=12, axis=1, **PROBABILITY),
        behind("Softmax", opset=12, axis=-1, **PROBABILITY),
    ),
    "F86h.coerced": (
        behind("Softmax", axis=1, **PROBABILITY),
        behind("Softmax", axis=-1, **PROBABILITY),
    ),
    "F105.softmax": (
        behind("Softmax", **PROBABILITY),
        behind("Softmax", **PROBABILITY | {"x": (1.0, 5)}),
    ),
    "F72.softmax": (
        behind("Softmax", **PROBABILITY),
        behind("Softmax", **PROBABILITY | {"y": (4.0, 0)}),
    ),
    "F38.softmax": (
        behind("Softmax", x=(1.0, 5), y=(1 / 256, 0)),
        behind("Softmax", x=(1.0, 5), y=(1 / 255, 0)),
    ),
    "F131": (
        behind("Softmax", x=(0.05, 5), y=(1e-4, 0)),
        behind("Softmax", x=(0.05, 5), y=(1e-2, 0)),
    ),
    "F131.unsigned": (
        behind("Softmax", x=(0.05, 5), y=(1e-4, 0), **I8),
        behind("Softmax", x=(0.05, 5), y=(1e-4, 0)),
    ),
    "F126": (
        behind("Softmax", **PROBABILITY | {"y": (0.3, 0)}),
        behind("Softmax", **PROBABILITY | {"y": (0.25, 0)}),
    ),
    "F126.single": (
        behind("Softmax", **PROBABILITY | {"y": (0.3, 0)}),
        behind("Softmax", **PROBABILITY | {"y": (0.25, 0)}),
    ),
    "F105.resize": (resized(), behind("AveragePool", **SAME, **TWO)),
    "F70.resize": (resized(), resized(y=(0.1, 5))),
    "F71.resize": (resized(), resized(y=(0.1, 5))),
    "F72.resize": (resized(), resized(y=(200.0, 5))),
    "F73a.resize": (resized(), behind("AveragePool", **SAME, **TWO)),
    "F38.resize": (resized(y=(0.1, 5)), resized()),
}


@dataclass(frozen=True)
class Ran:
    """What a model gives, as arrays by output, and where a fault can show."""

    arrays: dict[str, Array]
    places: tuple[str, ...]


def dtype_of(model: onnx.ModelProto) -> Any:
    number = model.graph.input[0].type.tensor_type.elem_type
    return onnx.helper.tensor_dtype_to_np_dtype(number)


def ran(
    model: onnx.ModelProto, fault: Fault | None, profile: str = "spec", x: Array | None = None
) -> Ran:
    session = Session(model, profile=profile, faults=[fault.key] if fault else [])
    x = codes(dtype_of(model), seed=4) if x is None else x
    return Ran(session.run({"x": x}), fault.places(session.plan()) if fault else ())


def same(first: Ran, second: Ran) -> bool:
    return all(
        np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_under_its_trigger_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    wrong = ran(shows, fault)
    assert set(wrong.places) >= {"d", "a"}
    assert not same(ran(shows, None), wrong)
    quiet = ran(decoy, fault)
    assert not quiet.places
    assert same(ran(decoy, None), quiet)


@pytest.mark.parametrize("profile", ["ort", "fbgemm", "opencv", "tflite"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    shows, _ = PAIRS[fault.key]
    if fault.id in ("F70", "F71", "F75"):  # a profile may round before its ties are reached
        return
    if profile == "ort" and fault.key in ("F126", "F126.single", "F131"):  # its own arithmetic
        assert same(ran(shows, None, profile), ran(shows, fault, profile))
        return
    assert not same(ran(shows, None, profile), ran(shows, fault, profile))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_its_trigger_is_off(fault: Fault) -> None:
    quiet = 0
    for family, count in (("pool", 60), ("elementwise", 20), ("movement", 20)):
        for seed in range(count):
            case = draw_case(family, "any", seed)
            try:
                right = Session(case.model).run(case.inputs)
            except EngineError:
                continue
            faulty = Session(case.model, faults=[fault.key])
            if not fault.places(faulty.plan()):
                quiet += 1
                wrong = faulty.run(case.inputs)
                assert all(np.array_equal(wrong[name], right[name]) for name in right)
    assert quiet > 30
