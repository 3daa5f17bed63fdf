"""Operators that only move values: Reshape, Transpose, Flatten, Concat; any type."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.operator import MANY, Kernel, Setting, operator


@dataclass(frozen=True, slots=True)
class FlatParameters:
    """A Reshape or Flatten of ``tensor`` in ``graph``: it reads the elements in their order."""

    node: str
    op: str
    tensor: str
    graph: Graph = field(compare=False, repr=False)


def in_order(x: Array) -> Array:
    """The elements as they lie in memory, row-major."""
    return x


def _flat(node: Node, setting: Setting, run: Callable[..., Array]) -> Kernel:
    """A kernel that reads memory in order; a fault may replace the stage ``movement.order``."""
    parameters = FlatParameters(node.id, node.op, node.inputs[0], setting.graph)
    order = setting.stage("movement.order", in_order)
    if order is in_order:
        return Kernel(run, parameters=parameters)
    return Kernel(lambda x, *rest: run(order(x), *rest), parameters=parameters)


def reshape(node: Node, setting: Setting) -> Kernel:
    """Same values, new shape: 0 keeps a dimension (unless ``allowzero``), -1 is what is left."""
    keep = not node.attributes.get("allowzero", 0)

    def run(x: Array, shape: Array) -> Array:
        dims = [int(each) for each in shape]
        if keep:
            if any(each == 0 for each in dims[x.ndim :]):
                raise EngineError(
                    f"Reshape {node.id!r}: 0 in {dims} keeps no dimension of {x.shape}"
                )
            dims = [x.shape[i] if each == 0 else each for i, each in enumerate(dims)]
        return x.reshape(dims)

    return _flat(node, setting, run)


def transpose(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y[i] = x[perm(i)]``; reversed axes without ``perm``."""
    perm = node.attributes.get("perm")
    if not (perm is None or isinstance(perm, tuple)):
        raise InvalidModel(f"Transpose {node.id!r}: perm must be integers, got {perm!r}")
    axes = None if perm is None else tuple(int(each) for each in perm)

    def run(x: Array) -> Array:
        return np.ascontiguousarray(x.transpose(axes))

    return run


def flatten(node: Node, setting: Setting) -> Kernel:
    """Two dimensions: everything before ``axis``, everything from it on."""
    axis = node.attributes.get("axis", 1)
    if not isinstance(axis, int):
        raise InvalidModel(f"Flatten {node.id!r}: axis must be an integer, got {axis!r}")

    def run(x: Array) -> Array:
        if not -x.ndim <= axis <= x.ndim:
            raise EngineError(f"Flatten {node.id!r}: axis {axis} of a tensor of rank {x.ndim}")
        split = axis + x.ndim if axis < 0 else axis
        return x.reshape(math.prod(x.shape[:split]), math.prod(x.shape[split:]))

    return _flat(node, setting, run)


def concat(node: Node, setting: Setting) -> Callable[..., Array]:
    """The inputs one after the other along ``axis``."""
    axis = node.attributes.get("axis")
    if not isinstance(axis, int):
        raise InvalidModel(f"Concat {node.id!r}: axis must be an integer, got {axis!r}")

    def run(*parts: Array) -> Array:
        if len({each.dtype for each in parts}) != 1:
            raise EngineError(f"Concat {node.id!r}: inputs of different types")
        return np.concatenate(parts, axis)

    return run


OPERATORS = (
    operator("Reshape", reshape, "allowzero", inputs=2),
    operator("Transpose", transpose, "perm"),
    operator("Flatten", flatten, "axis"),
    operator("Concat", concat, "axis", inputs=(1, MANY)),
)
