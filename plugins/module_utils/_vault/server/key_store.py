# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The file that holds what an initialisation gave: key shares and the root token, or their PGP ciphertexts.

It is JSON, 0600, and reserved before the server is asked: an answer that exists once must never meet a full disk.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..._engine import private_file
from ..._engine.errors import InvalidInput, SecretopsError

#: options of the modules that are given key shares, documented by the fragment `vault.shares`
SHARES_SPEC: dict[str, dict[str, Any]] = {
    "key_store": {"type": "path", "no_log": False},
    "shares": {"type": "list", "elements": "str", "no_log": True},
    "shares_file": {"type": "path", "no_log": False},
}
SHARES_EXCLUSIVE = [["shares", "shares_file"]]
#: bytes that are allocated on the disk before the server is asked; far more than any answer
RESERVE = 256 * 1024
FORMAT = 1


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back signals that would end the process between the server's answer and the file."""
    wanted = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class KeyStore:
    """One key store file. ``path`` as the user gave it."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self.folder, self.name = os.path.split(self.path)

    @property
    def _pending(self) -> str:
        return os.path.join(self.folder, ".%s.pending-" % self.name)

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return os.path.exists(self.path)

    def load(self) -> dict[str, Any] | None:
        """Return what the file holds, None when there is none. Raises SecretopsError when it is not a key store."""
        text = private_file.read(self.path)
        if text is None:
            return None
        if not private_file.is_private(self.path):
            raise InvalidInput(
                "others can read it", 'key store "%s"' % self.path, "chmod 600 it, and find out who may have read it"
            )
        try:
            data = json.loads(text)
        except ValueError:
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("shares"), list):
            raise InvalidInput(
                "is not a key store", self.path, "give the file that vault_init wrote, or the shares by another option"
            )
        return data

    def save(self, data: Mapping[str, Any]) -> None:
        """Replace the file as a whole. Raises SecretopsError."""
        private_file.write(self.path, json.dumps(data, indent=2, sort_keys=True))

    def check_writable(self) -> None:
        """Refuse a place that cannot be written to, without leaving anything but the directory. Raises InvalidInput."""
        Reservation(self).drop()

    def pending(self) -> str | None:
        """Return the path of an answer that an interrupted run had written but not yet given its name."""
        if self.exists():
            return None
        for path in sorted(glob.glob(glob.escape(self._pending) + "*")):
            try:
                data = json.loads(private_file.read(path) or "")
            except ValueError:
                continue
            if isinstance(data, dict) and data.get("shares") is not None:
                return path
        return None

    def lost(self) -> bool:
        """Tell whether a run was cut off after it had asked the server, and before the answer was written."""
        return (
            not self.exists()
            and not self.pending()
            and private_file.abandoned(self.path, os.path.basename(self._pending))
        )

    def recover(self) -> None:
        """Give such an answer its name."""
        path = self.pending()
        if path:
            private_file.rename(path, self.path)


def _is_blank(path: str) -> bool:
    """Tell whether a reservation holds no answer."""
    with open(path, "rb") as file:
        return not file.read().strip()


class Reservation:
    """A place on the disk for the answer, made before the server is asked for it."""

    def __init__(self, store: KeyStore) -> None:
        self.store = store
        private_file.prepare(store.path, "key_store")
        prefix = store._pending
        try:
            # the whole way is tried: allocate, sync, rename, sync the directory
            self.handle, first = private_file.temporary(store.path, os.path.basename(prefix), _is_blank)
            self.path = first
            os.write(self.handle, b"\n" * RESERVE)
            os.fsync(self.handle)
            self.path = first + ".ready"
            private_file.rename(first, self.path)
        except OSError as error:
            self.drop()
            raise InvalidInput(
                "cannot write to %s (%s)" % (store.folder, error.strerror),
                'option "key_store"',
                "name a file in a directory of your own with room for it",
            ) from error

    def leave(self) -> None:
        """Leave the empty place, for when the answer may be lost: the next run sees by it what happened."""
        os.close(self.handle)

    def drop(self) -> None:
        """Give the place back, for when there was no answer."""
        if getattr(self, "handle", None) is not None:
            os.close(self.handle)
        if getattr(self, "path", None) and os.path.exists(self.path):
            os.unlink(self.path)

    def commit(self, data: Mapping[str, Any]) -> None:
        """Write the answer, sync, and give it its name. Raises SecretopsError, which says where the answer is then."""
        content = json.dumps(data, indent=2, sort_keys=True).encode() + b"\n"
        try:
            os.pwrite(self.handle, content, 0)
            os.ftruncate(self.handle, len(content))
            os.fsync(self.handle)
        except OSError as error:
            place = rescue(content)
            raise SecretopsError(
                "the cluster is initialised, but the key store could not be written (%s)" % error.strerror,
                self.store.path,
                "its content is in %s: move it to its place" % place
                if place
                else "nothing could be written anywhere: erase the nodes' storage and initialise again",
            ) from error
        finally:
            os.close(self.handle)
        try:
            private_file.rename(self.path, self.store.path)
        except OSError as error:
            raise SecretopsError(
                "the cluster is initialised, but the key store could not get its name (%s)" % error.strerror,
                self.store.path,
                "its content is in %s: rename that file" % self.path,
            ) from error


def rescue(content: bytes) -> str | None:
    """Write what must not be lost to the first private place that takes it, and return that path."""
    for folder in (os.path.expanduser("~"), os.environ.get("XDG_RUNTIME_DIR") or "", "/dev/shm"):  # noqa: S108
        if not os.path.isdir(folder):
            continue
        try:
            handle, path = tempfile.mkstemp(dir=folder, prefix=".vault-key-store-")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            return path
        except OSError:
            continue
    return None


def shares_in(path: str, option: str) -> list[str]:
    """Return the key shares of a file: one a line, or a JSON list. Raises SecretopsError."""
    path, where = os.path.expanduser(path), 'option "%s"' % option
    text = private_file.read(path)
    if text is None:
        raise InvalidInput("%s is missing or empty" % path, where, "write one share a line to it")
    try:
        found = json.loads(text) if text.startswith("[") else text.split()
    except ValueError:
        raise InvalidInput("%s is not a list of shares" % path, where, "write one a line") from None
    return [str(share) for share in found]


def former_shares(params: Mapping[str, Any]) -> list[tuple[int, list[str]]]:
    """Return generation and key shares in clear of before each rekey that the key store knows, the newest first.

    A node whose data are older than the rekey, as after a restore, opens with those alone.
    """
    if params.get("shares") or params.get("shares_file") or not params.get("key_store"):
        return []
    data = KeyStore(params["key_store"]).load() or {}
    return [
        (int(one.get("generation") or 0), [str(share) for share in one.get("shares") or []])
        for one in reversed(data.get("former") or [])
        if one.get("shares") and not one.get("encrypted") and one.get("share_type") != "recovery"
    ]


def shares_from(params: Mapping[str, Any], running: bool = False, recovery: bool = False) -> list[str]:
    """Return the key shares of the first of the options ``shares``, ``shares_file`` and ``key_store`` that is given.

    ``running``: the cluster is not sealed; ``recovery``: its seal opens by itself. Raises SecretopsError when there are
    none to be had.
    """
    if params.get("shares"):
        return [share.strip() for share in params["shares"]]
    if params.get("shares_file"):
        return shares_in(params["shares_file"], "shares_file")
    why = "" if running else "sealed, and "
    if not params.get("key_store"):
        raise InvalidInput(why + "no key shares are known", remedy='give "key_store", "shares_file" or "shares"')
    store = KeyStore(params["key_store"])
    data = store.load()
    if data is None:
        raise InvalidInput(
            "%sthe key store %s does not exist" % (why, store.path),
            remedy='put the file back, or give the shares by "shares_file"%s'
            % ("" if running else "; if nobody ever had them, nothing is in the cluster: playbooks/reset_unused.yml"),
        )
    if data.get("share_type") == "recovery" and not recovery:
        raise InvalidInput(
            "%s%s holds recovery shares, which do not unseal" % (why, store.path),
            remedy="check that the server reaches its seal's key service",
        )
    if data.get("encrypted"):
        raise InvalidInput(
            "%s%s holds the shares as PGP ciphertext only" % (why, store.path),
            remedy='let %s of the holders decrypt theirs and give them by "shares_file" or "shares", '
            "or unseal by hand" % data.get("threshold", "enough"),
        )
    return [str(share) for share in data["shares"]]
