"""Loads the suite, runs one case of it and compares, exactly wherever codes are involved."""

import re
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from engine import Session
from engine.kernels.operators import OPERATORS
from tests.engine.models import Array

_EXACT = re.compile("quantize|qlinear|integer")


@cache
def load_cases() -> Sequence[Any]:
    """Every node case; their expected values are computed here, which takes seconds."""
    with warnings.catch_warnings():  # the suite divides by zero on purpose
        warnings.simplefilter("ignore", RuntimeWarning)
        from onnx.backend.test.loader import load_model_tests

        return tuple(load_model_tests(kind="node"))


@cache
def covered_cases() -> Sequence[Any]:
    """The cases whose operators are all ours."""
    return tuple(each for each in load_cases() if operators_of(each.model) <= _ours())


@cache
def _ours() -> set[tuple[str, str]]:
    ours = {(domain, each.name) for each in OPERATORS.values() for domain in each.domains}
    return ours | {("", "Constant")}


def operators_of(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """Domain and name of each operator in a model, those in branches too."""
    waiting, found = list(model.graph.node), set()
    while waiting:
        node = waiting.pop()
        found.add((node.domain, node.op_type))
        waiting += [inner for each in node.attribute for inner in each.g.node]
    return found


def check_case(case: Any, fusion: str) -> None:
    """Runs all data of a case and compares what comes out with what the suite expects."""
    session = Session(case.model, fusion=fusion)
    given = [each.name for each in case.model.graph.input]
    names = [each.name for each in case.model.graph.output]
    for inputs, outputs in case.data_sets:
        feeds = dict(zip(given, map(_array, inputs), strict=True))
        found = session.run(feeds)
        for name, expected in zip(names, map(_array, outputs), strict=True):
            assert_expected(case, found[name], expected)


def _array(given: Any) -> Array:
    if isinstance(given, onnx.TensorProto):
        found: Array = numpy_helper.to_array(given)
        return found
    return np.asarray(given)


def assert_expected(case: Any, actual: Array, expected: Array) -> None:
    """Equal type, shape and values; floats may differ by the suite's own tolerance."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    wrong = differing(case, actual, expected)
    assert not wrong.any(), (
        f"{int(wrong.sum())} of {wrong.size} differ: {actual[wrong][:3]} for {expected[wrong][:3]}"
    )


def differing(case: Any, actual: Array, expected: Array) -> Array:
    """Where the values are not what the case expects."""
    if _EXACT.search(case.name) or not np.issubdtype(expected.dtype, np.floating):
        bits: Array = actual.view(_bits(actual)) != expected.view(_bits(expected))
        return bits
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    same: Array = (a == e) | (np.isnan(a) & np.isnan(e))
    with np.errstate(invalid="ignore"):  # infinities that differ
        near: Array = np.abs(a - e) <= case.atol + case.rtol * np.abs(e)
    near &= np.isfinite(e)
    return ~(same | near)


def _bits(array: Array) -> np.dtype[Any]:
    return np.dtype(f"u{array.dtype.itemsize}")


def outside() -> Iterator[str]:
    """The operators of the suite that are not ours."""
    for each in load_cases():
        yield from (op for domain, op in operators_of(each.model) - _ours())
