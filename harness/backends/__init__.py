"""Backends: whatever can run a case, each isolated in a worker process of its own."""
