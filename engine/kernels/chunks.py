"""Element-wise work on big tensors, piece by piece: temporaries stay small and in the cache."""

from collections.abc import Callable

import numpy as np

from engine.ir import Array
from engine.kernels.number_types import Dtype

CHUNK = 1 << 18
"""Elements of a piece: a float32 temporary of it has 1 MiB."""


def in_chunks(compute: Callable[..., Array], dtype: Dtype, x: Array, *others: Array) -> Array:
    """``compute(x, *others)``, cut along the first axis of x that has more than one element.

    Shapes:
        ``others`` broadcast against ``x`` (*S) -> (*S) of type ``dtype``.
    """
    if x.size <= CHUNK:
        return compute(x, *others)
    found = np.empty(x.shape, dtype)
    axis = next(i for i, length in enumerate(x.shape) if length > 1)
    step = max(1, CHUNK * x.shape[axis] // x.size)
    whole = [each if each.ndim == 0 else np.broadcast_to(each, x.shape) for each in others]
    for start in range(0, x.shape[axis], step):
        at = (slice(None),) * axis + (slice(start, start + step),)
        found[at] = compute(x[at], *(each if each.ndim == 0 else each[at] for each in whole))
    return found
