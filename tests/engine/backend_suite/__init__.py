"""The node cases of ONNX's backend suite that our operators cover."""
