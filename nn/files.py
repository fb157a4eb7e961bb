"""Files that are whole at every moment, whenever the process is killed."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

__all__ = ["write_whole"]

_BINARY = getattr(os, "O_BINARY", 0)
_HOUR = 3600


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment the former one or the new one is there, whole.

    Raises
    ------
    OSError
        If it can't be written. The former file is untouched then.
    """
    target = Path(os.path.realpath(path))  # a symbolic link stays one
    stem = f".{target.name}."
    temporary = target.with_name(f"{stem}{os.getpid()}-{time.time_ns():x}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    try:
        try:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.chmod(temporary, target.stat().st_mode & 0o777)  # noqa: PTH101
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)  # noqa: PTH105 - as the rest
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)
    for old in _abandoned(target.parent, stem):
        with contextlib.suppress(OSError):
            old.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a rename last: the folder is what it changed."""
    if sys.platform == "win32":  # folders can't be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _abandoned(folder: Path, stem: str) -> list[Path]:
    """Find what killed processes began to write long ago."""
    before = time.time() - _HOUR
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [
            Path(entry.path)
            for entry in entries
            if entry.name.startswith(stem)
            and entry.name.endswith(".tmp")
            and entry.stat().st_mtime < before
        ]
    return []
