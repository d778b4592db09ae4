# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generators that are emulated: VaultDynamicSecret, Password, UUID."""

from __future__ import annotations

import base64
import secrets
import string
import uuid

from eso_kube import Kube, Object, path_of
from eso_values import to_bytes
from eso_vault import VaultError, VaultSession

GENERATORS = {"VaultDynamicSecret": "vaultdynamicsecrets", "Password": "passwords", "UUID": "uuids"}
SYMBOLS = '~!@#$%^&*()_+`-={}|[]\\:"<>?,./'


#: what the operator leaves out of a raw answer when it is empty
ABSENT = ("auth", "wrap_info")


def password(spec: Object) -> str:
    """One password by a Password generator's spec. Raise ValueError when its numbers do not fit."""
    length = int(spec.get("length") or 24)
    digits = int(spec["digits"]) if spec.get("digits") is not None else length // 4
    symbols = int(spec["symbols"]) if spec.get("symbols") is not None else length // 4
    if digits + symbols > length:
        raise ValueError("number of digits and symbols must be less than total length")
    letters = string.ascii_lowercase if spec.get("noUpper") else string.ascii_letters
    random = secrets.SystemRandom()
    chosen: list[str] = []
    for alphabet, count in (
        (letters, length - digits - symbols),
        (string.digits, digits),
        (spec.get("symbolCharacters") or SYMBOLS, symbols),
    ):
        if spec.get("allowRepeat"):
            chosen += [random.choice(alphabet) for _ in range(count)]
        elif count > len(set(alphabet)):
            raise ValueError(f"{count} different characters are wanted out of {len(set(alphabet))}; set allowRepeat")
        else:
            chosen += random.sample(sorted(set(alphabet)), count)
    random.shuffle(chosen)
    return "".join(chosen)


def encode(text: str, encoding: str | None) -> bytes:
    """Apply a Password generator's encoding."""
    data = text.encode()
    encoders = {
        "base64": base64.b64encode,
        "base64url": base64.urlsafe_b64encode,
        "base32": base64.b32encode,
        "hex": lambda value: value.hex().encode(),
    }
    if encoding in (None, "", "raw"):
        return data
    if encoding not in encoders:
        raise ValueError(f"password encoding {encoding} is not supported")
    return encoders[encoding](data)


def generate(kube: Kube, reference: Object, namespace: str) -> dict[str, bytes]:
    """Run the generator behind a generatorRef. Raise VaultError or ValueError."""
    kind, name = reference.get("kind", ""), reference.get("name", "")
    if kind not in GENERATORS:
        raise VaultError(f"generator kind {kind} is not emulated; only {', '.join(GENERATORS)} are")
    version = reference.get("apiVersion") or "generators.external-secrets.io/v1alpha1"
    item = kube.find(path_of(version, GENERATORS[kind], namespace, name))
    if item is None:
        raise VaultError(f'unable to get generator: {kind}.generators.external-secrets.io "{name}" not found')
    spec = item.get("spec") or {}
    if kind == "UUID":
        return {"uuid": str(uuid.uuid4()).encode()}
    if kind == "Password":
        keys = spec.get("secretKeys") or ["password"]
        return {key: encode(password(spec), spec.get("encoding")) for key in keys}
    try:
        return dynamic(kube, spec, namespace)
    except VaultError as error:
        raise VaultError(f"error using generator: {error}", error.status) from None


def dynamic(kube: Kube, spec: Object, namespace: str) -> dict[str, bytes]:
    """A VaultDynamicSecret. Where a lease hangs on the token, revoking it would take the credentials along."""
    session = VaultSession(kube, spec["provider"], False, namespace, spec.get("retrySettings"))
    try:
        session.login()
    except VaultError as error:
        raise VaultError(f"unable to setup Vault client: {error}", error.status) from None
    answer = None
    try:
        answer = ask(session, spec)
    finally:
        if not answer or not (answer.get("lease_id") or answer.get("auth")):
            session.close()
    if answer is None:
        if spec.get("allowEmptyResponse"):
            return {}
        raise VaultError("unable to get dynamic secret: empty response from Vault")
    kind = spec.get("resultType") or "Data"
    data = answer.get("auth") if kind == "Auth" else answer if kind == "Raw" else answer.get("data")
    return {key: to_bytes(value) for key, value in (data or {}).items() if value is not None or key not in ABSENT}


def ask(session: VaultSession, spec: Object) -> Object | None:
    """The one request of a VaultDynamicSecret."""
    method = spec.get("method") or "GET"
    if method == "GET":
        return session.call("GET", spec["path"], query=spec.get("getParameters"))
    if method == "LIST":
        return session.call("GET", spec["path"], query={"list": "true"})
    if method == "DELETE":
        return session.call("DELETE", spec["path"])
    return session.call("PUT", spec["path"], spec.get("parameters") or {})
