"""A process that compiles kernels for another: requests on stdin, objects on stdout.

Run as a file, so that it loads the code generator and nothing else.
"""

from __future__ import annotations

import importlib
import json
import pickle
import sys
from typing import Any


def serve() -> None:
    """Answer pickled `(text, target)` with object code until the input ends."""
    sys.path[:] = json.loads(sys.argv[1])
    codegen: Any = importlib.import_module("workbench.codegen")
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            text, target = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(codegen.compile_object(text, target), replies)
        replies.flush()


if __name__ == "__main__":
    serve()
