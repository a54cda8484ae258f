"""Front ends: models of other frameworks as modules."""

from workbench.frontend.importer import load

__all__ = ["load"]
