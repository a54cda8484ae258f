import pytest


@pytest.fixture(scope="session", autouse=True)
def fresh_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No kernel of an earlier run hides what the code generator does now."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path_factory.mktemp("kernels") / "cache"))
