"""Loading a model, and what a run costs besides its kernels."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine import Session, load
from tests.benchmarks.clock import best_of
from tests.engine.models import graph_model, qdq_conv

NODES = (1, 10, 30, 100, 300)
CHANNELS = 16
RUNS = 200


def report() -> Iterator[str]:
    yield "loading: parse, plan, pack, of convolutions 16x16x3x3 with bias and Relu; processor time"
    yield "  convolutions   as QLinearConv   between Q and DQ   (goal for 100: <= 50 ms)"
    for count in NODES:
        codes, pairs = (
            best_of(lambda data=data: Session(data), 5)  # type: ignore[misc]
            for data in (chain(count, False), chain(count, True))
        )
        yield f"  {count:>12}   {codes * 1e3:9.2f} ms       {pairs * 1e3:9.2f} ms"
    yield from _small()
    yield from _memory()


def chain(count: int, pairs: bool) -> bytes:
    """Convolutions one after the other, each as one QLinearConv or as six nodes of a Q/DQ graph."""
    r = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Any] = {"s": np.float32(0.02), "z": np.array(3, np.uint8)}
    for i in range(count):
        shape = (CHANNELS, CHANNELS, 3, 3)
        constants |= {
            f"w{i}": r.integers(-128, 128, shape).astype(np.int8),
            f"ws{i}": np.full(CHANNELS, 0.01, np.float32),
            f"wz{i}": np.zeros(CHANNELS, np.int8),
            f"b{i}": r.integers(-500, 500, CHANNELS).astype(np.int32),
            f"bs{i}": np.full(CHANNELS, np.float32(0.02) * np.float32(0.01)),
        }
        nodes += _pairs(i) if pairs else [_codes(i)]
    inputs: Any = {"y0": (np.uint8, [1, CHANNELS, 8, 8])}
    model = graph_model(nodes, inputs, {f"y{count}": np.uint8}, constants)
    data: bytes = model.SerializeToString()
    return data


def _codes(i: int) -> onnx.NodeProto:
    weights = [f"w{i}", f"ws{i}", f"wz{i}"]
    inputs = [f"y{i}", "s", "z", *weights, "s", "z", f"b{i}"]
    return helper.make_node("QLinearConv", inputs, [f"y{i + 1}"], pads=[1] * 4, name=f"c{i}")


def _pairs(i: int) -> list[onnx.NodeProto]:
    make = helper.make_node
    return [
        make("DequantizeLinear", [f"y{i}", "s", "z"], [f"xf{i}"], name=f"dx{i}"),
        make(
            "DequantizeLinear",
            [f"w{i}", f"ws{i}", f"wz{i}"],
            [f"wf{i}"],
            name=f"dw{i}",
            axis=0,
        ),
        make("DequantizeLinear", [f"b{i}", f"bs{i}"], [f"bf{i}"], name=f"db{i}", axis=0),
        make("Conv", [f"xf{i}", f"wf{i}", f"bf{i}"], [f"cf{i}"], pads=[1] * 4, name=f"c{i}"),
        make("Relu", [f"cf{i}"], [f"rf{i}"], name=f"r{i}"),
        make("QuantizeLinear", [f"rf{i}", "s", "z"], [f"y{i + 1}"], name=f"q{i}"),
    ]


def _small() -> Iterator[str]:
    data = qdq_conv(np.ones((4, 3, 3, 3), np.int8), bias=np.zeros(4)).SerializeToString()
    graph = load(data)
    yield "  one small convolution of a campaign, 5 nodes"
    for what, run in (
        ("read", lambda: load(data)),
        ("plan and pack", lambda: Session(graph)),
        ("pack, fusion off", lambda: Session(graph, fusion="off")),
    ):
        seconds = best_of(lambda run=run: [run() for _ in range(RUNS)], 5) / RUNS  # type: ignore[misc]
        yield f"    {what:<18}{seconds * 1e6:7.0f} us"
    yield from _runs()


def _runs() -> Iterator[str]:
    nothing = graph_model(
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": (np.uint8, [CHANNELS])},
        {"y": np.uint8},
        {},
    )
    idle, x = Session(nothing), np.zeros(CHANNELS, np.uint8)
    seconds = best_of(lambda: [idle.run({"x": x}) for _ in range(RUNS)], 20) / RUNS
    yield f"  a run without its kernels {seconds * 1e6:5.1f} us"
    one, x = Session(chain(1, True)), np.zeros((1, CHANNELS, 8, 8), np.uint8)
    seconds = best_of(lambda: [one.run({"y0": x}) for _ in range(RUNS)], 20) / RUNS
    yield f"  a run of one fused convolution of 16x8x8 {seconds * 1e6:5.0f} us   (goal: <= 80 us)"


def _memory() -> Iterator[str]:
    """Thirty float tensors of 4 MiB one after the other, of which two live at a time."""
    nodes = [helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in range(30)]
    model = graph_model(nodes, {"t0": (np.float32, None)}, {"t30": np.float32}, {})
    session, x = Session(model), np.ones(2**20, np.float32)
    tracemalloc.start()
    session.run({"t0": x})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield f"  30 tensors one after the other peak at {peak / x.nbytes:.1f} of them   (goal: <= 3)"
