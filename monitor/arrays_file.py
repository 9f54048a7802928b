"""Reading a forest's arrays from an .npz whose bytes nobody vouches for: every size is checked before it is believed.

An .npz is a zip of .npy files. A zip can name sizes that unpack to gigabytes, and an .npy header can claim a shape of any
size, which numpy would allocate before it reads a byte. No pickle is ever loaded.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ArtifactError

MAX_FILE_BYTES = 16 << 20
"""Of the compressed file. The default model's is below 0.5 MB."""

MAX_ARRAY_BYTES = 32 << 20
"""Of one array, unpacked: 4,000 trees of depth 10 are 16 MB of thresholds."""

HEADER_BYTES = 128
"""Of an .npy file of version 1.0 with at most two dimensions; numpy pads it to a multiple of 64."""


def read_arrays(content: bytes, dtypes: Mapping[str, Any], path: Path) -> dict[str, NDArray[Any]]:
    """The arrays named in `dtypes`, each with that dtype and at most two dimensions, from an .npz's bytes.

    `path` is for messages. Raises `ArtifactError` naming the member.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            wanted = {f"{name}.npy" for name in dtypes}
            if set(members) != wanted or len(archive.infolist()) != len(wanted):
                raise _refused(path, f"members {sorted(members)}, expected {sorted(wanted)}")
            for name, info in members.items():
                if info.file_size > MAX_ARRAY_BYTES + HEADER_BYTES:
                    raise _refused(
                        path, f"{name}: unpacks to {info.file_size} bytes, at most {MAX_ARRAY_BYTES} are read"
                    )
            return {
                name: _read(archive.read(f"{name}.npy"), np.dtype(dtype), path, name) for name, dtype in dtypes.items()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _refused(path, str(error)) from None


def _read(content: bytes, dtype: np.dtype[Any], path: Path, name: str) -> NDArray[Any]:
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise _refused(path, f"{name}: not an .npy file of version 1.0")
    shape, fortran, found = np.lib.format.read_array_header_1_0(stream)
    if found != dtype or found.hasobject or fortran or len(shape) > 2:
        raise _refused(
            path, f"{name}: {found} with {len(shape)} dimensions, expected {dtype} in C order with at most 2"
        )
    count = 1
    for length in shape:
        count *= length
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content) - stream.tell():
        raise _refused(path, f"{name}: shape {shape} does not match its {len(content) - stream.tell()} bytes")
    return np.frombuffer(content, dtype, count, stream.tell()).reshape(shape)


def _refused(path: Path, problem: str) -> ArtifactError:
    return ArtifactError(f"{path}: {problem}; restore the file, or train the model again")
