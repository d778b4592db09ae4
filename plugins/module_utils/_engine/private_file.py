# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Files that hold a secret: readable by their owner alone, written whole or not at all."""

from __future__ import annotations

import fcntl
import glob
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable

from .errors import InvalidInput, SecretopsError


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def _owners() -> set[int]:
    """Return the users who may own a parent directory of a secret: root, ourselves, and the caller of sudo."""
    owners = {0, os.geteuid()}
    caller = os.environ.get("SUDO_UID") or ""
    if os.geteuid() == 0 and caller.isdecimal():
        owners.add(int(caller))
    return owners


def _check_way(folder: str, where: str) -> None:
    """Refuse a directory that somebody else could replace. Raises InvalidInput."""
    path, owners = os.path.realpath(folder), _owners()
    while True:
        state = os.stat(path)
        if state.st_uid not in owners:
            raise InvalidInput(
                "the directory %s belongs to another user (uid %d)" % (path, state.st_uid),
                where,
                "name a place below directories that only root and you own",
            )
        # in a sticky directory (/tmp) nobody else can replace our files
        if state.st_mode & 0o002 and not state.st_mode & stat.S_ISVTX:
            raise InvalidInput(
                "everybody may write to the directory %s" % path,
                where,
                "name a place below directories that only their owners may write to",
            )
        parent = os.path.dirname(path)
        if parent == path:
            return
        path = parent


def prepare(path: str, option: str, private: bool = False, own: bool = True) -> None:
    """Make sure that ``path`` can be written before its secret is created; creates a missing directory with mode 0700.

    With ``private`` the directory must be ours and closed to everybody else, otherwise it must not be writable for
    others. With ``own`` it and its parents must belong to us or to root. Raises InvalidInput.
    """
    where = 'option "%s"' % option
    folder = _folder(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        state = os.stat(folder)
        if private and (state.st_uid != os.geteuid() or state.st_mode & 0o077):
            raise InvalidInput(
                "the directory %s is not private" % folder,
                where,
                "name one of your own with mode 0700, or one that does not exist yet",
            )
        # in a sticky directory (/tmp) nobody else can replace the file, but anybody can create it first
        if state.st_mode & 0o022:
            raise InvalidInput(
                "others may write to the directory %s" % folder, where, "name one that only its owner may write to"
            )
        if own:
            _check_way(folder, where)
        if os.path.isdir(path):
            raise InvalidInput("%s is a directory" % path, where, "name a file")
        handle, trial = temporary(path)
        os.close(handle)
        os.unlink(trial)
    except OSError as error:
        raise InvalidInput(
            "cannot write to %s (%s)" % (folder, error.strerror), where, "name a file in a directory of your own"
        ) from error


def memory_folder() -> str:
    """Return a directory for short-lived secrets: in memory if there is one, else the one for temporary files."""
    usual = [os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"]  # noqa: S108  # only private directories are made in it
    found = (one for one in usual if one and os.path.isdir(one) and os.access(one, os.W_OK))
    return next(found, None) or tempfile.gettempdir()


def temporary(path: str, prefix: str = "", disposable: Callable[[str], bool] = lambda _path: True) -> tuple[int, str]:
    """Create a file of mode 0600 next to ``path``, and return its descriptor and name. Raises OSError.

    The file is locked as long as it is open. Files of the same ``prefix`` that nobody has open were left by a killed
    process. They may hold a secret, and are removed when they are ``disposable``.
    """
    folder = _folder(path)
    prefix = prefix or _prefix(path)
    for one in _beside(path, prefix):
        _remove_unused(one, disposable)
    while True:
        # mkstemp creates the file with mode 0600
        handle, made = tempfile.mkstemp(dir=folder, prefix=prefix)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # another process may have found it before it was locked
        if os.fstat(handle).st_nlink:
            return handle, made
        os.close(handle)


@contextmanager
def unfinished(path: str, prefix: str = "") -> Iterator[str]:
    """Give the name of a `temporary` file next to ``path``, and remove it at the end unless it was renamed.

    It is not taken for one that a killed process left, as long as it is written in place. Raises OSError.
    """
    handle, made = temporary(path, prefix)
    try:
        yield made
    finally:
        with suppress(FileNotFoundError):
            os.unlink(made)
        os.close(handle)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Tell in a sentence what the disk of a file refuses meanwhile. Raises SecretopsError."""
    try:
        yield
    except OSError as error:
        raise SecretopsError(
            "cannot be written (%s)" % error.strerror, str(error.filename or path), "make room on the disk"
        ) from error


def _prefix(path: str) -> str:
    return ".%s.new-" % os.path.basename(path)[:100]


def _beside(path: str, prefix: str) -> list[str]:
    return glob.glob(glob.escape(os.path.join(_folder(path), prefix)) + "*")


def left(path: str) -> list[str]:
    """Return the texts of the temporary files that a killed process left next to ``path``."""
    found = []
    for one in _beside(path, _prefix(path)):
        with suppress(SecretopsError):
            found.append(read(one))
    return [text for text in found if text]


def remove_left(path: str) -> None:
    """Remove the temporary files that a killed process left next to ``path``."""
    for one in _beside(path, _prefix(path)):
        _remove_unused(one, lambda _path: True)


def abandoned(path: str, prefix: str) -> bool:
    """Tell whether a killed process left a temporary file of this prefix next to ``path``."""
    for one in _beside(path, prefix):
        with _unused(one) as unused:
            if unused:
                return True
    return False


def _remove_unused(path: str, disposable: Callable[[str], bool]) -> None:
    with _unused(path) as unused, suppress(OSError):
        if unused and disposable(path):
            os.unlink(path)


@contextmanager
def _unused(path: str) -> Iterator[bool]:
    """Tell whether no process has a `temporary` file open; while the block runs, none takes it for unused as well."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unused = True
        except OSError:
            unused = False
        yield unused
    finally:
        os.close(handle)


def write(path: str, text: str, mode: int = 0o600) -> None:
    """Write text with a line end to a file: to a temporary file of mode 0600 next to it, synced, then renamed.

    ``mode`` is that of the finished file. Raises SecretopsError.
    """
    trial = ""
    try:
        handle, trial = temporary(path)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
            rename(trial, path)
    except OSError as error:
        if trial and os.path.exists(trial):
            os.unlink(trial)
        raise SecretopsError(
            "cannot be written (%s)" % error.strerror, path, "check the directory and the disk"
        ) from error


def rename(written: str, path: str) -> None:
    """Rename a written and synced file to its final path, replacing an existing one, safe against a crash.

    Raises OSError.
    """
    os.replace(written, os.path.abspath(path))
    handle = os.open(_folder(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def text_of(path: str) -> str | None:
    """Return the whole text of a file, None when it does not exist. Raises SecretopsError when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretopsError("cannot be read (%s)" % reason, path, "correct its owner and mode") from error


def read(path: str) -> str | None:
    """Return the text of a file without white space at its ends, None when it does not exist or is empty.

    Raises SecretopsError when it exists but cannot be read.
    """
    return (text_of(path) or "").strip() or None


def is_private(path: str) -> bool:
    """Tell whether an existing file is accessible to its owner only."""
    return not stat.S_IMODE(os.stat(path).st_mode) & 0o077


def remove(path: str) -> bool:
    """Remove a file and tell whether it existed. Raises SecretopsError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SecretopsError("cannot be removed (%s)" % error.strerror, path, "remove it by hand") from error
    return True
