"""Whole adapters: one without a flaw, and some that describe themselves or tap wrongly."""

import time
from typing import Any

import onnx

from tests.fakes.values import Arrays, perfect


class Full:
    """A full adapter: a description, a tap and an option with two values."""

    def describe(self) -> dict[str, Any]:
        return {
            "name": "full",
            "version": "7",
            "switches": ["fuse"],
            "options": {"level": ["high", "low"]},
        }

    def run(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> Arrays:
        from harness.backends.protocol import Limit

        if options.get("level") == "low":
            raise Limit("level low runs nothing")
        return perfect(onnx.ModelProto.FromString(model), inputs)

    def tap(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> dict[str, Any]:
        step = {
            "kind": "Conv8",
            "name": "c",
            "nodes": ["c"],
            "inputs": ["x"],
            "outputs": ["y"],
        }
        outputs = self.run(model, inputs, options)
        return {
            "arrays": {**inputs, **outputs},
            "plan": [step],
            "method": "native",
            "confirmed": True,
        }


class DescribesItselfWrongly:
    """A description of the wrong types."""

    def describe(self) -> dict[str, Any]:
        return {"version": 7, "switches": "none", "options": ["level"]}

    def run(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> Arrays:
        return perfect(onnx.ModelProto.FromString(model), inputs)


class TapsWrongly(Full):
    """A tap without a plan."""

    def tap(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> dict[str, Any]:
        plan = [{"kind": None, "name": 1, "nodes": None}]
        return {"arrays": {}, "plan": plan, "method": None, "confirmed": "yes"}


class HangsWhenTapped(Full):
    """A tap that never answers."""

    def tap(self, model: bytes, inputs: Arrays, options: dict[str, str]) -> dict[str, Any]:
        time.sleep(3600)
        return {}
