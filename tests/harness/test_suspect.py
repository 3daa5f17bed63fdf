"""From a wrong outcome to the operation and the cause, for faults of our own engine."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from corpus.case import Case
from corpus.finding import Match
from engine import Session
from generators.graphs import draw_case
from generators.operators.conv import build, describe
from generators.operators.node import NodeSpec, Operand
from generators.operators.node import build as build_node
from harness.in_graph import FEW_NODES
from harness.investigate import as_before, is_wrong_alone, shrink
from harness.outcome import Crashed, Refused, Values
from harness.same import same_bug
from harness.suspect import Suspect, suspects
from harness.verdicts import is_wrong
from tests.engine.models import graph_model
from tests.harness.benches import bench_of, grouped, padded

FAULTS = {
    "F01": grouped(),
    "F02": grouped(),
    "F12": padded(),
    "F25": padded(),
    "F14": padded(),
}


def only_suspect(name: str, case: Case) -> Suspect:
    with bench_of(name) as bench:
        spec = bench.specs[0]
        found = suspects(bench, spec, case, bench.run(case, spec))
        assert len(found) == 1
        return found[0]


@pytest.mark.parametrize("fault", ["F01", "F02", "F12", "F25"])
def test_a_fault_is_located_and_named(fault: str) -> None:
    suspect = only_suspect(f"engine:fault={fault}", FAULTS[fault])
    assert suspect.unit.outputs == ("y",)
    assert suspect.located_by == "native"
    assert fault in {match.fault for match in suspect.matches}
    assert suspect.signature.backend == "engine"


@pytest.mark.parametrize(
    ("before", "cause", "kind"),
    [
        ("F150", "F150", "divergent"),
        ("F70", "F70", "rounding-mode"),
        ("F12", "F75", "rounding-mode"),
    ],
)
def test_a_shrunk_case_has_the_name_and_the_kind_of_the_larger_one(
    before: str, cause: str, kind: str
) -> None:
    """Three faults explain the ties that are left; what explains them no more says nothing."""
    suspect = only_suspect("engine:fault=F12", padded())
    matches = tuple(Match(each, "words", 1, 1) for each in ("F75", "F70", "F150"))
    ties = replace(suspect.signature, kind="rounding-mode", cause="F75")
    small = replace(suspect, matches=matches, signature=ties)
    found = as_before(small, (Match(before, "words", 9, 9),))
    assert (found.signature.cause, found.signature.kind) == (cause, kind)
    assert found.matches == (matches if before == "F12" else found.matches[:1])


def test_an_operation_with_several_outputs_is_looked_at_whole() -> None:
    """One part of a Split by itself would be fused in another way.

    Where only zero points differ, a pair that is dropped (F104) gives the same values.
    """
    case = next(
        each
        for each in (draw_case("movement", "any", n) for n in range(99))
        if {"movement Split", "movement parameters scale differs"} <= set(each.cells)
        and Session(each.model, faults=["F96.split"]).plan().removed
    )
    with bench_of("engine:fault=F96.split") as bench:
        spec = bench.specs[0]
        found = suspects(bench, spec, case, bench.run(case, spec))
    assert found
    assert all(len(each.unit.outputs) > 1 for each in found)
    assert {each.signature.cause for each in found} == {"F96"}


def test_a_pair_that_a_rule_dropped_is_named_although_a_pass_restores_it() -> None:
    """The values of a QuantizeLinear alone hang on a pass, as does the fault of that rule."""
    constants: dict[str, Any] = {"s": np.float32(0.5), "a": np.int8(0), "b": np.uint8(0)}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "a"], ["r"], name="d"),
        helper.make_node("QuantizeLinear", ["r", "s", "b"], ["y"], name="q"),
    ]
    model = graph_model(nodes, {"x": (np.int8, [4])}, {"y": np.uint8}, constants)
    case = Case(model.SerializeToString(), {"x": np.array([-9, -1, 0, 5], np.int8)})
    with bench_of("engine:fault=F39") as bench:
        spec = bench.specs[0]
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
        small = shrink(bench, suspect)
    assert suspect.signature.op == "QuantizeLinear"
    assert [match.fault for match in suspect.matches] == ["F39"]
    assert small.signature == suspect.signature


def test_what_is_small_keeps_the_name_that_it_has_in_the_large() -> None:
    """One element is smaller and shows it, too; on other data it is right, and no fault explains that."""
    suspect = only_suspect("tests.fakes:forgets_zero_point_of_many", grouped())
    with bench_of("tests.fakes:forgets_zero_point_of_many") as bench:
        small = shrink(bench, suspect)
    assert small.signature == suspect.signature
    assert small.signature.cause == "F25"
    assert small.case.inputs["x"].size == 2


PAIR = """<ir_version: 8, opset_import: ["" : 21]>
g (float[3] x, bool c) => (int8[3] y) <float s = {0.0078125}, int16 z = {0}, float t = {2}, int8 u = {1}> {
  q = QuantizeLinear (x, s, z)
  r = DequantizeLinear (q, s, z)
  y = QuantizeLinear (r, t, u)
}"""
IN_BRANCH = PAIR.replace(
    "y = QuantizeLinear (r, t, u)",
    """y = If (c) <then_branch = a () => (int8[3] p) { p = QuantizeLinear (r, t, u) },
      else_branch = b () => (int8[3] n) { e = Neg (r) n = QuantizeLinear (e, t, u) }>""",
)


@pytest.mark.parametrize("text", [PAIR, IN_BRANCH])
def test_what_cannot_be_run_alone_is_looked_at_among_its_neighbours(text: str) -> None:
    """Alone, the last QuantizeLinear would read int16 codes, which this backend refuses."""
    inputs = {"x": np.array([-258, 1, 300], np.float32), "c": np.array(True)}
    case = Case(onnx.parser.parse_model(text).SerializeToString(), inputs)
    suspect = only_suspect("tests.fakes:drops_pairs_and_reads_no_wide_codes", case)
    assert suspect.signature.kind == "divergent"
    assert suspect.signature.cause == "F129"


def test_what_is_wrong_in_another_way_alone_is_looked_at_among_its_neighbours() -> None:
    """The last QuantizeLinear, alone, reads int16 codes: that this is wrong, too, is another bug."""
    case = Case(
        onnx.parser.parse_model(PAIR).SerializeToString(),
        {"x": np.array([-258, 1, 300], np.float32), "c": np.array(True)},
    )
    with bench_of("tests.fakes:drops_pairs_and_flips_wide_codes") as bench:
        spec = bench.specs[0]
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
        assert suspect.signature.cause == "F129"
        assert not is_wrong_alone(bench, suspect)
        small = shrink(bench, suspect)
        assert small.signature.text == suspect.signature.text
        assert "QuantizeLinear" in {each.op_type for each in small.whole.proto().graph.node}


BESIDE = f"""<ir_version: 8, opset_import: ["" : 21]>
g (float[3] x) => (float[3] y, float[3] a0) <float s = {{{{0.1}}}}, int8 z = {{{{0}}}}> {{{{
  q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z)
  a9 = Neg (x) {" ".join(f"a{n} = Neg (a{n + 1})" for n in reversed(range(9)))}
}}}}"""


def test_what_is_right_alone_is_looked_at_in_a_large_graph_for_what_would_explain_it() -> None:
    case = Case(
        onnx.parser.parse_model(BESIDE.format()).SerializeToString(),
        {"x": np.array([-9, 1.7, 5], np.float32)},
    )
    assert len(case.proto().graph.node) > FEW_NODES
    suspect = only_suspect("tests.fakes:interpolates_in_company", case)
    assert suspect.signature.cause == "F127"


EXPONENTIAL = """<ir_version: 8, opset_import: ["" : 21]>
g (float[3] x) => (float[3] y) <float s = {1}, uint16 z = {0}> {
  e = Exp (x) q = QuantizeLinear (e, s, z) y = DequantizeLinear (q, s, z)
}"""


@pytest.mark.parametrize("far", [12, 99])
def test_a_fault_has_one_kind_whether_reals_stay_finite_or_not(far: float) -> None:
    inputs = {"x": np.array([0, far, 1], np.float32)}
    case = Case(onnx.parser.parse_model(EXPONENTIAL).SerializeToString(), inputs)
    suspect = only_suspect("tests.fakes:drops_pairs_and_reads_no_wide_codes", case)
    assert (suspect.signature.kind, suspect.signature.cause) == ("divergent", "F129")


def test_a_backend_without_taps_is_observed_by_prefixes() -> None:
    suspect = only_suspect("tests.fakes:forgets_zero_point", grouped())
    assert suspect.located_by == "prefixes"
    assert suspect.signature.cause == "F25"


def test_the_right_answer_is_nobodys_fault() -> None:
    with bench_of("engine") as bench:
        spec, case = bench.specs[0], grouped()
        assert suspects(bench, spec, case, bench.run(case, spec)) == ()


TWO_PAIRS = """<ir_version: 8, opset_import: ["" : 13]>
two_pairs (float[2] x) => (uint8[2] y)
<float s = {0.001}, uint8 z = {128}, float t = {0.002}, uint8 n = {0}>
{
   a = QuantizeLinear (x, s, z)
   b = DequantizeLinear (a, s, z)
   c = QuantizeLinear (b, t, n)
   d = DequantizeLinear (c, t, n)
   e = Add (d, d)
   y = QuantizeLinear (e, t, n)
}"""


def test_codes_of_a_merged_pair_that_mean_the_same_are_nobodys_fault() -> None:
    """onnxruntime writes ``a`` with the parameters of ``c``: 0 where the model has 78, both become 0."""
    inputs = {"x": np.array([-0.05, -0.06], np.float32)}
    case = Case(onnx.parser.parse_model(TWO_PAIRS).SerializeToString(), inputs)
    with bench_of("ort") as bench:
        spec = bench.specs[0]
        assert suspects(bench, spec, case, bench.run(case, spec)) == ()


@pytest.mark.parametrize(
    ("fake", "kind"),
    [
        ("random", "nondeterministic"),
        ("reads_beside_its_tensors", "nondeterministic"),
        ("lies_about_shape", "wrong-type-or-shape"),
        ("lies_about_dtype", "wrong-type-or-shape"),
        ("wrong_name", "wrong-type-or-shape"),
        ("nan", "wrong-type-or-shape"),
        ("raises", "refused"),
    ],
)
def test_each_flaw_is_seen_for_what_it_is(fake: str, kind: str) -> None:
    assert only_suspect(f"tests.fakes:{fake}", grouped()).signature.kind == kind


def test_a_part_that_is_refused_in_other_words_is_not_the_refused_one() -> None:
    x = Operand("x", (1, 1, 4, 4), "uint16", (0.5,), (7,))
    y = Operand("y", (1, 1, 3, 3), "uint16", (0.5,), (7,))
    window = (("kernel_shape", (2, 2)),)
    pool = NodeSpec("MaxPool", (x,), (y,), window, opset=21, x_float=True, y_float=True)
    suspect = only_suspect("tests.fakes:hands_out_no_wide_codes", build_node(pool))
    assert "too much for me" in suspect.message
    assert suspect.signature.op == "MaxPool"


def pool_of(image: tuple[int, int]) -> Case:
    x, y = (
        Operand(name, (1, 1, *size), "uint8", (0.5,), (7,))
        for name, size in (("x", image), ("y", (1, 1)))
    )
    window = (("kernel_shape", (2, 2)),)
    return build_node(NodeSpec("MaxPool", (x,), (y,), window, opset=21))


def test_a_refusal_is_not_followed_to_where_the_standard_says_nothing() -> None:
    with bench_of("tests.fakes:raises") as bench:
        spec, case = bench.specs[0], pool_of((3, 3))
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
        same = same_bug(bench, suspect)
        assert same(case)
        assert same(pool_of((2, 2)))
        assert not same(pool_of((1, 1)))  # no window fits


@pytest.mark.parametrize("fault", ["F01", "F12"])
def test_shrinking_keeps_the_signature(fault: str) -> None:
    with bench_of(f"engine:fault={fault}") as bench:
        spec, case = bench.specs[0], FAULTS[fault]
        suspect = suspects(bench, spec, case, bench.run(case, spec))[0]
        small = shrink(bench, suspect)
        assert small.signature == suspect.signature
        assert is_wrong_alone(bench, small)
        assert len(small.case.model) < 450
        assert sum(array.size for array in small.case.inputs.values()) <= 4


def test_shrinking_finds_no_new_explanation() -> None:
    """Bounds of a Clip as codes give the same values on a small case, but not on the first one."""
    fault, cases = "F84.add", (draw_case("elementwise", "any", n) for n in range(999))
    with bench_of(f"engine:fault={fault}") as bench:
        spec = bench.specs[0]
        found = (
            each
            for case in cases
            if "binary tail Clip" in case.cells
            for each in suspects(bench, spec, case, bench.run(case, spec))
        )
        suspect = next(each for each in found if len(each.matches) == 1)
        small = shrink(bench, suspect)
    assert [match.fault for match in small.matches] == ["F84"]
    assert small.signature == suspect.signature


def test_a_documented_refusal_is_no_bug_and_any_other_is() -> None:
    case = grouped()
    assert not is_wrong(case, Refused("int8 only", documented=True))
    assert is_wrong(case, Refused("boom", documented=False))
    assert is_wrong(case, Values({}))


def test_signatures_of_the_same_bug_agree_across_forms() -> None:
    other = describe(grouped(out_per_group=12, groups=3))
    assert other is not None
    in_qdq = only_suspect("engine:fault=F01", build(replace(other, form="QDQ"))).signature
    fused = only_suspect("engine:fault=F01", grouped()).signature
    assert (fused.op, in_qdq.op) == ("QLinearConv", "Conv")
    assert in_qdq.id == fused.id


def test_a_crash_that_does_not_come_again_stays_a_crash() -> None:
    with bench_of("engine") as bench:
        spec, case = bench.specs[0], grouped()
        suspect = suspects(
            bench, spec, case, Crashed("signal SIGABRT", "free(): invalid pointer")
        )[0]
        assert shrink(bench, suspect).signature.kind == "crashed"
