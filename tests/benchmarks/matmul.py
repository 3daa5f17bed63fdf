"""Our engine against onnxruntime on products of a ViT block and on weights in blocks, one thread."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from engine import Session
from tests.benchmarks.clock import best_of
from tests.emulation.matmul import F32, Drawn, model, qgemm, qlinear_matmul
from tests.engine.models import Array

ROUNDS = 5
R = np.random.default_rng(0)
VIT = ((197, 768, 768), (197, 768, 3072), (197, 3072, 768))
BLOCKED = ((1, 4096, 4096), (16, 4096, 4096))
HEADS = (12, 197, 64)
GROWTH = (16, 64, 256, 1024)


def report() -> Iterator[str]:
    yield "matrix products of codes against onnxruntime int8, one thread, processor time"
    ratios = []
    for size in VIT:
        for name, made, x in _vit(size):
            ours, theirs = _ours(made, x), _onnxruntime(made, x)
            ratios.append(ours / theirs)
            yield f"{_row(name, size, ours, theirs)}   peak {_peak(made, x):.1f}x the live tensors"
    made, x = _heads()
    ours, theirs = _ours(made, x), _onnxruntime(made, x)
    ratios.append(ours / theirs)
    yield _row("QLinearMatMul, 12 heads", (*HEADS, HEADS[1]), ours, theirs)
    mean = float(np.exp(np.mean(np.log(ratios))))
    yield f"  geometric mean {mean:.1f}x, worst {max(ratios):.1f}x   (goal: <= 6x)"
    for size in BLOCKED:
        made, x = _blocked(size)
        yield _row("MatMulNBits, 4 bits", size, _ours(made, x), _onnxruntime(made, x))
    yield from _against_reference()
    yield from _growth()


def _row(name: str, size: tuple[int, ...], ours: float, theirs: float) -> str:
    shape = "x".join(map(str, size))
    return f"  {name:<32}{shape:<16}{ours * 1e3:7.2f} ms against {theirs * 1e3:6.2f} ms {ours / theirs:5.1f}x"


def _drawn(rows: int, depth: int, columns: int) -> Drawn:
    return Drawn(
        R.integers(0, 256, (rows, depth)).astype(np.uint8),
        F32(0.02),
        np.array(128, np.uint8),
        R.integers(-128, 128, (depth, columns)).astype(np.int8),
        np.array(0.005, F32),
        np.array(0, np.int8),
        F32(0.5),
        np.array(128, np.uint8),
    )


def _vit(size: tuple[int, int, int]) -> Iterator[tuple[str, onnx.ModelProto, Array]]:
    d = _drawn(*size)
    yield "QLinearMatMul", qlinear_matmul(d), d.a
    bias = R.integers(-9999, 9999, size[2]).astype(np.int32)
    yield "QGemm with bias", qgemm(d, bias, False, transB=1), d.a


def _heads() -> tuple[onnx.ModelProto, Array]:
    """Rows of 12 heads by a matrix for each head."""
    heads, rows, depth = HEADS
    d = _drawn(rows, depth, rows)
    x = R.integers(0, 256, (1, heads, rows, depth)).astype(np.uint8)
    keys = R.integers(-128, 128, (heads, depth, rows)).astype(np.int8)
    batched = Drawn(x, d.a_scale, d.a_zero, keys, d.b_scale, d.b_zero, d.y_scale, d.y_zero)
    return qlinear_matmul(batched), x


def _blocked(size: tuple[int, int, int], block: int = 32) -> tuple[onnx.ModelProto, Array]:
    rows, depth, columns = size
    constants = {
        "b": R.integers(0, 256, (columns, depth // block, block // 2)).astype(np.uint8),
        "s": np.full((columns, depth // block), 0.01, F32),
    }
    sizes: dict[str, Any] = {"K": depth, "N": columns, "bits": 4, "block_size": block}
    x = R.normal(0, 1, (rows, depth)).astype(F32)
    return model("MatMulNBits", {"x": x}, constants, F32, **sizes), x


def _ours(made: onnx.ModelProto, x: Array) -> float:
    session = Session(made)
    return best_of(lambda: session.run({"x": x}), ROUNDS)


def _onnxruntime(made: onnx.ModelProto, x: Array) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return best_of(lambda: session.run(None, {"x": x}), ROUNDS)


def _peak(made: onnx.ModelProto, x: Array) -> float:
    """What a run allocates at most, in sizes of its input, weights and output together."""
    session = Session(made)
    y = session.run({"x": x})["y"]
    live = x.nbytes + y.nbytes + sum(len(each.raw_data) for each in made.graph.initializer)
    tracemalloc.start()
    session.run({"x": x})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / live


def _against_reference() -> Iterator[str]:
    d = _drawn(*VIT[0])
    made = qlinear_matmul(d)
    evaluator = ReferenceEvaluator(made)
    slow, fast = _seconds(lambda: evaluator.run(None, {"x": d.a})), _ours(made, d.a)
    yield f"  onnx.reference {slow * 1e3:.0f} ms, {slow / fast:.0f}x ours   (goal: >= 50x)"


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def _growth() -> Iterator[str]:
    """Cost beside the number of rows, and beside K = N: a bar for each."""
    for title, sizes in (
        ("rows, K = N = 256", [(each, 256, 256) for each in GROWTH]),
        ("K = N, 64 rows", [(64, each, each) for each in GROWTH]),
    ):
        yield f"  {title}"
        for varied, size in zip(GROWTH, sizes, strict=True):
            d = _drawn(*size)
            micro = _ours(qlinear_matmul(d), d.a) * 1e6
            yield f"    {varied:>5}{micro:10.0f} us  {'#' * max(int(2 * np.log2(micro + 1)), 1)}"
