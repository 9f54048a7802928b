"""The instructions of a compiled schema: what the decoding kernel does with the next bytes of a record.

An instruction is four int32: code, a, b, c. Places (`a`, `b`) are rows of `Columns.longs` or `Columns.starts`; `table` is the
program's int64 table. A program ends with END; reading anything the schema rules out leaves the record undecodable.
"""

(
    END,  # the record must end here
    FAIL,  # a branch that our schema cannot read
    JUMP,  # go on at instruction a
    LONG,  # varint into longs[a]; b = 1: must fit an int32
    ENUM,  # index into longs[a], through table[b : b + c]; -1 there: a symbol we do not know
    STRING,  # length, bytes, into string a
    NULLABLE,  # branch, then string a, or null when the branch is b
    NULL,  # string a is null; reads nothing
    CONSTANT,  # longs[a] = table[b]; reads nothing
    SKIP_VARINT,  # b = 1: must fit an int32
    SKIP_BYTES,  # length, bytes; a = 1: must be UTF-8
    SKIP_FIXED,  # a bytes
    SKIP_BOOLEAN,  # one byte, 0 or 1
    SKIP_ENUM,  # index below a
    UNION,  # branch index, then go on at table[a + branch]; b branches
    BLOCKS,  # first block of an array or map; a: the instruction after it
    NEXT,  # one item is done: go on at a (the item again) or b (after the array or map)
    EMPTY_BLOCKS,  # blocks of items that take no bytes
) = range(18)

MAX_OPS = 4096
"""A larger program is not compiled: a schema that names its types again and again grows exponentially."""

MAX_DEPTH = 16
"""Arrays and maps inside one another; the kernel's stack."""
