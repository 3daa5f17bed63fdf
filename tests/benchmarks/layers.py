"""Our engine against onnxruntime on layers of well-known networks, one thread, sessions ready."""

from collections.abc import Iterator
from dataclasses import replace

import onnxruntime

from corpus.case import Case
from engine import Session
from generators.operators.conv import ConvSpec, build
from tests.benchmarks.clock import best_of

ROUNDS = 5
_BASE = ConvSpec(
    x_dtype="uint8",
    w_dtype="int8",
    x_zero_point=128,
    x_scale=0.02,
    w_scales=(0.005,),
    y_scale=0.1,
    y_zero_point=128,
    x_kind="random",
    w_kind="random",
    bias="int32",
)
LAYERS = {
    "ResNet-50 stem 7x7/2, 3 -> 64, 224": replace(
        _BASE,
        in_per_group=3,
        out_per_group=64,
        image=(224, 224),
        kernel=(7, 7),
        strides=(2, 2),
        pads=(3, 3, 3, 3),
    ),
    "ResNet-50 3x3, 64 -> 64, 56": replace(
        _BASE,
        in_per_group=64,
        out_per_group=64,
        image=(56, 56),
        kernel=(3, 3),
        pads=(1, 1, 1, 1),
    ),
    "ResNet-50 1x1, 256 -> 64, 56": replace(
        _BASE, in_per_group=256, out_per_group=64, image=(56, 56)
    ),
    "MobileNetV2 1x1, 144 -> 24, 56": replace(
        _BASE, in_per_group=144, out_per_group=24, image=(56, 56)
    ),
    "MobileNetV2 depthwise 3x3, 144, 56": replace(
        _BASE,
        groups=144,
        in_per_group=1,
        out_per_group=1,
        image=(56, 56),
        kernel=(3, 3),
        pads=(1, 1, 1, 1),
    ),
    "ResNeXt-50 3x3, 32 groups of 4, 56": replace(
        _BASE,
        groups=32,
        in_per_group=4,
        out_per_group=4,
        image=(56, 56),
        kernel=(3, 3),
        pads=(1, 1, 1, 1),
    ),
}


def report() -> Iterator[str]:
    yield "engine against onnxruntime on real layers (QLinearConv u8 x s8), processor time"
    ratios = []
    for name, spec in LAYERS.items():
        case = build(spec)
        ours, theirs = _engine(case), _onnxruntime(case)
        ratios.append(ours / theirs)
        yield f"  {name:<36}{ours * 1e3:7.1f} ms against {theirs * 1e3:6.1f} ms   {ours / theirs:4.1f}x"
    mean = sum(ratios) / len(ratios)
    yield f"  mean {mean:.1f}x, worst {max(ratios):.1f}x   (goal: <= 6x)"


def _engine(case: Case) -> float:
    session = Session(case.model)
    return best_of(lambda: session.run(case.inputs), ROUNDS)


def _onnxruntime(case: Case) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        case.model, options, providers=["CPUExecutionProvider"]
    )
    return best_of(lambda: session.run(None, dict(case.inputs)), ROUNDS)
