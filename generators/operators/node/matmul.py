"""Matrix products: MatMul, Gemm and their forms on codes, with weights or two activations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from generators import qparams
from generators.arrays import noise
from generators.choices import Choices
from generators.operators.node.drawing import Draw, sum_reach
from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail, on_axis

FORMS = (
    "MatMul",
    "MatMul of activations",
    "MatMul with bias",
    "Gemm",
    "QLinearMatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "QGemm",
)
GRANULARITIES = ("tensor", "column")
TAILS = ("none", "Relu", "Clip")
ALL_CELLS = (
    *(f"matmul {form} {each}" for form in FORMS[:1] for each in GRANULARITIES),
    *(f"matmul {form}" for form in FORMS),
    *(f"matmul rank {rank}" for rank in (1, 2, 3, 4)),
    *(f"matmul tail {tail}" for tail in TAILS),
    *(f"Gemm trans {a}{b}" for a in (0, 1) for b in (0, 1)),
    "Gemm alpha",
    "Gemm beta",
    "matmul K = N",
    "matmul K % 8 != 0",
)


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One matrix product and the cells it belongs to."""
    draw = Draw.of(choices, scales)
    form = choices.pick(FORMS)
    if form == "Gemm" or form == "QGemm":
        return _gemm(draw, form)
    return _matmul(draw, form)


def _matmul(draw: Draw, form: str) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    depth = draw.size()
    columns = depth if choices.flag(4) else draw.size()
    rank = choices.pick((2, 2, 3, 4, 1)) if form in FORMS[:2] else choices.pick((2, 3))
    batch = draw.shape(max(rank - 2, 0), 3)
    a = draw.codes("a", (depth,) if rank == 1 else (*batch, draw.size(9), depth))
    b_shape = (
        (*batch, depth, columns) if form == FORMS[1] and choices.flag() else (depth, columns)
    )
    b = draw.codes("b", b_shape, dtype=_weight_dtype(draw))
    b = replace(b, constant=form != FORMS[1])
    granularity = choices.pick(GRANULARITIES) if form in FORMS[:1] else "tensor"
    if granularity == "column":
        row = qparams.per_channel(choices, draw.style, b.scales[0], columns)
        b = on_axis(b, choices.pick((1, -1)), row)
    shape = (*a.shape[:-1], columns)
    cells = {f"matmul {form}", f"matmul rank {rank}"}
    cells |= {f"matmul {form} {granularity}"} if form == FORMS[0] else set()
    cells |= {"matmul K = N"} if depth == columns else set()
    cells |= {"matmul K % 8 != 0"} if depth % 8 else set()
    found, tail = _finished(draw, form, a, b, shape, depth)
    return found, frozenset({*cells, f"matmul tail {tail}"})


def _weight_dtype(draw: Draw) -> str:
    return "int8" if draw.dtype == "int8" else draw.choices.pick(("int8", "uint8"))


def _finished(
    draw: Draw, form: str, a: Operand, b: Operand, shape: tuple[int, ...], depth: int
) -> tuple[NodeSpec, str]:
    size, product = sum_reach(depth, a, b), a.scales[0] * max(b.scales)
    y = draw.result(shape, size, product)
    if form == "MatMulInteger":
        return draw.spec("MatMul", (a, b), (_plain_result(shape, "int32"),), form=form), "none"
    if form == "MatMulIntegerToFloat":
        result = _plain_result(shape, "float32")
        return draw.spec("MatMul", (a, b), (result,), form=form), "none"
    if form == "DynamicQuantizeMatMul":
        real = Operand("a", a.shape, "float32", kind=a.kind, seed=a.seed)
        result = _plain_result(shape, "float32")
        return draw.spec("MatMul", (real, b), (result,), form=form), "none"
    if form == "QLinearMatMul":
        return draw.spec("MatMul", (a, b), (y,), form=form), "none"
    tails, tail = _tails(draw, y)
    if form == "MatMul with bias":
        row = np.frombuffer(noise(a.seed, shape[-1]), np.int8).astype(np.float32)
        bias = tuple((row * np.float32(product * size / 256)).tolist())
        tails = (Tail("Add", constants=(bias,)), *tails)
    return draw.spec("MatMul", (a, b), (y,), tails=tails), tail


def _plain_result(shape: tuple[int, ...], dtype: str) -> Operand:
    return Operand("y", shape, dtype)


def _tails(draw: Draw, y: Operand) -> tuple[tuple[Tail, ...], str]:
    kind = draw.choices.pick(TAILS)
    if kind == "none":
        return (), kind
    high = qparams.float32(y.scales[0] * draw.choices.pick((64.0, 20.25)))
    return (Tail("Relu"),) if kind == "Relu" else (
        Tail("Clip", constants=((0.0,), (high,))),
    ), kind


def _gemm(draw: Draw, form: str) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    rows, depth, columns = draw.size(9), draw.size(), draw.size()
    trans_a, trans_b = int(choices.flag(3)), int(choices.flag())
    a = draw.codes("a", (depth, rows) if trans_a else (rows, depth))
    b = draw.codes(
        "b", (columns, depth) if trans_b else (depth, columns), dtype=_weight_dtype(draw)
    )
    b = replace(b, constant=True)
    alpha = choices.pick((1.0, 1.0, 1.0, 0.5, 2.0, 0.3))
    beta = choices.pick((1.0, 1.0, 1.0, 0.5)) if form == "Gemm" else 1.0
    product = a.scales[0] * b.scales[0]
    operands = [a, b, *_bias(draw, form, columns, product, sum_reach(depth, a, b))]
    y = draw.result((rows, columns), sum_reach(depth, a, b) * alpha, product)
    attributes: list[tuple[str, Attribute]] = []
    for name, value, default in (
        ("transA", trans_a, 0),
        ("transB", trans_b, 0),
        ("alpha", alpha, 1.0),
        ("beta", beta, 1.0),
    ):
        written = value != default or choices.flag(4)
        if written and not (name == "beta" and form == "QGemm"):
            attributes.append((name, value))
    tails, tail = _tails(draw, y) if form == "Gemm" else ((), "none")
    found = draw.spec(
        "Gemm", operands, (y,), attributes, form="QDQ" if form == "Gemm" else form, tails=tails
    )
    return found, _gemm_cells(form, tail, trans_a, trans_b, alpha, beta)


def _gemm_cells(
    form: str, tail: str, trans_a: int, trans_b: int, alpha: float, beta: float
) -> frozenset[str]:
    cells = {f"matmul {form}", f"matmul tail {tail}", "matmul rank 2"}
    if form == "Gemm":
        cells.add(f"Gemm trans {trans_a}{trans_b}")
        cells |= {"Gemm alpha"} if alpha != 1 else set()
        cells |= {"Gemm beta"} if beta != 1 else set()
    return frozenset(cells)


def _bias(
    draw: Draw, form: str, columns: int, product: float, size: float
) -> Sequence[Operand]:
    """No bias, or int32 codes in steps of the scales' product, or (Gemm) of another scale."""
    kind = draw.choices.pick(("none", "int32", "int32", "own-scale"))
    if kind == "none":
        return ()
    codes = np.frombuffer(noise(columns, columns), np.int8).astype(np.int32) * max(
        int(size) // 128, 1
    )
    scale = qparams.float32(product * (0.5 if kind == "own-scale" and form == "Gemm" else 1.0))
    bias = Operand("c", (columns,), "int32", (scale,), (0,), constant=True, array=codes)
    return (bias if form == "Gemm" else replace(bias, scales=()),)
