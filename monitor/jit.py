"""How kernels that only read and write arrays they are given are compiled.

`_nrt=False` switches numba's reference counting off: with it, every inner call counts every array up and down in locked
instructions, which made 0.60 us of a record's 0.12. Such a kernel cannot allocate; its callers bring all arrays.
"""

from typing import Any

import numba as nb

kernel: Any = nb.njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]
"""A compiled function, kept in numba's cache."""

inlined: Any = nb.njit(cache=True, nogil=True, _nrt=False, forceinline=True)  # type: ignore[call-overload]
"""The same, inlined by LLVM into whoever calls it."""
