"""Moves on what an operator is: its kind, its form, its operands, what follows it."""

from dataclasses import replace
from functools import partial
from random import Random

import numpy as np

from generators.builder import SPELLED
from generators.operators.node import LAYOUTS, NodeSpec, Operand, Tail, operator_of
from generators.operators.node.axes import per_tensor, sizes, with_attribute
from generators.operators.node.defaults import left_out, written
from generators.operators.node.families import family_of
from generators.operators.node.pool import AXES_INPUT
from generators.operators.node.words import MATRICES
from harness.law.node.data import BIAS, CODE_RANGES
from harness.law.node.moves import Move
from harness.law.node.shape_moves import reduced_axes, reducing

MOST_OPERANDS = 4
BOUND = 60  # steps of the output at which a Clip ends
INTEGER_RESULTS = {"MatMulInteger": "int32", "ConvInteger": "int32"}
INTEGER_RESULTS |= {"MatMulIntegerToFloat": "float32"}


def operator_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """Operators that may take its place, with attributes of theirs only."""
    ops = family_of(spec).ops
    if len(ops) < 2 or spec.form != "QDQ":
        return {}
    return {"op": [partial(_operator, op) for op in ops]}


def _operator(op: str, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    if op in ("Add", "Mul", "Sub", "Div") and len(spec.operands) != 2:
        return None
    known = {"count_include_pad": "AveragePool", "alpha": spec.op, "beta": spec.op}
    kept = tuple((n, v) for n, v in spec.attributes if known.get(n, op) == op)
    axes = reduced_axes(spec) if op in AXES_INPUT else ()
    changed = replace(spec, op=op, attributes=kept)
    return reducing(changed, axes) if op in AXES_INPUT else changed


def form_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """Forms on codes, and between conversions."""
    forms = [form for form in LAYOUTS if operator_of(form) == spec.op]
    if not forms or not all(
        each.is_quantized for each in spec.operands[:2] if each.dtype in CODE_RANGES
    ):
        return {}
    if spec.op == "Conv" or not spec.operands[0].is_quantized:
        return {}
    return {
        "form": [
            partial(_formed, form)
            for form in ("QDQ", *forms)
            if form != "DynamicQuantizeMatMul"
        ]
    }


def _formed(form: str, spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    y = spec.results[0]
    plain = INTEGER_RESULTS.get(form)
    if plain:
        y = replace(per_tensor(y), dtype=plain, scales=(), zero_points=(0,))
    elif not y.is_quantized:
        y = replace(y, dtype=spec.operands[0].dtype, scales=(0.7,), zero_points=(0,))
    return replace(spec, form=form, results=(y, *spec.results[1:]))


def in_form(spec: NodeSpec) -> NodeSpec:
    """The spec without what its form cannot have."""
    if spec.form == "QDQ":
        return _with_bias_of_form(spec) if spec.op == "Gemm" else spec
    spec = replace(spec, tails=(), x_float=False, y_float=False, zero_points_written=True)
    if spec.form == "QGemm":
        spec = with_attribute(_with_bias_of_form(spec), "beta", None)
    return spec


def _with_bias_of_form(spec: NodeSpec) -> NodeSpec:
    """QGemm's bias has no scale of its own, and that of Q/DQ form, if it is int32, has one."""
    if len(spec.operands) <= BIAS or spec.operands[BIAS].dtype != "int32":
        return spec
    c = spec.operands[BIAS]
    if spec.form == "QGemm":
        c = replace(c, scales=(), zero_points=(0,), axis=None)
    elif not c.is_quantized:
        a, b = spec.operands[:2]
        scale = (a.scales or (1.0,))[0] * (b.scales or (1.0,))[0]
        c = replace(c, scales=(scale,), zero_points=(0,), axis=None)
    return replace(spec, operands=(*spec.operands[:BIAS], c, *spec.operands[BIAS + 1 :]))


def tail_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """No tail, Relu or Clip where such are fused; else only fewer tails."""
    own = [list[Tail](), list(spec.tails)]
    if spec.form == "QDQ" and (spec.op in (*MATRICES, "Add", "Mul", "Sub", "Div", "Sum")):
        own += [[Tail("Relu")], [Tail("Clip")]]
    elif not spec.tails:
        return {}
    return {"tail": [partial(_tailed, tuple(tails)) for tails in own]}


def _tailed(tails: tuple[Tail, ...], spec: NodeSpec, rng: Random) -> NodeSpec | None:
    """The bias, if one is added behind the product, and these."""
    y = spec.results[0]
    step = abs(y.scales[0]) if y.is_quantized else 1.0
    bounds = ((0.0,), (float(np.float32(step * rng.choice((BOUND, BOUND + 0.25)))),))
    made = [
        Tail("Clip", constants=bounds) if each == Tail("Clip") else each
        for each in tails
        if each.op != "Add"
    ]
    return replace(spec, tails=(*(each for each in spec.tails if each.op == "Add"), *made))


def default_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """Attributes at their default left out, or all written; the same for those of Q and DQ."""
    found: dict[str, list[Move]] = {}
    if left_out(spec) or written(spec):
        found["defaults written"] = [_left_out, _written]
    if spec.form == "QDQ":
        found["Q and DQ say defaults"] = [_unspelled, _spelled]
    return found


def _left_out(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    said = written(spec)
    return replace(spec, attributes=tuple(e for e in spec.attributes if e[0] not in said))


def _written(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    for name in tuple(left_out(spec)):
        if name in left_out(spec):
            spec = with_attribute(spec, name, left_out(spec)[name])
    return spec


def _unspelled(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return replace(spec, spelled=())


def _spelled(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return replace(spec, spelled=tuple(SPELLED), opset=max(SPELLED.values()))


def operand_moves(spec: NodeSpec) -> dict[str, list[Move]]:
    """Fewer or more operands; a bias, or none."""
    if spec.op in ("Concat", "Sum", "Max", "Min") and len(spec.operands) > 1:
        name = "parts" if spec.op == "Concat" else "operands"
        return {name: [_fewer, _more]}
    if spec.op in ("Gemm", "ConvTranspose", "MatMul") and spec.form in ("QDQ", "QGemm"):
        return {"bias": [_without_bias, _with_bias]}
    return {}


def _fewer(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    return replace(spec, operands=spec.operands[:-1]) if len(spec.operands) > 2 else None


def _more(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    if len(spec.operands) >= MOST_OPERANDS:
        return None
    last = spec.operands[-1]
    return replace(spec, operands=(*spec.operands, replace(last, name=f"{last.name}2")))


def _without_bias(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    tails = tuple(each for each in spec.tails if each.op != "Add")
    return replace(spec, operands=spec.operands[:BIAS], tails=tails)


def _with_bias(spec: NodeSpec, _rng: Random) -> NodeSpec | None:
    if len(spec.operands) > BIAS or any(each.op == "Add" for each in spec.tails):
        return None
    found = sizes(spec)
    count = found["N"] if "N" in found else found["groups"] * found["M/groups"]
    if spec.op == "MatMul":
        return replace(spec, tails=(Tail("Add", constants=((0.0,) * count,)), *spec.tails))
    c = Operand("c", (count,), "int32", constant=True)
    scale = prod_of_scales(spec)
    c = replace(c, scales=(scale,) if spec.form == "QDQ" else ())
    return replace(spec, operands=(*spec.operands, c))


def prod_of_scales(spec: NodeSpec) -> float:
    """The step of the sums of products, by the first scales."""
    a, b = spec.operands[:2]
    return (a.scales or (1.0,))[0] * (b.scales or (1.0,))[0]
