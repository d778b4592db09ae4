# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a host: files, accounts, the installed server, its unit, its process.

It runs on the host, so it needs nothing but Python 3.9.
Nothing here writes, and nothing that is returned holds a secret: contents of files are compared by digest.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import re
import ssl
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import tls

#: seconds for a command of the host
PATIENCE = 60
#: what systemd says of a unit: its property, and the name here
UNIT = {
    "LoadState": "load",
    "ActiveState": "active",
    "UnitFileState": "file",
    "MainPID": "pid",
    "NeedDaemonReload": "needs_daemon_reload",
}
#: what systemd calls a service whose process is there
RUNNING = ("active", "activating", "reloading")
_BLOCK = 1 << 20
_SWAP = re.compile(r"^[^#\s]\S*\s+\S+\s+swap\s", re.MULTILINE)


def digest(path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            found.update(block)
    return found.hexdigest()


def fingerprints(config: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return for each key of a configuration a digest of its value, and one of the part that only a start reads.

    The two differ for a listener alone, whose response headers follow a reload. Audit devices have a third entry: the
    digest of each device by its path. The values may hold credentials.
    """
    found: dict[str, list[Any]] = {
        str(key): [_fingerprint(value), _fingerprint(_fixed(key, value))] for key, value in config.items()
    }
    if "audit" in found:
        found["audit"].append(_devices(config["audit"]))
    return found


def _devices(stanzas: Any) -> dict[str, str]:
    return {
        str(path).strip("/"): _fingerprint([kind, body])
        for stanza in (stanzas if isinstance(stanzas, list) else [])
        if isinstance(stanza, dict)
        for kind, devices in stanza.items()
        if isinstance(devices, dict)
        for path, body in devices.items()
    }


def _fingerprint(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _fixed(key: str, value: Any) -> Any:
    if key != "listener" or not isinstance(value, list):
        return value
    return [
        {
            kind: {name: item for name, item in options.items() if name != "custom_response_headers"}
            for kind, options in entry.items()
        }
        for entry in value
        if isinstance(entry, dict) and all(isinstance(options, dict) for options in entry.values())
    ]


def _run(*words: str) -> subprocess.CompletedProcess[str] | None:
    """Run a command of the host; None where there is none or it does not end."""
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C"}
    try:
        # Ansible's run_command has no limit of time, and a systemctl that hangs would hold the play
        return subprocess.run(  # pylint: disable=ansible-bad-function
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _owner(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _type(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def place(path: str, sha256: str = "") -> dict[str, Any]:
    """Return what is at a path: its type, owner and mode, and with a digest whether a file has these contents.

    A link to a directory counts as that directory.
    """
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode) and os.path.isdir(path):
            found = os.stat(path)
    except OSError:
        return {"type": "missing"}
    known: dict[str, Any] = {
        "type": _type(found.st_mode),
        "owner": _owner(found.st_uid),
        "group": _group(found.st_gid),
        "mode": "%04o" % stat.S_IMODE(found.st_mode),
    }
    if sha256 and known["type"] == "file":
        known["same"] = digest(path) == sha256
    return known


def times(paths: Iterable[str]) -> dict[str, float]:
    """Return when the files that are there last changed, in seconds since 1970; links are followed."""
    found = {}
    for path in paths:
        try:
            found[path] = os.stat(path).st_mtime
        except OSError:
            continue
    return found


def user(name: str) -> dict[str, str]:
    """Return primary group, home and shell of an account; {} when there is none."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return {}
    return {"group": _group(found.pw_gid), "home": found.pw_dir, "shell": found.pw_shell}


def group(name: str) -> bool:
    """Tell whether a group is there."""
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def binary(path: str, checksum: bool) -> dict[str, Any]:
    """Return whether a server is installed, what it says of its version, and its digest where that is asked for."""
    if not os.path.exists(path):
        return {"exists": False, "version": "", "sha256": ""}
    said = _run(path, "version")
    return {"exists": True, "version": said.stdout.strip() if said else "", "sha256": digest(path) if checksum else ""}


def unit(name: str) -> dict[str, Any]:
    """Return what systemd says of a service."""
    said = _run("systemctl", "show", name + ".service", "--property", ",".join(UNIT))
    lines = (line.partition("=") for line in (said.stdout if said else "").splitlines())
    found: dict[str, Any] = {UNIT[key]: value for key, _equals, value in lines if key in UNIT}
    found["pid"] = int(found.get("pid") or 0)
    found["needs_daemon_reload"] = found.get("needs_daemon_reload") == "yes"
    return found


def runs_another(pid: int, path: str) -> bool:
    """Tell whether a process runs another binary than the one that is installed now."""
    try:
        running, installed = os.stat("/proc/%d/exe" % pid), None
    except OSError:
        return False
    try:
        installed = os.stat(path)
    except OSError:
        return True
    return (running.st_dev, running.st_ino) != (installed.st_dev, installed.st_ino)


def configuration(path: str) -> dict[str, Any]:
    """Return a configuration that was kept on the host; {} when there is none to be read."""
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def port(config: Mapping[str, Any]) -> int:
    """Return the port of a configuration's first TCP listener; 0 when it has none in numbers."""
    stanzas = config.get("listener")
    for stanza in stanzas if isinstance(stanzas, list) else []:
        listener = stanza.get("tcp") if isinstance(stanza, dict) else None
        number = str((listener or {}).get("address") or "").rpartition(":")[2]
        if number.isdigit():
            return int(number)
    return 0


def at_port(url: str, old: int, new: int) -> str:
    """Return an address with another port where it has the old one."""
    ending = ":%d" % old
    address = url.rstrip("/")
    return "%s:%d" % (address[: -len(ending)], new) if old and new and address.endswith(ending) else url


def unwritable(name: str, directories: Iterable[str]) -> list[str]:
    """Return the directories that a user cannot write to."""
    return [
        path for path in directories if getattr(_run("runuser", "-u", name, "--", "test", "-w", path), "returncode", 1)
    ]


def disks(directories: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return for each directory, or the nearest one above it, a number of its file system and the bytes free in it."""
    found = {}
    for path in directories:
        above = path
        while not os.path.isdir(above) and above != os.path.dirname(above):
            above = os.path.dirname(above)
        try:
            about, space = os.stat(above), os.statvfs(above)
        except OSError:
            continue
        # what others than root may use; a file system without inodes takes no new file
        free = 0 if space.f_files and not space.f_favail else space.f_bavail * space.f_frsize
        found[path] = {"device": about.st_dev, "free": free}
    return found


def _opener(ca: str) -> urllib.request.OpenerDirector:
    """Return what opens addresses without a proxy. Raises OSError."""
    context = ssl.create_default_context(cafile=ca or None)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def health(url: str, ca: str, timeout: float) -> dict[str, Any]:
    """Return as ``health`` the HTTP status of a server's answer to the question for its health; -1 without one.

    Where its certificate is the reason, ``refused`` has the ``code`` and ``message`` of OpenSSL.
    """
    try:
        with _opener(ca).open(url.rstrip("/") + "/v1/sys/health", timeout=timeout) as answer:
            return {"health": int(answer.status)}
    except urllib.error.HTTPError as error:
        return {"health": error.code}
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            refused = {"code": cause.verify_code, "message": str(cause.verify_message)}
            return {"health": -1, "refused": refused}
        return {"health": -1}


def seal(url: str, ca: str, timeout: float) -> dict[str, Any]:
    """Return what a server says of its seal: its ``type``, and whether it is ``initialized``; {} without an answer."""
    try:
        with _opener(ca).open(url.rstrip("/") + "/v1/sys/seal-status", timeout=timeout) as answer:
            told = json.loads(answer.read(_BLOCK))
    except (OSError, ValueError):
        return {}
    told = told if isinstance(told, dict) else {}
    return {"type": str(told.get("type") or ""), "initialized": told.get("initialized") is True}


def swap() -> dict[str, bool]:
    """Return whether swap is in use, whether the next boot turns it on, and whether this is a container."""
    return {
        "active": len(_lines("/proc/swaps")) > 1,
        "at_boot": bool(_SWAP.search("\n".join(_lines("/etc/fstab")))),
        "container": os.path.exists("/run/systemd/container"),
    }


def _lines(path: str) -> Sequence[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def read(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that is asked for, as the module C(vault_host_state) documents it."""
    found: dict[str, Any] = {"systemd": os.path.isdir("/run/systemd/system"), "clock": int(time.time())}
    if asked.get("files"):
        digests = {one["path"]: one["sha256"] for one in asked.get("contents") or []}
        found["files"] = {path: place(path, digests.get(path, "")) for path in asked["files"]}
    if asked.get("user"):
        found["user"], found["group"] = user(asked["user"]), group(asked["group"])
    if asked.get("commands"):
        found["missing_commands"] = [path for path in asked["commands"] if not os.path.exists(path)]
    if asked.get("writable"):
        found["unwritable"] = unwritable(asked["user"], asked["writable"])
        found["disks"] = disks(asked["writable"])
    if asked.get("swap"):
        found["swap"] = swap()
    if asked.get("certificate"):
        found["certificate"] = tls.examine(
            asked["certificate"], asked["key"], names=asked.get("names") or [], ca=asked.get("names_ca") or ""
        )
    if asked.get("peers"):
        found["peers"] = tls.of_servers(asked["peers"], asked["timeout"])
    if asked.get("presented"):
        found["presented"] = tls.of_servers(asked["presented"], asked["timeout"])
    if asked.get("binary"):
        found["binary"] = binary(asked["binary"], bool(asked.get("checksum")))
    if asked.get("unit"):
        found["unit"] = unit(asked["unit"])
        if found["unit"].get("active") in RUNNING:
            found["other_binary"] = runs_another(found["unit"]["pid"], asked["binary"])
            found["times"] = times(asked["times"])
            started = configuration(asked["started"])
            found["started"], found["loaded"] = fingerprints(started), fingerprints(configuration(asked["loaded"]))
            declared = asked.get("port") or 0
            # until its restart the server listens where it was told to when it started
            found["port"] = port(started) or declared
            found["new_port"] = declared if declared != found["port"] else 0
            found["url"] = at_port(asked["url"], declared, found["port"])
            found.update(health(found["url"], asked["ca"], asked["timeout"]))
            found["seal"] = seal(found["url"], asked["ca"], asked["timeout"]) if found["health"] > 0 else {}
            if asked.get("listener") and asked.get("served"):
                listener = at_port(asked["listener"], declared, found["port"])
                found["serves_another"] = tls.serves_another(listener, asked["served"], asked["timeout"])
    return found
