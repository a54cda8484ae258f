"""Passes that cross graph and tensor functions."""
