"""Let the allocator of a CPU run keep what it was given back.

A step allocates and frees the same large tensors as the step before. glibc hands each of them back
to the kernel, which clears every page again: a quarter of a training step on a CPU.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
LARGEST = 2**31 - 1
GROWTH = 2**28


def keep_freed_memory() -> bool:
    """Keep freed memory in this process and its children; whether the allocator agreed.

    Only glibc knows these settings; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST), (M_TOP_PAD, GROWTH))
        return all(mallopt(name, value) == 1 for name, value in settings)
    return False
