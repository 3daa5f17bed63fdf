"""Reals that onnxruntime quantizes earlier than the source graph does.

Its propagation pass inserts a QuantizeLinear and a DequantizeLinear in front of what only moves values.
A tensor behind them keeps its name, but holds codes, or reals that were codes before: no value that
the source graph has anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.backends.graph import Graph

REAL = onnx.TensorProto.FLOAT


def quantized_early(
    optimized: Graph,
    sources: Mapping[str, str],
    kinds: Mapping[str, int | None],
    dtypes: Mapping[str, np.dtype[np.generic]],
) -> set[str]:
    """Tensors of the optimized graph that are not what their source tensors are.

    ``sources`` are source tensors by optimized name, ``kinds`` the source tensors' element types,
    ``dtypes`` what the optimized tensors hold. The graph's own outputs are always what they are.
    """
    found = {
        name
        for name, source in sources.items()
        if kinds.get(source) == REAL and name in dtypes and dtypes[name].kind in "iu"
    }
    inserted: set[str] = set()
    for node in optimized.nodes:
        if node.op_type == "DequantizeLinear":
            codes, known = node.input[0], sources.keys() - found
            is_inserted = codes not in optimized.constants and codes not in known
            behind = is_inserted and node.output[0] not in sources
        else:
            behind = any(name in inserted for name in node.input)
        if behind:
            inserted.update(name for name in node.output if _is_real(dtypes, name))
    return (found | inserted & sources.keys()) - set(optimized.outputs)


def _is_real(dtypes: Mapping[str, np.dtype[np.generic]], name: str) -> bool:
    return name in dtypes and dtypes[name].kind == "f"
