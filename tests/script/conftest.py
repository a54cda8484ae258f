"""Scripts find operators by name: they must be registered."""

import importlib

importlib.import_module("workbench.ops")
