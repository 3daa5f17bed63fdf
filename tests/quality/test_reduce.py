"""How small real bugs become, how fast, and that they stay the same bug."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from corpus.case import Array, Case
from generators.operators.conv import ConvSpec, build, describe
from harness.law import find_law
from harness.oracle import Oracle
from harness.reduce import reduce
from tests.harness.reduce.models import ops, residual, wrapped

CLOBBER_LAW = "groups > 1 and M/groups > 8 and M/groups % 8 != 0"


def clobbers(case: Case) -> bool:
    """OpenCV 28798 as a model of its effect: a trigger whose wrong channels the data must show."""
    spec = describe(case)
    if (
        spec is None
        or spec.groups == 1
        or spec.out_per_group <= 8
        or spec.out_per_group % 8 == 0
    ):
        return False
    (allowed,) = Oracle(case.proto()).allowed(case.inputs).values()
    right = np.asarray(allowed.centre)
    return bool((right != clobbered(right, spec)).any())


def clobbered(right: Array, spec: ConvSpec) -> Array:
    """Each group's last block of 8 lanes is written in full over what follows it, groups in order."""
    blocks = -(-spec.out_per_group // 8) * 8
    wrong = np.full((right.shape[0], spec.filters + blocks, *right.shape[2:]), 0, right.dtype)
    for group in range(spec.groups):
        start = group * spec.out_per_group // 8 * 8
        own = right[:, group * spec.out_per_group : (group + 1) * spec.out_per_group]
        wrong[:, start : start + spec.out_per_group] = own
    return wrong[:, : spec.filters]


@pytest.mark.parametrize("culprit", [(), ("the_conv",)])
def test_the_wrapped_clobbering_is_small_after_few_questions(culprit: tuple[str, ...]) -> None:
    small = reduce(wrapped(), clobbers, culprit=culprit)
    spec = describe(small.case)
    assert spec is not None
    assert ops(small.case) == ["QLinearConv"]
    assert len(small.case.model) <= 300
    assert small.checks <= 60
    assert small.seconds <= 0.5
    assert (spec.groups, spec.out_per_group, spec.in_per_group) == (2, 9, 1)
    assert (spec.image, spec.kernel) == ((1, 1), (1, 1))
    assert small.case.inputs["x"].astype(int).sum() <= 8


def test_data_dependent_saturation_keeps_the_data_that_saturate() -> None:
    """An int16 pair sum (uint8 x int8) needs large codes: they stay, what they do not need goes."""

    def saturates(case: Case) -> bool:
        spec = describe(case)
        if spec is None or (spec.x_dtype, spec.w_dtype) != ("uint8", "int8"):
            return False
        if spec.x is None or spec.w is None or spec.terms < 2:
            return False
        x, w = spec.x.astype(int).max(), np.sort(spec.w.reshape(spec.filters, -1).astype(int))
        return bool((x * w[:, -2:].sum(axis=1) > 2**15 - 1).any())

    start = ConvSpec(
        batch=2,
        in_per_group=6,
        out_per_group=5,
        image=(5, 5),
        kernel=(3, 3),
        pads=(1, 1, 1, 1),
        x_dtype="uint8",
        w_dtype="int8",
        x_kind="random",
        w_kind="random",
        bias="int32",
    )
    small = reduce(build(start), saturates)
    spec = describe(small.case)
    assert spec is not None
    assert (spec.terms, spec.filters, spec.batch, spec.bias) == (2, 1, 1, "none")
    assert small.checks <= 80


def test_a_bug_of_two_operators_keeps_both_and_little_else() -> None:
    def fails(case: Case) -> bool:
        found = ops(case)
        return "Conv" in found and "Add" in found and "QuantizeLinear" in found

    small = reduce(residual(), fails)
    assert ops(small.case).count("Conv") == 1
    assert len(small.case.model) <= 400
    assert small.checks <= 80


@pytest.mark.backend("opencv")
def test_the_grouped_convolution_of_opencv_shrinks_and_its_law_is_found() -> None:
    cv2 = pytest.importorskip("cv2")
    if not int(cv2.__version__.split(".")[0]) >= 5:
        pytest.skip("the integer convolution is OpenCV 5's")
    wrong = wrong_in_opencv(cv2)
    if not wrong(
        build(
            ConvSpec(
                groups=2,
                out_per_group=9,
                w_kind="random",
                x_dtype="int8",
                w_dtype="int8",
                w_scales=(0.01,),
            )
        )
    ):
        pytest.skip("this release computes grouped convolutions right")
    small = reduce(wrapped(), wrong)
    spec = describe(small.case)
    assert spec is not None
    assert ops(small.case) == ["QLinearConv"]
    assert (spec.groups, spec.out_per_group, spec.image) == (2, 9, (1, 1))
    assert len(small.case.model) <= 700
    law = find_law(spec, plain_only(wrong), seed=1)
    assert law.text == CLOBBER_LAW
    assert law.exact


def wrong_in_opencv(cv2: ModuleType) -> Callable[[Case], bool]:
    """Off by more than a step: this OpenCV also rounds exact ties in a way of its own."""

    def wrong(case: Case) -> bool:
        try:
            net = cv2.dnn.readNetFromONNX(np.frombuffer(case.model, np.uint8))
            for name, array in case.inputs.items():
                net.setInput(array, name)
            outputs = net.forward([each.name for each in case.proto().graph.output])
        except cv2.error:
            return False
        allowed = Oracle(case.proto()).allowed(case.inputs).values()
        return any(
            output.shape != np.asarray(each.low).shape
            or bool(((output < each.low - 1.0) | (output > each.high + 1.0)).any())
            for output, each in zip(outputs, allowed, strict=True)
        )

    return wrong


def plain_only(wrong: Callable[[Case], bool]) -> Callable[[ConvSpec], bool | None]:
    """Neighbours on which this OpenCV has other bugs, or another kernel, say nothing."""

    def fails(spec: ConvSpec) -> bool | None:
        padded = any(spec.pads) or spec.auto_pad != "NOTSET"
        fused = (
            spec.form == "QLinearConv"
            and spec.w_dtype == "int8"
            and not any(spec.w_zero_points)
            and spec.y_codes == spec.x_dtype
        )
        return wrong(build(spec)) if fused and not padded else None

    return fails
