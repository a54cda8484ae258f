"""Schedules: rewrites of the loops of tensor functions."""
