# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Programs of the operating system that work on snapshots: age, gpg, sftp."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Sequence

from .._engine.errors import InvalidInput, SecretopsError


def find(name: str, where: str, package: str) -> str:
    """Return the path of a program. Raises InvalidInput where it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise InvalidInput(
            'the program "%s" is not installed here' % name, where, "install %s where this task runs" % package
        )
    return found


#: a disk with so many bytes of room is full
LITTLE = 1 << 16


def require_room(path: str) -> None:
    """Refuse the path of a local file whose disk is full, which programs tell in words alone. Raises OSError."""
    if shutil.disk_usage(os.path.dirname(path)).free < LITTLE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


class Failed(SecretopsError):
    """A program ended with a status that is no success. ``status``: its exit status, -1 when it took too long."""

    status = 0


def run(
    command: Sequence[str], where: str, remedy: str, seconds: float, given: bytes = b"", dest: str | None = None
) -> bytes:
    """Run a program with text on its standard input, and return its standard output.

    Raises Failed, and OSError where the disk of the file ``dest``, which it was to write, is full.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        # with a limit of time, and on hosts where there is no Ansible
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(command), input=given, env=environment, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        failed = Failed(
            "%s took longer than %d seconds" % (os.path.basename(command[0]), seconds),
            where,
            'see why, or give it longer by "transfer_timeout"',
        )
        failed.status = -1
        raise failed from error
    if done.returncode:
        if dest:
            require_room(dest)
        said = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        name = os.path.basename(command[0])
        reason = said[-1][:300].rstrip(".") if said else "exit status %d" % done.returncode
        failed = Failed("%s failed (%s)" % (name, reason), where, remedy)
        failed.status = done.returncode
        raise failed
    return done.stdout
