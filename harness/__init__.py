"""Runs cases through backends, judges them, and turns a disagreement into a finding."""
