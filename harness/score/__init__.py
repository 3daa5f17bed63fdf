"""Scoring the harness: which faults it detects, locates and diagnoses, and whom it flags wrongly."""
