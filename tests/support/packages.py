# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Debian packages: found, or installed where that may be done."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .local import only_one


class Unavailable(RuntimeError):
    """A server cannot be had here, and the message says why."""


def provide(program: str, package: str, folders: Sequence[str] = ()) -> Path:
    """Return the path of a program, found in ``folders`` or on PATH; its package is installed when it is missing.

    Raises Unavailable where it is missing and cannot be installed.
    """
    found = _find(program, folders)
    if found is not None:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"{program} is not installed, and only root on Debian can have it installed: {package}")
    # the service that a package brings is not ours to start
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with only_one("packages"):
        install = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-qq", "-y", "--no-install-recommends"]
        result = subprocess.run([*install, package], env=env, capture_output=True, text=True, check=False)
        if result.returncode:
            subprocess.run(["apt-get", "update", "-qq"], env=env, capture_output=True, check=False)
            result = subprocess.run([*install, package], env=env, capture_output=True, text=True, check=False)
    found = _find(program, folders)
    if found is None:
        tail = " ".join((result.stdout + result.stderr).split())[-300:]
        raise Unavailable(f"{program} is not installed, and installing the package {package} failed: {tail}")
    return found


def _find(program: str, folders: Sequence[str]) -> Path | None:
    for folder in folders:
        # of several versions the newest
        for path in sorted(Path("/").glob(f"{folder.lstrip('/')}/{program}"), key=_number, reverse=True):
            if os.access(path, os.X_OK):
                return path
    found = shutil.which(program)
    return Path(found) if found else None


def _number(path: Path) -> list[int]:
    return [int(part) for part in path.parts if part.isdigit()]


def unprivileged(*names: str) -> pwd.struct_passwd:
    """Return the account that a server which refuses root runs as: ourselves, or for root the first that exists.

    Raises Unavailable when none does.
    """
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in (*names, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Unavailable(f"there is no account {' or '.join(names)} to run a server as")
