"""Matrix products: MatMul, Gemm and their forms on codes, with weights or two activations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from generators import qparams
from generators.arrays import noise
from generators.choices import Choices
from generators.operators.node.drawing import Draw, sum_reach
from generators.operators.node.spec import Attribute, NodeSpec, Operand, Tail, on_axis

ON_CODES = (
    *("QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"),
    *("DynamicQuantizeMatMul", "QGemm"),
)
FORMS = (
    "MatMul",
    "MatMul of activations",
    "MatMul with bias",
    "Gemm",
    *ON_CODES,
)
GRANULARITIES = ("tensor", "column")
BY_COLUMN = tuple(form for form in FORMS if form not in ("MatMul of activations", "QGemm"))
"""Forms whose weights may have parameters for each column."""
QDQ = ("MatMul", "MatMul with bias", "Gemm")
TAILS = ("none", "Relu", "Clip")
_OTHER = {"uint8": "int8", "int8": "uint8"}
ALL_CELLS = (
    *(f"matmul {form} {each}" for form in BY_COLUMN for each in GRANULARITIES),
    *(f"matmul {form}" for form in FORMS),
    *(f"matmul rank {rank}" for rank in (1, 2, 3, 4)),
    *(f"matmul tail {tail}" for tail in TAILS),
    *(f"Gemm trans {a}{b}" for a in (0, 1) for b in (0, 1)),
    "Gemm alpha",
    "Gemm beta",
    "matmul K = N",
    "matmul K % 8 != 0",
    "matmul M = N",
    "matmul M = K",
    "matmul scales by row",
    "matmul zero points by column",
    "matmul y of another type",
    "matmul multiplier above 1",
    "Gemm transB K = N",
)


def spec(choices: Choices, scales: str) -> tuple[NodeSpec, frozenset[str]]:
    """One matrix product and the cells it belongs to."""
    draw = Draw.of(choices, scales)
    form = choices.spread(FORMS)
    if form == "Gemm" or form == "QGemm":
        return _gemm(draw, form)
    return _matmul(draw, form)


def _matmul(draw: Draw, form: str) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    depth = draw.size()
    by_row = form in QDQ and choices.flag(3)
    columns = depth if choices.flag(2 if by_row else 4) else draw.size()
    rank = choices.pick((2, 2, 3, 4, 1)) if form in FORMS[:2] else choices.pick((2, 3))
    batch = draw.shape(max(rank - 2, 0), 3)
    rows = choices.pick((columns, depth)) if choices.flag(4) else draw.size(9)
    a = draw.codes("a", (depth,) if rank == 1 else (*batch, rows, depth))
    b_shape = (
        (*batch, depth, columns) if form == FORMS[1] and choices.flag() else (depth, columns)
    )
    b = draw.codes("b", b_shape, dtype=_weight_dtype(draw))
    b = replace(b, constant=form != FORMS[1])
    cells = {f"matmul {form}", f"matmul rank {rank}"}
    if form in BY_COLUMN:
        axis = 0 if by_row else choices.pick((1, -1)) if form in QDQ else 1
        b, more = _with_columns(draw, form, b, axis, by_row)
        cells |= more
    shape = (*a.shape[:-1], columns)
    cells |= {"matmul K = N"} if depth == columns else set()
    cells |= {"matmul K % 8 != 0"} if depth % 8 else set()
    cells |= {"matmul M = N"} if rank > 1 and rows == columns else set()
    cells |= {"matmul M = K"} if rank > 1 and rows == depth else set()
    found, tail = _finished(draw, form, a, b, shape, depth)
    cells |= _result_cells(found.results[0], a, b)
    return found, frozenset({*cells, f"matmul tail {tail}"})


def _result_cells(y: Operand, a: Operand, b: Operand) -> set[str]:
    if not y.is_quantized:
        return set()
    cells = {"matmul y of another type"} if y.dtype != a.dtype else set()
    above = a.scales[0] * max(b.scales) > y.scales[0]
    return cells | ({"matmul multiplier above 1"} if above else set())


def _with_columns(
    draw: Draw, form: str, b: Operand, axis: int, by_row: bool
) -> tuple[Operand, set[str]]:
    """The weights, now and then with parameters along an axis: of the columns, or (wrongly) rows."""
    choices = draw.choices
    kind = choices.pick(GRANULARITIES)
    cells = {f"matmul {form} {kind}"}
    if kind == "tensor":
        return b, cells
    count = b.shape[axis]
    row = qparams.per_channel(choices, draw.style, b.scales[0], count)
    zeros = qparams.zero_points(choices, b.dtype, count)
    found = on_axis(b, axis, row)
    if len(set(zeros)) > 1:
        found = replace(found, zero_points=zeros)
        cells.add("matmul zero points by column")
    return found, cells | ({"matmul scales by row"} if by_row else set())


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
    if draw.choices.flag(10):
        y = replace(y, scales=(qparams.float32(product * draw.choices.pick((0.5, 0.75))),))
    if form == "QLinearMatMul":
        return draw.spec("MatMul", (a, b), (y,), form=form), "none"
    if draw.choices.flag(8):
        scales = y.scales
        y = replace(draw.result(shape, size, product, dtype=_OTHER[y.dtype]), scales=scales)
    tails, tail = _tails(draw, y)
    if form == "MatMul with bias":
        row = np.frombuffer(noise(a.seed, shape[-1]), np.int8).astype(np.float32)
        bias = tuple((row * np.float32(product * size / 256)).tolist())
        tails = (Tail("Add", constants=(bias,)), *tails)
    return draw.spec("MatMul", (a, b), (y,), tails=tails), tail


def _plain_result(shape: tuple[int, ...], dtype: str) -> Operand:
    return Operand("y", shape, dtype)


def _tails(draw: Draw, y: Operand) -> tuple[tuple[Tail, ...], str]:
    kind = draw.choices.spread(TAILS)
    if kind == "none":
        return (), kind
    high = qparams.float32(y.scales[0] * draw.choices.pick((64.0, 20.25)))
    return (Tail("Relu"),) if kind == "Relu" else (
        Tail("Clip", constants=((0.0,), (high,))),
    ), kind


def _gemm(draw: Draw, form: str) -> tuple[NodeSpec, frozenset[str]]:
    choices = draw.choices
    rows, depth, columns = draw.size(9), draw.size(), draw.size()
    columns = depth if choices.flag(4) else columns
    trans_a, trans_b = int(choices.flag(3)), int(choices.flag())
    a = draw.codes("a", (depth, rows) if trans_a else (rows, depth))
    b = draw.codes(
        "b", (columns, depth) if trans_b else (depth, columns), dtype=_weight_dtype(draw)
    )
    b, more = replace(b, constant=True), set[str]()
    if form == "Gemm":
        by_row = choices.flag(3)
        axis = (0 if trans_b else 1) ^ by_row
        b, more = _with_columns(draw, form, b, axis, by_row)
    alpha = choices.pick((1.0, 1.0, 1.0, 0.5, 2.0, 0.3))
    beta = choices.pick((1.0, 1.0, 0.5)) if form == "Gemm" else 1.0
    product = a.scales[0] * max(b.scales)
    operands = [a, b, *_bias(draw, form, columns, a, b, sum_reach(depth, a, b))]
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
    more |= {"Gemm transB K = N"} if trans_b and depth == columns > 1 else set()
    return found, frozenset(more | _gemm_cells(form, tail, trans_a, trans_b, alpha, beta))


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
    draw: Draw, form: str, columns: int, a: Operand, b: Operand, size: float
) -> Sequence[Operand]:
    """No bias, or int32 codes in steps of the scales' product, or (Gemm) of another scale."""
    kind = draw.choices.pick(("none", "int32", "int32", "own-scale"))
    if kind == "none":
        return ()
    codes = np.frombuffer(noise(columns, columns), np.int8).astype(np.int32) * max(
        int(size) // 128, 1
    )
    factor = a.scales[0] * (0.5 if kind == "own-scale" and form == "Gemm" else 1.0)
    scales = tuple(qparams.float32(factor * each) for each in b.scales)
    bias = Operand("c", (columns,), "int32", scales[:1], (0,), constant=True, array=codes)
    if form != "Gemm":
        return (replace(bias, scales=()),)
    return (bias if len(scales) != columns or columns == 1 else on_axis(bias, 0, scales),)
