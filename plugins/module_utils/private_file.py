# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that hold a secret: readable by their owner alone, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile

from .errors import InvalidInput, SecretopsError


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))


def prepare(path: str, option: str, private: bool = False) -> None:
    """Make sure that ``path`` can be written, before the secret for it is made; creates a missing directory as 0700.

    With ``private`` the directory must be ours and closed to everybody else, otherwise only not writable for others.
    Raises InvalidInput.
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
        # a sticky directory (/tmp) lets nobody else replace the file, but does let them make it first
        if state.st_mode & 0o022:
            raise InvalidInput(
                "others may write to the directory %s" % folder, where, "name one that only its owner may write to"
            )
        if os.path.isdir(path):
            raise InvalidInput("%s is a directory" % path, where, "name a file")
        handle, trial = tempfile.mkstemp(dir=folder, prefix=".vault-eso-")
        os.close(handle)
        os.unlink(trial)
    except OSError as error:
        raise InvalidInput(
            "cannot write to %s (%s)" % (folder, error.strerror), where, "name a file in a directory of your own"
        ) from error


def write(path: str, text: str) -> None:
    """Write text with a line end to a file of mode 0600: to a temporary one beside it, synced, then renamed.

    Raises SecretopsError.
    """
    folder = _folder(path)
    trial = ""
    try:
        # mkstemp makes the file 0600 from its first byte on
        handle, trial = tempfile.mkstemp(dir=folder, prefix=".vault-eso-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(trial, os.path.abspath(path))
    except OSError as error:
        if trial and os.path.exists(trial):
            os.unlink(trial)
        raise SecretopsError(
            "cannot be written (%s)" % error.strerror, path, "check the directory and the disk"
        ) from error


def read(path: str) -> str | None:
    """Return the text of a file without white space at its ends, None when there is none or it is empty.

    Raises SecretopsError when it exists but cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SecretopsError("cannot be read (%s)" % reason, path, "correct its owner and mode") from error


def is_private(path: str) -> bool:
    """Tell whether an existing file is closed to everybody but its owner."""
    return not stat.S_IMODE(os.stat(path).st_mode) & 0o077


def remove(path: str) -> bool:
    """Remove a file and tell whether there was one. Raises SecretopsError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SecretopsError("cannot be removed (%s)" % error.strerror, path, "remove it by hand") from error
    return True
