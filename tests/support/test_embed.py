from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import workbench as wb
from workbench.rewrite import Rule, Site
from workbench.support.embed import Definitions


def test_imports_are_one_line_for_each_package_that_people_import_from() -> None:
    definitions = Definitions()
    for item in (Site, Rule, dataclass):
        definitions.add(item)
    definitions.import_module("numpy", "np")
    assert definitions.imports() == [
        "import numpy as np",
        "from dataclasses import dataclass",
        "from workbench.rewrite import Rule, Site",
    ]


def scaled(x: np.ndarray) -> np.ndarray:
    return np.asarray(x) * len(wb.__all__)


def test_what_code_uses_is_imported_under_the_names_that_it_uses() -> None:
    scaled.__module__ = "__main__"
    definitions = Definitions()
    definitions.import_module("workbench", "wb")
    definitions.add(scaled)
    assert definitions.imports() == ["import numpy as np", "import workbench as wb"]
    assert "def scaled" in "\n".join(definitions.code())
