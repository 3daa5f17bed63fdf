"""Functions of one tensor that are formulas of reals.

A transcendental function is evaluated in float64 and rounded once to the type of its input, block by
block, so that the wide temporaries stay small beside a big tensor.
"""

from dataclasses import dataclass

import numpy as np

from engine.ir import Array, Node
from engine.kernels.elementwise import Function, by_blocks, require_float
from engine.kernels.error_function import error_function
from engine.kernels.number_types import round_to
from engine.kernels.operator import Kernel, Operator, Setting, operator


def rounded_once(function: Function, x: Array) -> Array:
    """``fl(f(x))``: evaluated in float64, rounded once to the type of ``x``."""

    def wide(part: Array) -> Array:
        return round_to(np.asarray(function(part.astype(np.float64))), x.dtype)

    return by_blocks(function if x.dtype == np.float64 else wide, x, x.dtype)


def of_floats(node: Node, setting: Setting, function: Function) -> Function:
    """A kernel of one tensor of floats from its formula in float64.

    Where the profile has a float32 function of its own for the operator, that is used.
    """
    in_float32 = setting.profile.elementwise.functions.get(node.op)

    def run(x: Array) -> Array:
        require_float(node, x)
        if in_float32 and x.dtype == np.float32:
            return by_blocks(in_float32, x, x.dtype)
        return rounded_once(function, x)

    return run


@dataclass(frozen=True, slots=True)
class FormulaParameters:
    """One operator that is a formula without parameters."""

    op: str


def as_computed(y: Array, x: Array) -> Array:
    """The values of a formula as they are."""
    return y


def formula(name: str, function: Function, since: int = 1) -> Operator:
    """An operator that is a formula without parameters, rounded once.

    Stage: what becomes of its values, of the whole tensor, under the operator's name.
    """

    def build(node: Node, setting: Setting) -> Kernel:
        values = of_floats(node, setting, function)
        stored = setting.stage(f"formula.{name}", as_computed)
        return Kernel(lambda x: stored(values(x), x), parameters=FormulaParameters(name))

    return operator(name, build, since=since)


OPERATORS = (
    formula("Exp", np.exp),
    formula("Log", np.log),
    formula("Erf", error_function, since=9),
    formula("Sin", np.sin),
    formula("Cos", np.cos),
    formula("Tan", np.tan),
    formula("Asin", np.arcsin),
    formula("Acos", np.arccos),
    formula("Atan", np.arctan),
    formula("Sinh", np.sinh, since=9),
    formula("Cosh", np.cosh, since=9),
    formula("Asinh", np.arcsinh, since=9),
    formula("Acosh", np.arccosh, since=9),
    formula("Atanh", np.arctanh, since=9),
)
