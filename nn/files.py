"""Files that are whole at every moment, whenever the process is killed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from pathlib import Path

__all__ = ["write_whole"]

_BINARY = getattr(os, "O_BINARY", 0)
_HOUR = 3600
_LONGEST = 200
"""Bytes of a name, of the 255 that file systems allow: the temporary's is longer."""


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that at every moment the former one or the new one is there, whole.

    Raises
    ------
    OSError
        If it can't be written, or if the path is that of a pipe, a device or a folder. The
        former file is untouched then.
    """
    target = Path(os.path.realpath(path))  # a symbolic link stays one
    _check_regular(target)
    stem = f".{_short(target.name)}."
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


def _check_regular(target: Path) -> None:
    """Raise OSError for what a file must not take the place of."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.stat().st_mode):
            message = "this is no regular file. Give the path of one, or of none"
            raise OSError(errno.EINVAL, message, str(target))


def _short(name: str) -> str:
    """Return a file's name, or what stands for one that leaves the temporary's no room."""
    raw = os.fsencode(name)
    return name if len(raw) <= _LONGEST else hashlib.sha256(raw).hexdigest()[:32]


def _sync_folder(folder: Path) -> None:
    """Make a rename last: the folder is what it changed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that can't be read; on Windows, any
        return
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
