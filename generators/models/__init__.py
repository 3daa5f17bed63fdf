"""Blocks of well-known networks as quantized graphs, small enough to run by the thousand."""

from generators.models.blocks import BLOCKS, block_case, inputs_of

__all__ = ["BLOCKS", "block_case", "inputs_of"]
