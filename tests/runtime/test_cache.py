import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.runtime import cache as cache_module
from workbench.runtime.cache import ObjectCache

KEY = "0123456789abcdef"
WRITER = """
import sys
from pathlib import Path
from workbench.runtime.cache import ObjectCache
cache = ObjectCache(Path(sys.argv[1]))
body = bytes([int(sys.argv[2])]) * 100_000
for turn in range(100):
    cache.write("kernels", "0123456789abcdef", body)
    found = cache.read("kernels", "0123456789abcdef")
    assert found is not None and len(set(found)) == 1 and len(found) == 100_000, turn
"""


def stored(root: Path) -> Path:
    return root / "kernels" / KEY[:2] / KEY[2:]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    ObjectCache(tmp_path / "c").write("kernels", KEY, b"code")
    assert ObjectCache(tmp_path / "c").read("kernels", KEY) == b"code"
    assert ObjectCache(tmp_path / "c").read("kernels", "f" * 16) is None


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_the_directory_is_private(tmp_path: Path) -> None:
    ObjectCache(tmp_path / "c").write("kernels", KEY, b"code")
    for folder in (tmp_path / "c", stored(tmp_path / "c").parent):
        assert stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    ObjectCache(tmp_path / "c").write("kernels", KEY, b"code")
    os.chmod(tmp_path / "c", 0o777)
    cache = ObjectCache(tmp_path / "c")
    assert "others may write" in cache.problem
    assert cache.read("kernels", KEY) is None


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "foreign"])
def test_a_damaged_file_counts_as_absent(tmp_path: Path, damage: str) -> None:
    cache = ObjectCache(tmp_path / "c")
    cache.write("kernels", KEY, bytes(range(256)) * 8)
    path = stored(tmp_path / "c")
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(
        {
            "flip": bytes(content),
            "truncate": path.read_bytes()[:-1],
            "empty": b"",
            "foreign": b"\x7fELF" * 100,
        }[damage]
    )
    assert cache.read("kernels", KEY) is None
    assert not path.exists()
    cache.write("kernels", KEY, b"again")
    assert cache.read("kernels", KEY) == b"again"


def test_two_processes_may_share_it(tmp_path: Path, repository: Path) -> None:
    root = tmp_path / "c"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(value)], cwd=repository)
        for value in (1, 2)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert [path.name for path in stored(root).parent.iterdir()] == [KEY[2:]]


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ObjectCache(tmp_path / "file" / "c")
    assert cache.problem
    cache.write("kernels", KEY, b"code")
    assert cache.read("kernels", KEY) is None


def test_the_oldest_go_when_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MAX_BYTES", 3500)
    keys = [f"{i:x}" * 16 for i in range(5)]
    first = ObjectCache(tmp_path / "c")
    for age, key in enumerate(keys):
        first.write("kernels", key, bytes(1000))
        path = tmp_path / "c" / "kernels" / key[:2] / key[2:]
        os.utime(path, (1e9 + age, 1e9 + age))
    second = ObjectCache(tmp_path / "c")
    second.write("kernels", "f" * 16, bytes(1000))
    kept = [key for key in (*keys, "f" * 16) if second.read("kernels", key) is not None]
    assert kept == [*keys[3:], "f" * 16]


def test_the_environment_chooses_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE_DIR", str(tmp_path / "mine"))
    assert ObjectCache.default().root == tmp_path / "mine"
    monkeypatch.delenv("WORKBENCH_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if sys.platform == "linux":
        assert ObjectCache.default().root == tmp_path / "xdg" / "workbench"
