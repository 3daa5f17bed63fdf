"""Small graphs by hand for faults of rewriting: x are codes, y and v come out, n.. compute."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from corpus.case import Case
from generators import wire
from generators.builder import GraphBuilder, Pair
from tests.engine.models import Array

IMAGE = (1, 3, 4, 4)


class Net:
    """A graph while it grows; what it is given is random codes of one seed."""

    def __init__(self, opset: int = 17) -> None:
        self.graph = GraphBuilder(opset)
        self.random = np.random.default_rng(3)

    def codes(self, dtype: Any, *shape: int) -> Array:
        info = np.iinfo(dtype)
        return self.random.integers(info.min, info.max + 1, shape).astype(dtype)

    def pair(self, name: str, scale: Any, zero: int | None, dtype: Any = np.uint8) -> Pair:
        scales = self.graph.array(f"{name}s", np.array(scale, np.float32))
        zeros = np.full(np.shape(scale), zero or 0, dtype)
        zero_name = "" if zero is None else self.graph.array(f"{name}z", zeros)
        return Pair(scales, zero_name, np.dtype(dtype).name)

    def given(
        self,
        name: str = "x",
        scale: Any = 0.1,
        zero: int | None = 3,
        dtype: Any = np.uint8,
        shape: tuple[int, ...] = IMAGE,
        axis: int | None = None,
    ) -> str:
        """Codes and their reals, by d_<name>."""
        self.graph.input(name, self.codes(dtype, *shape))
        return self.real(name, self.pair(name, scale, zero, dtype), f"{name}_r", axis)

    def floats(self, *shape: int) -> str:
        reals = self.random.normal(0, 3, shape).astype(np.float32)
        return self.graph.input("x", reals)

    def real(self, name: str, pair: Pair, to: str, axis: int | None = None) -> str:
        names = [name, pair.scale, pair.zero] if pair.zero else [name, pair.scale]
        attributes = [] if axis is None else [wire.integer("axis", axis)]
        return self.graph.node("DequantizeLinear", f"d_{to}", names, to, attributes)

    def quantize(
        self, real: str, name: str, scale: Any, zero: int | None, dtype: Any = np.uint8
    ) -> Pair:
        pair = self.pair(name, scale, zero, dtype)
        self.graph.quantize(f"q_{name}", real, pair, name)
        return pair

    def op(self, op: str, name: str, *inputs: str, attributes: Sequence[bytes] = ()) -> str:
        return self.graph.node(op, name, inputs, f"{name}_t", attributes)

    def conv(self, real: str, name: str = "n0", bias: str = "") -> str:
        w = self.graph.array(f"w_{name}", self.codes(np.int8, 3, 3, 1, 1))
        weights = self.real(w, self.pair(w, 0.05, 0, np.int8), f"{w}_r")
        return self.op("Conv", name, *filter(None, (real, weights, bias)))

    def out(self, name: str, shape: tuple[int, ...] = IMAGE, dtype: Any = np.uint8) -> None:
        self.graph.output(name, np.dtype(dtype).name, shape)

    def read(self, real: str) -> Case:
        """Negated reals as a second output; the case."""
        self.graph.output(self.op("Neg", "n9", real), "float32", IMAGE)
        return self.graph.case()


def pair(
    first: tuple[float, int],
    second: tuple[float, int],
    dtypes: tuple[Any, Any] = (np.uint8,) * 2,
) -> Case:
    net = Net()
    net.quantize(net.given("x", *first, dtypes[0]), "y", *second, dtypes[1])
    net.out("y", dtype=dtypes[1])
    return net.graph.case()


def two_pairs(first: tuple[float, int], second: tuple[float, int]) -> Case:
    net = Net()
    real = net.floats(4, 60)
    real = net.real("a", net.quantize(real, "a", *first), "a_r")
    real = net.real("y", net.quantize(real, "y", *second), "y_r")
    net.out(real, (4, 60), np.float32)
    return net.graph.case()


def one_pair(scale: float, other: float) -> Case:
    net = Net()
    net.quantize(net.floats(4, 60), "a", scale, 100)
    net.out(net.real("a", net.pair("b", other, 100), "a_r"), (4, 60), np.float32)
    return net.graph.case()


def pair_before(
    op: str,
    opset: int = 17,
    after: str = "",
    zero: int = 100,
    second: tuple[float, int] | None = None,
) -> Case:
    """A Conv of floats, an activation after it, a pair, whose ``second`` may differ, and what reads it."""
    net = Net(opset)
    w = net.graph.array(
        "w", (net.random.integers(-9, 10, (3, 3, 1, 1)) / 4).astype(np.float32)
    )
    real = net.op("Conv", "n0", net.floats(*IMAGE), w)
    ends = [net.graph.array(f"c{v}", np.array(v, np.float32)) for v in (-0.7, 2.2)]
    real = net.op(after, "n2", real, *(ends if after == "Clip" else ())) if after else real
    first = net.quantize(real, "a", 0.3, zero)
    real = net.real("a", net.pair("b", *second) if second else first, "a_r")
    net.out(net.op(op, "n1", real, w), (3, 3, 4, 4), np.float32)
    return net.graph.case()


def pair_behind_a_concat(
    scale: float,
    zero: int,
    dtype: Any,
    op: str = "Conv",
    constant: Any = None,
    weights: tuple[int, int] = (1, 0),
    w_dtype: Any = np.int8,
) -> Case:
    """Two images of one channel each, joined; a pair; a Conv that takes the first one out, or what else.

    The second image may be a constant, weights may be real.
    """
    net = Net()
    x, z = net.random.normal(0, 30, (2, 1, 1, 6, 1)).astype(np.float32)
    both = [net.graph.input("x", x)]
    if constant is None:
        both.append(net.graph.input("z", z))
    else:
        both.append(net.graph.array("z", np.array(constant, np.float32).reshape(z.shape)))
    real = net.op("Concat", "n0", *both, attributes=[wire.integer("axis", 1)])
    real = net.real("a", net.quantize(real, "a", scale, zero, dtype), "a_r")
    w = net.graph.array("w", np.array(weights, w_dtype).reshape(1, 2, 1, 1))
    if w_dtype != np.float32:
        w = net.real(w, net.pair(w, 1.0, 0, w_dtype), "w_r")
    shape = (1, 1 if op == "Conv" else 2, 6, 1)
    net.out(net.op(op, "n1", real, *[w] * (op == "Conv")), shape, np.float32)
    return net.graph.case()


def two_quantizers(first: tuple[float, int], second: tuple[float, int]) -> Case:
    net = Net()
    real = net.op("Add", "n0", net.given(), net.given("z", 0.2, 9))
    for name, each in (("y", first), ("v", second)):
        net.quantize(real, name, *each)
        net.out(name)
    return net.graph.case()


def activated(op: str, zero: int, dtype: Any, *bounds: float) -> Case:
    net = Net()
    names = [net.graph.array(f"c{i}", np.array(v, np.float32)) for i, v in enumerate(bounds)]
    real = net.op(op, "n0", net.floats(4, 60), *names)
    net.quantize(real, "y", 0.05, zero, dtype)
    net.out("y", (4, 60), dtype)
    return net.graph.case()


def turned(dtype: Any, zero: int | None, shape: tuple[int, int], scales: Any = 0.1) -> Case:
    net = Net()
    real = net.given("x", scales, zero, dtype, shape, 0 if np.ndim(scales) else None)
    real = net.op("Transpose", "n0", real, attributes=[wire.ints("perm", (1, 0))])
    net.out(real, shape[::-1], np.float32)
    return net.graph.case()


def joined(first: str) -> Case:
    """A Concat of reals that are computed and of codes; or, from z on, of codes alone."""
    net = Net()
    real = (
        net.op("Relu", "n1", net.floats(4, 6))
        if first == "x"
        else net.given("x", shape=(4, 6))
    )
    other = net.given("z", 0.2, 9, shape=(4, 6))
    real = net.op("Concat", "n0", real, other, attributes=[wire.integer("axis", 0)])
    net.quantize(real, "y", 0.3, 40)
    net.out("y", (8, 6))
    return net.graph.case()


def convolved(dtype: Any) -> Case:
    """Weights of a type; x and w have scales of 2**-4, y of 2**7."""
    net = Net()
    w = net.graph.array("w", net.codes(dtype, 3, 3, 1, 1))
    weights = net.real(w, net.pair("w", 2.0**-4, 0, dtype), "w_r")
    real = net.op("Conv", "n0", net.given("x", 2.0**-4), weights)
    net.quantize(real, "y", 2.0**7, 120)
    net.out("y")
    return net.graph.case()


def pooled(op: str) -> Case:
    net = Net()
    real = net.given()
    real = net.conv(real) if op == "Conv" else net.op(op, "n0", real)
    real = net.op("MaxPool", "n1", real, attributes=[wire.ints("kernel_shape", (1, 1))])
    net.quantize(real, "y", 0.4, 120)
    net.out("y")
    return net.graph.case()


def residual(*, is_conv: bool) -> Case:
    net = Net()
    real = net.given(zero=100)
    real = net.conv(real) if is_conv else real
    real = net.op("Relu", "n2", net.op("Add", "n1", real, net.given("z", 0.2, 130)))
    net.quantize(real, "y", 0.5, 0)
    net.out("y")
    return net.graph.case()


def shared_dequantize(*, shared: bool) -> Case:
    net = Net()
    real = net.given()
    net.quantize(net.conv(real), "y", 0.4, 120)
    net.out("y")
    other = real if shared else net.real("x", Pair("xs", "xz", "uint8"), "x_r2")
    return net.read(other)


def shared_result(
    first: str, *, late: bool = False, read: str = "n0_t", zero: int = 120
) -> Case:
    """n0, perhaps a Relu n1, a Q; ``read`` is read a second time, ``late`` after the Q."""
    net = Net()
    real = net.conv(net.given(zero=100))
    real = net.op("Relu", "n1", real) if first == "Relu" else real
    pair_ = net.quantize(real, "y", 0.4, zero)
    net.out("y")
    return net.read(net.real("y", pair_, "y_r") if late else read)


def output_inside(*, is_output: bool) -> Case:
    net = Net()
    real = net.conv(net.given(zero=100))
    net.quantize(real, "y", 0.4, 120)
    net.out("y")
    if not is_output:
        return net.read(real)
    net.out(real, IMAGE, np.float32)
    return net.graph.case()


def shared_bias(zero: int) -> Case:
    net = Net()
    x = net.given(zero=zero)
    b = net.graph.array("b", np.array([100, -200, 300], np.int32))
    bias = net.real(
        b, net.pair("b", np.float32(0.1) * np.float32(0.05), None, np.int32), "b_r"
    )
    for name in ("y", "v"):
        net.quantize(net.conv(x, f"n_{name}", bias), name, 0.4, 120)
        net.out(name)
    return net.graph.case()


def constant(zero: int | None) -> Case:
    net = Net()
    c = net.graph.array("c", net.codes(np.int8, *IMAGE))
    real = net.real(c, net.pair("c", 0.1, zero, np.int8), "c_r")
    net.out(net.op("Add", "n0", net.given(), real), IMAGE, np.float32)
    return net.graph.case()


def product(columns: int, axis: int | None) -> Case:
    net = Net()
    w = net.graph.array("w", net.codes(np.int8, 4, columns))
    weights = net.real(
        w, net.pair("w", np.arange(1, columns + 1) / 8, 0, np.int8), "w_r", axis
    )
    net.quantize(net.op("MatMul", "n0", net.given(shape=(5, 4)), weights), "y", 20.0, 120)
    net.out("y", (5, columns))
    return net.graph.case()
