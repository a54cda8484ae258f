"""The C interface of oneDNN through ctypes: finding the library, primitives, memory.

A primitive is made once for a shape and kept. A build that is older than those that were tried, or
that lacks a function, is refused before anything of it is called: it would take the process down.
Reference: "oneAPI Deep Neural Network Library (oneDNN)", C API of `dnnl.h`, version 3.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.support import CompileError, Diagnostic

Array = NDArray[np.float32]
Pointer = ctypes.c_void_p

PACKAGES = ("onednn-cpu-gomp", "onednn-cpu-iomp", "onednn-cpu-tbb", "onednn")
"""Packages that bring the library, the ones that start fastest first."""
NEEDED = ("libtbb.so.12", "libintlc.so.5", "libimf.so", "libsvml.so", "libsycl.so.9")
"""What the library of the package `onednn` is linked with and does not find by itself."""
OLDEST, NEXT_MAJOR = (3, 7), 4
"""Versions that were tried, and the first whose interface may be another; 3.7 is that of 2025.1."""
FUNCTIONS = (
    "engine_create",
    "stream_create",
    "stream_wait",
    "memory_create",
    "memory_destroy",
    "memory_set_data_handle",
    "memory_desc_create_with_strides",
    "memory_desc_destroy",
    "post_ops_create",
    "post_ops_append_eltwise",
    "post_ops_destroy",
    "primitive_attr_create",
    "primitive_attr_set_post_ops",
    "primitive_create",
    "primitive_desc_destroy",
    "primitive_destroy",
    "primitive_execute",
    "matmul_primitive_desc_create",
    "convolution_forward_primitive_desc_create",
    "softmax_forward_primitive_desc_create",
    "layer_normalization_forward_primitive_desc_create",
)
"""What is called of the library, without `dnnl_`."""
KEPT = 256
"""Primitives that are kept."""
RANK = 12
FLOAT32 = 3
CPU, IN_ORDER = 1, 1
INFERENCE = 96
CONVOLUTION, SOFTMAX = 0x1, 0x30000
SCALE_AND_SHIFT = 2 | 4
SRC, WEIGHTS, BIAS, DST, GAMMA, BETA = 1, 33, 41, 17, 51, 52
_STATUS = {
    1: "out of memory",
    2: "invalid arguments",
    3: "not implemented",
    4: "no implementation left",
    5: "run-time error",
}
Create = Callable[["Library", Any], int]


class _Argument(ctypes.Structure):
    _fields_ = (("role", ctypes.c_int), ("memory", Pointer))


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_int), ("minor", ctypes.c_int), ("patch", ctypes.c_int))


class Buffer(NamedTuple):
    """What a primitive reads or writes: its role, and its dimensions in row-major order."""

    role: int
    shape: tuple[int, ...]


class Library:
    """The loaded library with one engine and one stream.

    Raises:
        OSError: it cannot be loaded, is not a version that was tried, or has no processor to run
            on.
    """

    def __init__(self, path: Path) -> None:
        _prepare(path)
        self._c: Any = ctypes.CDLL(str(path))
        self._functions = functions_of(self._c)
        self._lock = threading.Lock()
        self._primitives: OrderedDict[object, Primitive] = OrderedDict()
        self.engine = Pointer()
        self.stream = Pointer()
        try:
            self.check("engine_create", ctypes.byref(self.engine), CPU, ctypes.c_size_t(0))
            self.check("stream_create", ctypes.byref(self.stream), self.engine, IN_ORDER)
        except RuntimeError as error:
            message = f"it finds no processor to run on: {error}"
            raise OSError(message) from error

    def check(self, name: str, *arguments: Any) -> None:  # noqa: ANN401
        """Call a function of the library.

        Raises:
            RuntimeError: its status is not success.
        """
        status = self._functions[name](*arguments)
        if status:
            message = f"dnnl_{name}: {_STATUS.get(status, f'status {status}')}"
            raise RuntimeError(message)

    def set_threads(self, count: int) -> None:
        """Threads of each primitive, where the library counts them by OpenMP."""
        setter = getattr(self._c, "omp_set_num_threads", None)
        if setter is not None:
            setter(ctypes.c_int(count))

    def describe(self, shape: Sequence[int]) -> Any:  # noqa: ANN401
        """A memory descriptor of row-major float32."""
        found = Pointer()
        dims = (ctypes.c_int64 * RANK)(*shape)
        steps = (ctypes.c_int64 * RANK)(*_strides(shape))
        self.check(
            "memory_desc_create_with_strides",
            ctypes.byref(found),
            len(shape),
            dims,
            FLOAT32,
            steps,
        )
        return found

    def activation(self, kind: int | None) -> Any:  # noqa: ANN401
        """Primitive attributes with one elementwise operation afterwards; null without one."""
        if kind is None:
            return Pointer()
        after, attributes = Pointer(), Pointer()
        self.check("post_ops_create", ctypes.byref(after))
        zero = ctypes.c_float(0.0)
        self.check("post_ops_append_eltwise", after, kind, zero, zero)
        self.check("primitive_attr_create", ctypes.byref(attributes))
        self.check("primitive_attr_set_post_ops", attributes, after)
        self.check("post_ops_destroy", after)
        return attributes

    def run(
        self,
        key: tuple[object, ...],
        create: Callable[[Any], None],
        operands: Sequence[tuple[Buffer, Array]],
    ) -> None:
        """Run a primitive on arrays; `create(descriptor)` makes its descriptor the first time.

        Raises:
            RuntimeError: what the library says.
        """
        with self._lock:
            found = self._primitives.get(key)
            if found is None:
                found = Primitive(self, create, [buffer for buffer, _ in operands])
                self._primitives[key] = found
                if len(self._primitives) > KEPT:
                    self._primitives.popitem(last=False)[1].destroy()
            else:
                self._primitives.move_to_end(key)
            found.run([array for _, array in operands])


class Primitive:
    """A primitive with the memory objects that it is called with."""

    def __init__(
        self, library: Library, create: Callable[[Any], None], buffers: Sequence[Buffer]
    ) -> None:
        self._library = library
        descriptor, self._primitive = Pointer(), Pointer()
        create(ctypes.byref(descriptor))
        library.check("primitive_create", ctypes.byref(self._primitive), descriptor)
        library.check("primitive_desc_destroy", descriptor)
        self._memories: list[Any] = []
        for buffer in buffers:
            described, memory = library.describe(buffer.shape), Pointer()
            nowhere = Pointer()
            library.check("memory_create", ctypes.byref(memory), described, library.engine, nowhere)
            library.check("memory_desc_destroy", described)
            self._memories.append(memory)
        pairs = zip(buffers, self._memories, strict=True)
        self._arguments = (_Argument * len(buffers))(
            *(_Argument(buffer.role, memory) for buffer, memory in pairs)
        )

    def run(self, arrays: Sequence[Array]) -> None:
        """Run on arrays where they are.

        Raises:
            RuntimeError: what the library says.
        """
        library = self._library
        for memory, array in zip(self._memories, arrays, strict=True):
            address = array.__array_interface__["data"][0]
            library.check("memory_set_data_handle", memory, Pointer(address))
        library.check(
            "primitive_execute",
            self._primitive,
            library.stream,
            len(self._memories),
            self._arguments,
        )
        library.check("stream_wait", library.stream)

    def destroy(self) -> None:
        """Give the library's objects back."""
        self._library.check("primitive_destroy", self._primitive)
        for memory in self._memories:
            self._library.check("memory_destroy", memory)


def functions_of(loaded: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a loaded library has of `FUNCTIONS`, all of it, in a version that was tried.

    Raises:
        OSError: the version that was found and the ones that are needed, or what is missing.
    """
    needed = f"needed is {'.'.join(map(str, OLDEST))} or newer, below {NEXT_MAJOR}"
    asked = getattr(loaded, "dnnl_version", None)
    if asked is None:
        message = f"it is no oneDNN library: it has no `dnnl_version`; {needed}"
        raise OSError(message)
    asked.restype = ctypes.POINTER(_Version)
    version = asked().contents
    if not OLDEST <= (version.major, version.minor) < (NEXT_MAJOR, 0):
        found = f"{version.major}.{version.minor}.{version.patch}"
        message = f"it is oneDNN {found}, {needed}: install `onednn>=2025.1`"
        raise OSError(message)
    found = {name: getattr(loaded, f"dnnl_{name}", None) for name in FUNCTIONS}
    if missing := [f"dnnl_{name}" for name, function in found.items() if function is None]:
        message = f"it lacks {', '.join(missing)}; {needed}"
        raise OSError(message)
    return found


@functools.cache
def path() -> Path | None:
    """Where the library is, None where no package brings it; loads nothing."""
    return next(_paths(), None)


@functools.cache
def reason() -> str:
    """Loads the library; why that fails, empty where it does not."""
    try:
        library()
    except OSError as error:
        return str(error)
    return ""


@functools.cache
def library() -> Library:
    """The library, loaded once: the first package whose build was tried.

    Raises:
        OSError: it is not there, or cannot be loaded.
    """
    loaded = _first(_paths())
    if (count := threads()) is not None:
        loaded.set_threads(count)
    return loaded


def _first(paths: Iterable[Path]) -> Library:
    faults: list[str] = []
    for found in paths:
        try:
            return Library(found)
        except OSError as error:
            faults.append(f"{found.name}: {error}")
    raise OSError("; ".join(faults) or "no package that brings oneDNN is installed")


def threads() -> int | None:
    """Threads that `WORKBENCH_ONEDNN_THREADS` asks for; None leaves it to the library.

    Raises:
        CompileError: `library/threads` where it is no number above zero.
    """
    text = os.environ.get("WORKBENCH_ONEDNN_THREADS", "")
    if not text:
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise CompileError(
        Diagnostic(
            "library/threads", f"`WORKBENCH_ONEDNN_THREADS` must be a number above 0, got `{text}`"
        )
    )


def _paths() -> Iterator[Path]:
    for package in PACKAGES:
        try:
            files = importlib.metadata.files(package) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            where = Path(str(file.locate()))
            if file.name == "libdnnl.so.3" and where.exists():
                yield where.resolve()


def _prepare(path: Path) -> None:
    """Let the library find its neighbours, and the processor where it runs by OpenCL."""
    neighbours = [path.parent / name for name in NEEDED]
    if not all(file.exists() for file in neighbours):
        return
    if (count := threads()) is not None:
        os.environ.setdefault("DPCPP_CPU_NUM_CUS", str(count))
    driver = path.parent / "libintelocl.so"
    if driver.exists():
        os.environ.setdefault("OCL_ICD_FILENAMES", str(driver))
    for file in neighbours:
        ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)


def _strides(shape: Sequence[int]) -> tuple[int, ...]:
    found = [1]
    for extent in reversed(shape[1:]):
        found.append(found[-1] * max(extent, 1))
    return tuple(reversed(found))
