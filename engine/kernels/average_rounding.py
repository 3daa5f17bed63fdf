"""The end of every mean of codes: from exact sums to codes, or to real values."""

import numpy as np

from engine.arithmetic import RANGES
from engine.ir import Array
from engine.kernels.average_parameters import AverageParameters
from engine.kernels.average_stages import AverageStages
from engine.kernels.pooling import CHUNK
from engine.profiles.pooling import Averager


def finish(
    sums: Array,
    divisor: Array,
    p: AverageParameters,
    averager: Averager | None,
    stages: AverageStages,
) -> Array:
    """Sums to codes of the mean, or without averager to its real value ``fl(A * xs / n)``.

    In parts, because the steps are float64 and several arrays of them live at once.

    Shapes:
        ``divisor`` broadcasts against ``sums``; the result has the shape of ``sums``.
    """
    dtype = np.dtype(np.float32) if p.y_dtype is None else p.y_dtype
    axis = next((i for i, size in enumerate(sums.shape) if size > 1), None)
    if axis is None or sums.size <= 2 * CHUNK:
        y = _finish(np.atleast_1d(sums), divisor, p, averager, stages)
        return y.reshape(sums.shape).astype(dtype)
    y = np.empty(sums.shape, dtype)
    step = max(1, CHUNK * sums.shape[axis] // sums.size)
    place = axis - (sums.ndim - divisor.ndim)
    for start in range(0, sums.shape[axis], step):
        rows = slice(start, start + step)
        whole = place < 0 or divisor.shape[place] == 1
        counts = divisor if whole else divisor[(slice(None),) * place + (rows,)]
        where = (slice(None),) * axis + (rows,)
        y[where] = finish(sums[where], counts, p, averager, stages)
    return y


def _finish(
    sums: Array,
    divisor: Array,
    p: AverageParameters,
    averager: Averager | None,
    stages: AverageStages,
) -> Array:
    if stages.mean is not None:
        sums, divisor = stages.mean(sums, divisor, p), np.ones((), np.int64)
    if averager is None or p.y_dtype is None:
        reals: Array = sums * np.float64(p.x.x_scale) / divisor
        return reals
    if averager.reals is not None and stages.integers:
        sums = sums.astype(np.float32) * p.x.x_scale
    bottom, top = RANGES[p.y_dtype]
    offset = averager.offset
    saturate = stages.saturate or averager.saturate
    unrounded = averager.steps(sums, divisor)
    if stages.encode is not None:
        return stages.encode(unrounded, offset, p)
    steps = stages.round(unrounded, offset)
    codes: Array = saturate(steps, bottom - offset, top - offset) + offset
    return codes
