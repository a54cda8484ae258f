"""Passes on graph functions."""
