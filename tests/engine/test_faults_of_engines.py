"""Faults against the installed engines whose wrong answers they imitate, on every element.

What an engine does depends on the CPU; each of its answers must be exact or the fault's.
"""

from typing import Any

import numpy as np
import pytest

from engine import Session
from tests.engine.cases import Array, draw
from tests.engine.models import qlinear_conv
from tests.engine.runtimes import Run, onnxruntime_run, opencv_run, torch_run

PADS: dict[str, Any] = {"pads": [1, 1, 1, 1]}


def codes(*shape: int, dtype: Any) -> Array:
    info = np.iinfo(dtype)
    return (
        np.random.default_rng(sum(shape)).integers(info.min, info.max + 1, shape).astype(dtype)
    )


def assert_reproduces(
    run: Run, profile: str, fault: str, count: int, **options: Any
) -> tuple[int, int]:
    """All elements equal the fault's, or all the exact ones; how many were wrong and of how many."""
    r = np.random.default_rng(5)
    wrong = total = 0
    for _ in range(count):
        case = draw(r, x_bits=8, **options)
        expected = run(case.model, case.x)
        exact = Session(case.model, profile=profile).run({"x": case.x})["y"]
        faulty = Session(case.model, profile=profile, faults=[fault]).run({"x": case.x})["y"]
        assert (expected == faulty).all() or (expected == exact).all()
        wrong += int((expected != exact).sum())
        total += expected.size
    return wrong, total


@pytest.mark.parametrize("optimized", [False, True])
def test_onnxruntime_saturates_as_f79a_dense(optimized: bool) -> None:
    assert_reproduces(onnxruntime_run(optimized), "ort", "F79a.dense", 80)


def test_fbgemm_saturates_as_f79a_channels() -> None:
    # of depthwise kernels it saturates with VNNI too; of sizes 4 by 4 see test_profiles
    sizes = (1, 1, 2, 3, 5)
    assert_reproduces(torch_run("fbgemm"), "fbgemm", "F79a.channels", 60, sizes=sizes)


def test_fbgemm_depthwise_saturates_on_every_cpu() -> None:
    run = torch_run("fbgemm")
    wrong = 0
    for seed in range(6):
        r = np.random.default_rng(seed)
        rank = 2 + seed % 2
        w = r.integers(-128, 128, (16, 1, *(3,) * rank)).astype(np.int8)
        x = r.integers(0, 256, (1, 16, *(6,) * rank)).astype(np.uint8)
        model = qlinear_conv(
            w,
            x=(0.02, 200),
            w_zero=-5,
            y=(0.1, 100),
            image=(6,) * rank,
            groups=16,
            pads=[1] * 2 * rank,
            strides=[1] * rank,
        )
        expected = run(model, x)
        faulty = Session(model, profile="fbgemm", faults=["F79a.depthwise"]).run({"x": x})["y"]
        exact = Session(model, profile="fbgemm").run({"x": x})["y"]
        assert (expected == faulty).all()
        wrong += int((expected != exact).sum())
    assert wrong > 100


def test_onednn_saturates_as_f79a_taps() -> None:
    assert_reproduces(torch_run("onednn"), "onednn", "F79a.taps", 60)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize(("groups", "per_group"), [(2, 12), (3, 12), (4, 20), (2, 9), (3, 15)])
def test_opencv_clobbers_as_f01(dtype: Any, groups: int, per_group: int) -> None:
    run = opencv_run()
    w = codes(groups * per_group, 3, 3, 3, dtype=np.int8)
    model = qlinear_conv(
        w, x_dtype=dtype, y_dtype=dtype, x=(0.02, 7), y=(0.1, 3), groups=groups, **PADS
    )
    x = {"x": codes(1, 3 * groups, 8, 8, dtype=dtype)}
    actual = run(model, x["x"])
    candidates: list[list[str]] = [[], ["F01"], ["F01.signed"], ["F01.unsigned"]]
    results = [
        Session(model, profile="opencv", faults=each).run(x)["y"] for each in candidates
    ]
    assert any((actual == each).all() for each in results)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_opencv_depthwise_tail_is_f11_tail(dtype: Any) -> None:
    run = opencv_run()
    for image in ((3, 3), (5, 5), (4, 5), (5, 6), (4, 6), (10, 10), (3, 33), (9, 9)):
        model = qlinear_conv(
            codes(8, 1, 3, 3, dtype=np.int8),
            x_dtype=dtype,
            y_dtype=dtype,
            x=(0.02, 7),
            y=(0.1, 3),
            groups=8,
            image=image,
            **PADS,
        )
        x = {"x": codes(1, 8, *image, dtype=dtype)}
        actual = run(model, x["x"])
        results = [
            Session(model, profile="opencv", faults=each).run(x)["y"]
            for each in ([], ["F11.tail"])
        ]
        assert any((actual == each).all() for each in results)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("geometry", [(2, 1, 1), (3, 2, 1), (3, 1, 2), (4, 3, 1), (5, 2, 2)])
def test_opencv_pads_same_as_f16(auto_pad: str, geometry: tuple[int, int, int]) -> None:
    run = opencv_run()
    kernel, stride, dilation = geometry
    for image in ((9, 8), (6, 7), (10, 16)):
        model = qlinear_conv(
            codes(8, 8, kernel, kernel, dtype=np.int8),
            x=(0.02, 0),
            y=(0.3, 100),
            image=image,
            auto_pad=auto_pad,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
        )
        x = {"x": codes(1, 8, *image, dtype=np.uint8)}
        faulty = Session(model, profile="opencv", faults=["F16"]).run(x)["y"]
        assert (run(model, x["x"]) == faulty).all()
