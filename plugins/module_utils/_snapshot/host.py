# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""A program that saves a snapshot of the server on its own host, where that one leads; started by a timer of systemd.

It needs nothing but Python 3.9: the role ``vault_snapshot_timer`` copies this package to the host. Its settings are a
JSON file of mode 0600: the options of ``vault_snapshot`` that say where snapshots are kept, ``url`` and ``ca_cert`` of
the server, ``product``, ``auth_mount``, and the files of an AppRole, ``role_id_file`` and ``secret_id_file``.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .._engine import private_file
from .._engine.errors import InvalidInput, SecretopsError
from . import record
from .archive import CHUNK, inspect
from .saving import Saving

#: what the settings need not say
DEFAULTS: Mapping[str, Any] = {
    "dest": None,
    "keep": None,
    "cluster": None,
    "copies": [],
    "age_recipients": [],
    "gpg_public_keys": [],
    "metrics_file": None,
    "min_size": 1024,
    "transfer_timeout": 1800,
    "allow_lower_index": False,
    "auth_mount": "approle",
    "ca_cert": None,
    "tls_server_name": None,
}
SNAPSHOT = "sys/storage/raft/snapshot"


class _Connection(http.client.HTTPSConnection):
    """A connection that asks for the certificate of another name than the address, where one is given."""

    def __init__(self, host: str, port: int, seconds: float, context: ssl.SSLContext, name: str | None) -> None:
        super().__init__(host, port, timeout=seconds, context=context)
        self._tls, self._name = context, name or host

    def connect(self) -> None:
        """Connect, and begin TLS."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


class Server:
    """The server on this host. Redirects are not followed, and proxies not asked: it is here."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        parts = urlsplit(settings["url"])
        self.url: str = settings["url"]
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 8200
        self.name: str | None = settings["tls_server_name"]
        self.seconds = float(settings["transfer_timeout"])
        self.token = ""
        try:
            self.context = ssl.create_default_context(cafile=settings["ca_cert"])
        except OSError as error:
            raise InvalidInput("the CA cannot be read (%s)" % error, self.url, 'correct "ca_cert"') from error

    def _open(self, method: str, path: str, body: Any = None) -> tuple[_Connection, http.client.HTTPResponse]:
        connection = _Connection(self.host, self.port, self.seconds, self.context, self.name)
        headers = {"X-Vault-Request": "true", **({"X-Vault-Token": self.token} if self.token else {})}
        try:
            connection.request(method, "/v1/" + path, None if body is None else json.dumps(body), headers)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise SecretopsError("does not answer (%s)" % error, self.url, "see whether the server runs") from error

    def _refused(self, path: str, answer: http.client.HTTPResponse) -> SecretopsError:
        return SecretopsError(
            "%s is refused with status %d" % (path, answer.status),
            self.url,
            "see the server's log, and the AppRole's policy",
        )

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Return the JSON of an answer. Raises SecretopsError."""
        connection, answer = self._open(method, path, body)
        try:
            text = answer.read(1 << 20)
            if answer.status not in (200, 204):
                raise self._refused(path.partition("?")[0], answer)
            found = json.loads(text or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SecretopsError("answers what is no JSON (%s)" % error, self.url, "see what runs there") from error
        finally:
            connection.close()
        return found if isinstance(found, dict) else {}

    def health(self) -> dict[str, Any]:
        """Return the state of the server, whatever it is."""
        return self.ask("GET", "sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200")

    def stream(self, path: str) -> None:
        """Write the archive of a new snapshot into a file. Raises SecretopsError."""
        connection, answer = self._open("GET", SNAPSHOT)
        try:
            if answer.status != 200:
                raise self._refused(SNAPSHOT, answer)
            with open(path, "wb") as file:
                while True:
                    block = answer.read(CHUNK)
                    if not block:
                        break
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            what = "cannot be written" if error.filename or error.errno == errno.ENOSPC else "the stream broke"
            raise SecretopsError("%s (%s)" % (what, error), path, "see the server's log and the disk") from error
        except http.client.HTTPException as error:
            raise SecretopsError("the stream broke (%s)" % type(error).__name__, self.url, "run again") from error
        finally:
            connection.close()


def _read(path: str, what: str) -> str:
    text = private_file.read(path)
    if not text:
        raise InvalidInput("there is no %s in %s" % (what, path), remedy="run the playbook snapshot_timer again")
    return text


def save(settings: Mapping[str, Any]) -> str:
    """Save a snapshot where the server here leads, and return in a sentence what was done. Raises SecretopsError."""
    params = {**DEFAULTS, **settings}
    server = Server(params)
    state = server.health()
    if not state.get("initialized") or state.get("sealed"):
        raise SecretopsError("the server is sealed", server.url, "unseal it; the leader's host saves meanwhile")
    if state.get("standby"):
        return "the server here is a standby: the leader's host saves"
    saving = Saving(params)
    with saving.measured():
        saving.check()
        # before a login: nothing is written to the server where a place does not take a snapshot
        saving.try_places()
        login = {
            "role_id": _read(params["role_id_file"], "role ID"),
            "secret_id": _read(params["secret_id_file"], "secret ID"),
        }
        answer = server.ask("POST", "auth/%s/login" % params["auth_mount"], login)
        server.token = str((answer.get("auth") or {}).get("client_token") or "")
        try:
            with saving.trial() as trial:
                server.stream(trial)
                facts = inspect(trial, int(params["min_size"]))
                status = server.ask("GET", "sys/seal-status")
                saving.keep(trial, record.made(facts, status, server.url, params["cluster"], params["product"]))
        finally:
            if server.token:
                server.ask("POST", "auth/token/revoke-self", {})
    saving.measure()
    for warning in saving.warnings:
        sys.stderr.write("warning: %s\n" % warning)
    kept = [saving.info["path"]] if saving.info.get("path") else []
    kept += ["%s/%s" % (one["url"].rstrip("/"), one["name"]) for one in saving.info["copies"]]
    return "saved %s (index %d, %d bytes)" % (", ".join(kept), saving.info["index"], saving.info["size"])


def main(arguments: Sequence[str]) -> int:
    """Run with the file of the settings as argument; the exit status is 1 for a failure, told in one sentence."""
    try:
        settings = json.loads(_read(arguments[0], "setting"))
        sys.stdout.write(save(settings) + "\n")
    except SecretopsError as error:
        sys.stderr.write("%s\n" % error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
