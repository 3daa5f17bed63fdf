"""Fusion: rules, one a file, tried in order at every QuantizeLinear; guards say why not."""
