"""Benchmarks against peers. They report; they never gate a change. Run them all with `make bench`."""
