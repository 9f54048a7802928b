"""The first levels of a complete tree for sixteen rows at once, in vector instructions.

Level by level, a kernel that walks row by row reads a node's feature, its threshold, and the row's value. Near the root there are
few nodes, so that it is less work to compare all sixteen rows with *each* node of the level, and to keep of the answers the one
that the row's way asks for: a comparison of sixteen is one or two instructions, and nothing is looked up. From the fifth level on
it would be more: that is where `monitor/scoring/walk.py` goes on row by row.

numba has no vectors, LLVM has: the instructions are given as LLVM's, which every processor's own are made of.
"""

from typing import Any

import numba as nb
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

cgutils: Any = untyped_cgutils

LANES = 16
"""Rows side by side."""

LEVELS = 4
"""Fifteen nodes. Measured a row, 100 trees of depth 8, on a processor with AVX-512: 0.70 us without, 0.53 with three levels, 0.52 with four, 0.53 with five."""

_PLACE = ir.IntType(64)
_PLACES = ir.VectorType(_PLACE, LANES)
_VALUE = ir.FloatType()
_VALUES = ir.VectorType(_VALUE, LANES)
_FIRST_OF_EACH = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


def _first_levels(_typing: Any, columns: Any, feature: Any, threshold: Any, tree: Any, place: Any) -> Any:  # noqa: ARG001 (numba asks by name)
    """`first_levels(columns, feature, threshold, tree, place)` in a kernel: `place[j]` becomes the node where row `j` is after `LEVELS` levels.

    `columns` float32[k, LANES], a column each row, contiguous; `feature` uint8[T, nodes] and `threshold` float32[T, nodes] as in
    `monitor/scoring/forest.py`, of depth `LEVELS` or more; `tree` uint64; `place` uint64[LANES], written. Indices are not checked.
    A row goes right when its value is greater than the threshold; NaN is not.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(argument: int, indices: list[Any]) -> Any:
            kind = signature.args[argument]
            array = context.make_array(kind)(context, builder, arguments[argument])
            shape, strides = (
                cgutils.unpack_tuple(builder, each, count=kind.ndim) for each in (array.shape, array.strides)
            )
            return cgutils.get_item_pointer2(context, builder, array.data, shape, strides, kind.layout, indices)

        def greater(node: int) -> Any:
            here = [arguments[3], _PLACE(node)]
            split = builder.zext(builder.load(pointer(1, here)), _PLACE)
            values = builder.load(builder.bitcast(pointer(0, [split, _PLACE(0)]), _VALUES.as_pointer()), align=4)
            one = builder.insert_element(_VALUES(ir.Undefined), builder.load(pointer(2, here)), ir.IntType(32)(0))
            return builder.fcmp_ordered(">", values, builder.shuffle_vector(one, _VALUES(ir.Undefined), _FIRST_OF_EACH))

        places = _PLACES([0] * LANES)
        way: list[Any] = []  # of each level so far: which rows went right
        for level in range(LEVELS):
            went = [greater(node) for node in range((1 << level) - 1, (2 << level) - 1)]
            for right in reversed(way):  # of two neighbours, the one below the side the row took
                went = [builder.select(right, b, a) for a, b in zip(went[::2], went[1::2], strict=True)]
            way += went
            deeper = builder.add(builder.add(places, places), _PLACES([1] * LANES))
            places = builder.add(deeper, builder.zext(way[-1], _PLACES))
        builder.store(places, builder.bitcast(pointer(4, [_PLACE(0)]), _PLACES.as_pointer()), align=8)
        return context.get_dummy_value()

    return nb.types.void(columns, feature, threshold, nb.types.uint64, place), generate


first_levels: Any = intrinsic(_first_levels)
