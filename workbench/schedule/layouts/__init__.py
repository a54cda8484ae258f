"""Layouts of whole tensor functions: how they flow, and functions laid out anew."""
