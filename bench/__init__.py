"""Benchmarks: how fast the hot path is, held against baselines in the same server and run."""
