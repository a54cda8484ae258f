"""Benchmarks against peers. They report.

They never gate a change. Run them all with `make bench`.
"""
