"""Build hook: a standard wheel carries the JupyterLab extension, freshly built.

The source distribution carries the built extension too, so that a wheel made from it needs no node.
An editable wheel carries none: `tools/extension.py link` lets JupyterLab read the build in place.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
OUTPUT = "workbench/labextension"
INSTALLED = "share/jupyter/labextensions/@workbench/lab"
SETTINGS = "extensions/lab/overrides.json"
INSTALLED_SETTINGS = "share/jupyter/lab/settings/overrides.d/workbench.json"


class ExtensionBuildHook(BuildHookInterface):
    """Asks for what the build of the extension needs here, builds it and puts it into the wheel."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build environment needs: a node of its own only where none is good enough."""
        return self._extension("requirements").split()

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the extension, unless the wheel is an editable one.

        Args:
            version: `"standard"` or `"editable"`.
            build_data: what hatchling is to put into the wheel; gets the extension's folder.
        """
        if version == "editable":
            return
        self._extension("build")
        if self.target_name == "wheel":
            build_data["shared_data"][OUTPUT] = INSTALLED
            build_data["shared_data"][SETTINGS] = INSTALLED_SETTINGS

    def _extension(self, command: str) -> str:
        script = ROOT / "tools" / "extension.py"
        done = subprocess.run(
            [sys.executable, str(script), command], check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout
