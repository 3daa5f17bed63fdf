"""Kernels, one operator family a file, and the table of float operators."""
