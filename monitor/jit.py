"""How kernels that only read and write arrays they are given are compiled, and the one instruction that numba lacks.

`_nrt=False` switches numba's reference counting off: with it, every inner call counts every array up and down in locked
instructions, which made 0.60 us of a record's 0.12. Such a kernel cannot allocate; its callers bring all arrays.
"""

from typing import Any

import numba as nb
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

cgutils: Any = untyped_cgutils

LINE_BYTES = 64
"""Of a cache line, on every processor that numba compiles for but a few of ARM's, where more is asked for than needed."""

kernel: Any = nb.njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]
"""A compiled function, kept in numba's cache."""

piece: Any = nb.njit(nogil=True, _nrt=False)  # type: ignore[call-overload]
"""A function that a kernel calls, not cached by itself: numba would not see that a callee's file changed (`monitor.state.kernels`)."""

inlined: Any = nb.njit(cache=True, nogil=True, _nrt=False, forceinline=True)  # type: ignore[call-overload]
"""The same, inlined by LLVM into whoever calls it."""


def _prefetch(_typing: Any, words: Any, row: Any, column: Any) -> Any:
    """`prefetch(words, row, column)` in a kernel: ask for the cache line of `words[row, column]`, which will be written; nothing waits for it. Indices are not checked.

    A record of an account is some 35 lines. Where they come from memory one by one, that is most of what a fold takes.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, arguments[0])
        shape, strides = (cgutils.unpack_tuple(builder, each, count=2) for each in (array.shape, array.strides))
        indices = [
            context.cast(builder, each, given, nb.intp)
            for each, given in zip(arguments[1:], signature.args[1:], strict=True)
        ]
        place = cgutils.get_item_pointer2(context, builder, array.data, shape, strides, kind.layout, indices)
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        takes = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, takes, "llvm.prefetch.p0")
        for_writing, keep_in_all_caches, data = number(1), number(3), number(1)
        builder.call(function, [builder.bitcast(place, pointer), for_writing, keep_in_all_caches, data])
        return context.get_dummy_value()

    return nb.types.void(words, row, column), generate


prefetch: Any = intrinsic(_prefetch)
