"""The object cache: compiled kernels on disk, by key, shared by processes."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path

_MAGIC = b"workbench-object-1\n"
_DIGEST_BYTES = 32
MAX_BYTES = 1 << 30
"""When the cache is larger at the first write of a process, the files unused for longest go."""


class ObjectCache:
    """A directory of object files: private to the user, written atomically, verified when read.

    A damaged or foreign file counts as absent. Where no private directory can be had, nothing is
    kept, and `problem` says why.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problem = _make_private(root)
        self._pruned = False

    @staticmethod
    def default() -> ObjectCache:
        """The user's cache: `WORKBENCH_CACHE_DIR`, else the platform's cache directory."""
        return _open_cache(os.fspath(_default_root()))

    def read(self, kind: str, key: str) -> bytes | None:
        """The object of that key, None if there is none or it is damaged."""
        if self.problem:
            return None
        path = self._path(kind, key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        body = _verified(content)
        if body is None:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return body

    def write(self, kind: str, key: str, body: bytes) -> None:
        """Keep an object; a full or read-only disk is no error, it only means compiling again."""
        if self.problem:
            return
        path = self._path(kind, key)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(_MAGIC + hashlib.sha256(body).digest() + body)
            temporary.replace(path)
        except OSError as problem:
            self.problem = f"the kernel cache cannot be written: {problem.strerror}"
            with contextlib.suppress(OSError):
                temporary.unlink()
        if not self._pruned:
            self._pruned = True
            self._prune()

    def _path(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / key[2:]

    def _prune(self) -> None:
        with contextlib.suppress(OSError):
            entries = [(p, p.stat()) for p in self.root.glob("*/*/*") if p.is_file()]
            total = sum(status.st_size for _, status in entries)
            for path, status in sorted(entries, key=lambda entry: entry[1].st_mtime):
                if total <= MAX_BYTES:
                    break
                path.unlink(missing_ok=True)
                total -= status.st_size


@functools.cache
def _open_cache(root: str) -> ObjectCache:
    return ObjectCache(Path(root))


def _default_root() -> Path:
    chosen = os.environ.get("WORKBENCH_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "workbench"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "workbench" / "cache"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else _home() / ".cache") / "workbench"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user that the system does not know
        return Path(tempfile.gettempdir()) / f"workbench-{os.getuid()}"


def _make_private(root: Path) -> str:
    """Why `root` cannot hold code that we shall run; empty if it can."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.stat()
    except OSError as problem:
        return f"no kernel cache in {root}: {problem.strerror}"
    if sys.platform == "win32":
        return ""
    if status.st_uid != os.getuid():
        return f"no kernel cache in {root}: the directory belongs to another user"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"no kernel cache in {root}: others may write to the directory"
    return ""


def _verified(content: bytes) -> bytes | None:
    start = len(_MAGIC) + _DIGEST_BYTES
    if len(content) < start or not content.startswith(_MAGIC):
        return None
    body = content[start:]
    good = hashlib.sha256(body).digest() == content[len(_MAGIC) : start]
    return body if good else None
