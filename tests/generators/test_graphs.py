import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.case import Case
from generators.choices import SpreadChoices
from generators.graphs import FAMILIES, all_cells, case_of, cases, draw_case
from generators.operators.networks import NETWORKS
from generators.operators.node import blockwise, elementwise, matmul, movement, pool
from generators.operators.patterns import PATTERNS
from generators.qparams import POLICIES

T = TypeVar("T")
SEEDS = {"conv": range(500), "graphs": range(100), "all": range(50)}
SEEDS |= dict.fromkeys(FAMILIES[1:-2], range(150))


def accepted(case: Case) -> bool:
    """Whether onnxruntime runs the case as written; only its documented gap may stop it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(case.model, options)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        return False
    arrays = session.run(None, dict(case.inputs))
    return all(np.isfinite(each).all() for each in arrays)


def is_a_gap_of_onnxruntime(case: Case) -> bool:
    """QLinearConv of int8 by uint8; Swish, which release 1.31 has not; vectors of one block."""
    if {"graphs tail Swish", "blockwise one block of a vector"} & set(case.cells):
        return True
    return any(each.endswith("int8 uint8") and "QLinearConv" in each for each in case.cells)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("policy", POLICIES)
def test_every_draw_is_a_valid_model_that_onnxruntime_runs(family: str, policy: str) -> None:
    for seed in SEEDS[family]:
        case = draw_case(family, policy, seed)
        model = case.proto()
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
        assert is_a_gap_of_onnxruntime(case) or accepted(case), case.origin
        assert set(case.cells) <= set(all_cells(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_a_case_in_any_process(family: str) -> None:
    here = [draw_case(family, "any", seed).digest for seed in range(20)]
    program = (
        "from generators.graphs import draw_case\n"
        f"print(*(draw_case({family!r}, 'any', seed).digest for seed in range(20)))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.split() == here
    assert len(set(here)) == 20
    assert draw_case(family, "any", 3).origin == f"{family} any 3"


def families_of(numbers: range) -> Counter[str]:
    """How many cases of each family: by the options of the choice that a case makes first."""
    found: Counter[str] = Counter()
    for number in numbers:
        turns = _Turns(number)
        case_of(turns, "all", "any")
        found[turns.first] += 1
    return found


class _Turns(SpreadChoices):
    """Remembers the first choice."""

    first = ""

    def spread(self, options: Sequence[T]) -> T:
        taken = super().spread(options)
        self.first = self.first or str(taken)
        return taken


def test_the_families_of_all_have_equal_shares_of_any_stretch() -> None:
    for first in (0, 1000, (4 << 32) + 500):
        found = families_of(range(first, first + 160))
        assert set(found) == set(FAMILIES[:-1])
        twice = found.pop("elementwise")
        assert abs(twice - 40) <= 3
        assert all(abs(count - 20) <= 2 for count in found.values())


# The operators of each family, and in how many cases that follow each other all of them come.
BLOCKS = {"matmul": 20, "movement": 60, "pool": 60, "blockwise": 40, "elementwise": 300}
KINDS = {
    "matmul": tuple(f"matmul {form}" for form in matmul.FORMS),
    "movement": tuple(f"movement {op}" for op in (*movement.MOVES, "Split", "Concat")),
    "pool": tuple(f"pool {op}" for op in (*pool.REDUCTIONS, *pool.ON_CODES)),
    "blockwise": tuple(f"blockwise {op}" for op in blockwise.PRODUCTS),
    "elementwise": (
        *(f"unary {op}" for op in elementwise.UNARY),
        *(f"binary {op}" for op in elementwise.BINARY),
    ),
}


@pytest.mark.parametrize("family", BLOCKS)
def test_every_operator_of_a_family_comes_within_a_block(family: str) -> None:
    for first in (0, 500, 7 << 32):
        numbers = range(first, first + BLOCKS[family])
        cells = [each for n in numbers for each in draw_case(family, "any", n).cells]
        missing = [k for k in KINDS[family] if not any(each.startswith(k) for each in cells)]
        assert not missing


def test_every_kind_of_graph_comes_within_a_block() -> None:
    for first in (0, 500, 7 << 32):
        cells = {c for n in range(400) for c in draw_case("graphs", "any", first + n).cells}
        wanted = {
            *(f"graphs {name}" for name in NETWORKS),
            *(f"pattern {n}" for n in PATTERNS),
        }
        assert wanted <= cells


@given(st.sampled_from(POLICIES).flatmap(lambda policy: cases("all", scales=policy)))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_strategies_draw_valid_models(case: Case) -> None:
    onnx.checker.check_model(case.proto(), full_check=True)
    assert is_a_gap_of_onnxruntime(case) or accepted(case)


def test_unknown_families_and_policies_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown family 'rnn', expected one of conv"):
        cases("rnn")
    with pytest.raises(ValueError, match="unknown scale policy 'odd'"):
        cases("conv", scales="odd")
    with pytest.raises(ValueError, match="unknown family 'rnn'"):
        draw_case("rnn", "any", 0)
