# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What lookups ask for: one login for all who log in alike, and each value read once.

Runs in the broker of a run (`broker`), or within a lookup where there can be no broker.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import SecretopsError
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.secrets import KNOWN
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.auth.registry import login_for
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection import reading
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.client import Client
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.errors import (
    BadRequest,
    InvalidToken,
    PermissionDenied,
    VaultError,
)
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import LOGIN_SPEC, connect
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.transport import HVAC_ERROR

#: for so many seconds an error, or that something is missing, is told again without asking again; a value for the run
PROBLEM = 5.0
#: the same for a refused login: a user may be locked out by many
REFUSED = 30.0
#: seconds that a token lives when nobody renews it, where the server lets us choose
TTL = 300


class _Slot:
    """One answer, and the lock that lets others wait for it instead of asking themselves."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = -math.inf
        self.until = -math.inf
        self.value: Any = None
        self.error: SecretopsError | None = None


class Answers:
    """Answers by key; each is made once, however many ask at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}

    def get(self, key: str, make: Callable[[], Any], fresh: bool = False) -> Any:
        """Return an answer; ``fresh``: one that was begun after this call. Raises SecretopsError as ``make`` does."""
        asked = time.monotonic()
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
        with slot.lock:
            if slot.begun < asked and (fresh or time.monotonic() >= slot.until):
                slot.begun = time.monotonic()
                slot.value, slot.error, slot.until = None, None, math.inf
                try:
                    slot.value = make()
                except SecretopsError as error:
                    slot.error, slot.until = error, time.monotonic() + PROBLEM
                except BaseException:
                    slot.until = -math.inf
                    raise
            if slot.error is not None:
                raise slot.error
            return slot.value


class Session:
    """One login. The token is made at the first use, renewed while it is needed, and revoked by `end`."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        KNOWN.add(*(params.get(name) for name, spec in LOGIN_SPEC.items() if spec.get("no_log")))
        self._lock = threading.Lock()
        self._reader: reading.Reader | None = None
        self._leased = False
        self._renew_at = math.inf
        self._refused: tuple[float, SecretopsError] | None = None
        self._ended = False

    def _open(self) -> reading.Reader:
        with self._lock:
            if self._ended:
                raise SecretopsError("the run that this login was made for has ended", "lookup")
            if self._reader is None:
                if self._refused and time.monotonic() < self._refused[0]:
                    raise self._refused[1]
                try:
                    self._reader = self._log_in()
                except (PermissionDenied, BadRequest) as error:
                    self._refused = (time.monotonic() + REFUSED, error)
                    raise
            return self._reader

    def _log_in(self) -> reading.Reader:
        client = connect(self.params)
        try:
            login = login_for(self.params)
            client.choose()
            client.token = login.token(client)
        except BaseException:
            client.close()
            raise
        self._leased = login.leased
        if self._leased:
            self._renew(client)
        return reading.Reader(client)

    def _renew(self, client: Client) -> None:
        """Let the token live for minutes only: nobody revokes it where a machine ends before we can."""
        self._renew_at = math.inf
        try:
            answer = client.request("POST", "auth/token/renew-self", {"increment": "%ds" % TTL}, idempotent=True)
            auth = (answer or {}).get("auth") or {}
            if auth.get("renewable") and auth.get("lease_duration"):
                self._renew_at = time.monotonic() + float(auth["lease_duration"]) / 3
        except (VaultError, TypeError, ValueError):
            # one that cannot be renewed ends by itself; then we log in again
            pass

    def renew(self) -> None:
        """Renew the token when it is time."""
        with self._lock:
            if self._reader is not None and not self._ended and time.monotonic() >= self._renew_at:
                self._renew(self._reader.client)

    def use(self, work: Callable[[reading.Reader], Any]) -> Any:
        """Return what ``work`` returns; logs in again, once, when the token of our own is no longer valid."""
        reader = self._open()
        try:
            return work(reader)
        except InvalidToken:
            if not self._leased:
                raise
            with self._lock:
                if self._reader is reader:
                    self._reader = None
            return work(self._open())

    def end(self) -> None:
        """Revoke the token if it is our own, and close the connections."""
        with self._lock:
            self._ended = True
            reader, self._reader = self._reader, None
        if reader is None:
            return
        try:
            if self._leased:
                reader.client.request("POST", "auth/token/revoke-self", {}, idempotent=True)
        except SecretopsError:
            # it ends by itself within minutes
            pass
        finally:
            reader.client.close()


class Service:
    """Answers requests of lookups: mappings of JSON in, mappings of JSON out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._answers = Answers()
        self._ended = False

    def session(self, key: str, params: Mapping[str, Any]) -> Session:
        """Return the session of all who log in alike."""
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = Session(params)
                if self._ended:
                    self._sessions[key].end()
            return self._sessions[key]

    def renew(self) -> None:
        """Renew the tokens whose time has come."""
        for session in list(self._sessions.values()):
            session.renew()

    def end(self) -> None:
        """Revoke all tokens of our own; no more are made."""
        with self._lock:
            self._ended = True
            sessions = list(self._sessions.values())
        for session in sessions:
            session.end()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``{"value": …}``, ``{"missing": sentence}`` or ``{"error": sentence}``."""
        if HVAC_ERROR is not None:
            return {"error": 'the Python library "hvac" is missing; install it where ansible-playbook runs'}
        params = request["params"]
        login = json.dumps(params, sort_keys=True)
        session = self.session(login, params)
        try:
            return {"value": self._read(session, login, request)}
        except reading.Absent as error:
            return {"missing": KNOWN.scrub(str(error))}
        except SecretopsError as error:
            return {"error": KNOWN.scrub(str(error))}
        except Exception as error:  # noqa: BLE001  # pylint: disable=broad-except
            # its text may hold anything
            return {"error": "unexpected %s; please report this as a bug" % type(error).__name__}

    def _read(self, session: Session, login: str, request: Mapping[str, Any]) -> Any:
        what, fresh = request["what"], bool(request.get("fresh"))
        key = json.dumps([login, what, *(request.get(name) for name in ("mount", "path", "version", "engine"))])

        def get(make: Callable[[reading.Reader], Any]) -> Any:
            return self._answers.get(key, lambda: session.use(make), fresh)

        path = request["path"]
        if what == "kv":
            mount, version, engine = request["mount"], request.get("version"), request.get("engine")
            found = get(lambda reader: reader.secret(mount, path, version, engine))
            field = request.get("field")
            if field is not None:
                return reading.field_of(found["secret"], field, "%s/%s" % (found["mount"], found["path"]))
            return found if request.get("metadata") else found["secret"]
        if what == "read":
            found = get(lambda reader: reader.read(path))
            if request.get("raw"):
                return found
            data = found.get("data") if isinstance(found.get("data"), dict) else found
            field = request.get("field")
            return data if field is None else reading.field_of(data, field, path)
        if request.get("mount") is not None:
            return get(lambda reader: reader.listed(request["mount"], path))
        return get(lambda reader: reader.keys(path))
