"""Passes on tensor functions."""
