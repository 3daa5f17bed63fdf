"""The element-wise arithmetic of an engine, as data: sums and products of codes, tables, softmax."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.ir import Array
from engine.profiles.elementwise_exact import (
    Prepare,
    exact_largest,
    exact_product,
    exact_quotient,
    exact_smallest,
    exact_sum,
)
from engine.profiles.quantization import RequantizeRule, Rule
from engine.profiles.requantization import saturate
from engine.profiles.tables import Softmax, exact_softmax

Saturate = Callable[[Array, int, int], Array]
Dequantize = Callable[[Array, np.float32, int], Array]
"""(codes, scale, zero point) -> float32 reals."""


@dataclass(frozen=True, slots=True)
class Combination:
    """One operation on codes.

    ``main`` computes all elements, or where there is a ``tail``, those of whole blocks of ``block``
    elements in the order of memory, and ``tail`` the rest.
    """

    main: Prepare
    tail: Prepare | None = None
    block: int = 1
    saturate: Saturate = saturate


@dataclass(frozen=True, slots=True)
class TableRule:
    """How an engine makes a table; None: by its DequantizeLinear, by its QuantizeLinear."""

    dequantize: Dequantize | None = None
    quantize: Rule | None = None


@dataclass(frozen=True, slots=True)
class Elementwise:
    """The element-wise arithmetic of an engine.

    ``functions`` are float32 functions by operator where the engine's own differ from a single
    rounding of the real function. ``table`` makes tables, ``tables`` those of these
    operators alone, by the type of their codes; ``tail`` makes those of the elements behind the
    last whole block of ``block``. ``softmax`` gives the steps of rows of codes;
    ``join`` brings the inputs of a Concat to one scale, where the engine does not requantize them.
    """

    add: Combination = Combination(exact_sum)
    subtract: Combination = Combination(exact_sum)
    total: Combination = Combination(exact_sum)
    multiply: Combination = Combination(exact_product)
    divide: Combination = Combination(exact_quotient)
    largest: Combination = Combination(exact_largest)
    smallest: Combination = Combination(exact_smallest)
    functions: Mapping[str, Callable[[Array], Array]] = field(default_factory=dict)
    table: TableRule = TableRule()
    tables: Mapping[tuple[str, str], TableRule] = field(default_factory=dict)
    tail: TableRule | None = None
    block: int = 1
    softmax: Softmax = exact_softmax
    join: RequantizeRule | None = None


EXACT = Elementwise()
