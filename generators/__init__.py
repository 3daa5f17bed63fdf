"""Draws small quantized models with their inputs, from a seed or under Hypothesis."""
