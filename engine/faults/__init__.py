"""The fault catalogue: deliberate deviations, each an entry of data."""

from engine.errors import EngineError
from engine.faults import (
    accumulator,
    activation,
    average_roundings,
    averages,
    bias,
    blockwise,
    border_codes,
    borders,
    combination,
    combination_casts,
    combined_reals,
    counted_products,
    dequantize,
    early_strides,
    elementwise,
    first_parameters,
    geometry,
    images_for_channels,
    initializers,
    interpolated_products,
    layout,
    leaking_border,
    lost_activations,
    matmul,
    matmul_dynamic,
    matmul_pairs,
    matmul_results,
    matmul_rounding,
    merged_pairs,
    missing_axes,
    movement,
    movement_casts,
    one_row,
    output,
    padding,
    pair_saturation,
    pools,
    quantize,
    quantized_transposed,
    real_functions,
    real_windows,
    reordering,
    residual,
    resize,
    rewriting,
    rounding,
    rows_beside,
    scales,
    shared_sums,
    sharing,
    shifted_bounds,
    softmax,
    stale_borders,
    sub_byte,
    swapped_columns,
    table_bounds,
    tables,
    tails,
    ties_of_sums,
    transposed,
    unclipped_reals,
    unknown_types,
    weights,
    winograd,
    zero_points,
)
from engine.faults.decoys import DECOYS, Decoy
from engine.faults.fault import Fault, apply_faults, together

CATALOGUE: tuple[Fault, ...] = (
    *layout.FAULTS,
    *border_codes.FAULTS,
    *padding.FAULTS,
    *stale_borders.FAULTS,
    *one_row.FAULTS,
    *geometry.FAULTS,
    *early_strides.FAULTS,
    *transposed.FAULTS,
    *zero_points.FAULTS,
    *scales.FAULTS,
    *bias.FAULTS,
    *quantized_transposed.FAULTS,
    *activation.FAULTS,
    *output.FAULTS,
    *rounding.FAULTS,
    *shifted_bounds.FAULTS,
    *unclipped_reals.FAULTS,
    *pair_saturation.FAULTS,
    *accumulator.FAULTS,
    *winograd.FAULTS,
    *missing_axes.FAULTS,
    *tails.FAULTS,
    *weights.FAULTS,
    *matmul.FAULTS,
    *matmul_results.FAULTS,
    *matmul_rounding.FAULTS,
    *matmul_pairs.FAULTS,
    *matmul_dynamic.FAULTS,
    *elementwise.FAULTS,
    *combination.FAULTS,
    *combination_casts.FAULTS,
    *combined_reals.FAULTS,
    *counted_products.FAULTS,
    *residual.FAULTS,
    *lost_activations.FAULTS,
    *rewriting.FAULTS,
    *merged_pairs.FAULTS,
    *sharing.FAULTS,
    *shared_sums.FAULTS,
    *ties_of_sums.FAULTS,
    *swapped_columns.FAULTS,
    *reordering.FAULTS,
    *initializers.FAULTS,
    *movement.FAULTS,
    *movement_casts.FAULTS,
    *borders.FAULTS,
    *blockwise.FAULTS,
    *first_parameters.FAULTS,
    *sub_byte.FAULTS,
    *rows_beside.FAULTS,
    *quantize.FAULTS,
    *unknown_types.FAULTS,
    *dequantize.FAULTS,
    *interpolated_products.FAULTS,
    *tables.FAULTS,
    *real_functions.FAULTS,
    *table_bounds.FAULTS,
    *pools.FAULTS,
    *real_windows.FAULTS,
    *averages.FAULTS,
    *average_roundings.FAULTS,
    *images_for_channels.FAULTS,
    *softmax.FAULTS,
    *resize.FAULTS,
    *leaking_border.FAULTS,
)
"""Every fault; simpler explanations of the same values come first."""


def find(key: str) -> Fault:
    """The fault, or the change of the decoy, of that key; two faults at once with a ``+``.

    Raises:
        EngineError: there is none; it lists all there are.
    """
    first, plus, second = key.partition("+")
    if plus:
        return together(find(first), find(second))
    changes = (each.change for each in DECOYS if each.change is not None)
    for fault in (*CATALOGUE, *changes):
        if fault.key == key:
            return fault
    raise EngineError(
        f"fault {key!r} is unknown; known: {', '.join(each.key for each in CATALOGUE)}"
    )


__all__ = ["CATALOGUE", "DECOYS", "Decoy", "Fault", "apply_faults", "find", "together"]
