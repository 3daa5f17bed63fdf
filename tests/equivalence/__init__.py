"""Fused against unfused: whole graphs, many inputs, judged by the oracle."""
