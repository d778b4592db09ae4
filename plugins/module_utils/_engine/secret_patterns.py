# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Values that look like secrets, wherever they are. Pure: no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .addresses import _OPEN, _TEMPLATE, ADDRESS_NAME, has_credentials, masked_address, without_passwords
from .hidden import HIDDEN
from .secret_names import SECRET_NAME

#: options that take the address of a server
ADDRESSES = frozenset(("url", "urls", "vault_addr", "host", "proxy", "server"))
PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL)
#: credentials with a known form: tokens of Vault, OpenBao, GitHub, GitLab, Slack, Stripe, and JWTs
TOKEN = re.compile(
    r"(?<![\w.-])(?:hv[sbr]\.[\w-]{20,}|[sbr]\.[A-Za-z0-9]{24,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}"
    r"|glpat-[\w-]{20,}|xox[abeoprs]-[\w-]{10,}|[rs]k_live_\w{16,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*)(?![\w.-])"
)


def masked(value: Any, label: str = HIDDEN, name: str = "") -> Any:
    """Mask values that look like secrets.

    These are texts under a name such as ``client_secret`` at any depth, private keys, and passwords in URLs. For values
    that a server returns in clear although nobody declared them as secrets. Templates are kept.
    """
    if isinstance(value, Mapping):
        return {key: masked(item, label, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item, label, name) for item in value]
    if not isinstance(value, str) or not value:
        return value
    if SECRET_NAME.search(name) and not _TEMPLATE.search(value) and not _OPEN.fullmatch(value):
        return label
    if name in ADDRESSES and "://" not in value and shown_url(value) != value:
        return label
    if value.lstrip()[:1] in ("{", "["):
        # a JSON document in a text, such as the headers of an audit device
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        hidden = masked(inner, label)
        if hidden != inner:
            return json.dumps(hidden)
    if ADDRESS_NAME.search(name):
        value = masked_address(value, label)
    value = PRIVATE_KEY.sub(lambda _found: label, value)
    return without_passwords(value, label)


def apparent_secrets(value: Any, name: str = "") -> set[str]:
    """Return the texts in a value that are under the name of a secret, and private keys; see `masked`."""
    if isinstance(value, Mapping):
        return {text for key, item in value.items() for text in apparent_secrets(item, str(key))}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in apparent_secrets(item, name)}
    if not isinstance(value, str) or masked(value, name=name) == value:
        return set()
    return {value} if SECRET_NAME.search(name) else {found[0] for found in PRIVATE_KEY.finditer(value)}


_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _random(part: str) -> bool:
    """Tell whether a part of a path looks random: long, letters of both cases and digits, without separators."""
    return any(
        len(run) >= 20 and bool(re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run))
        for run in re.split(r"[^A-Za-z0-9+=]", part)
    )


def not_a_path(text: str) -> bool:
    """Tell whether the value of a path option is a secret instead: a key, a token, a document."""
    bare = text.strip()
    return bool(
        re.search(r"[\x00-\x1f]", bare)
        or "-----BEGIN" in bare
        or bare.startswith(("{", "["))
        or TOKEN.search(bare)
        or _UUID.fullmatch(bare)
        or len(bare) > 1024
        or ("/" not in bare and _random(bare))
    )


def shown_path(text: str) -> str:
    """Return a path for output; one that looks like a secret is masked."""
    sure = text.startswith(("/", "~", "./", "../")) or "/" in text or re.search(r"\.[A-Za-z]{2,8}$", text)
    if not_a_path(text) or not sure or any(_random(part) for part in text.split("/")):
        return HIDDEN
    return text


def shown_url(text: str) -> str:
    """Return an address for output; one with credentials, or a text that is not an address, is masked."""
    bare = "://" not in text and (not_a_path(text) or (len(text) > 20 and not re.search(r"[./:{]", text)))
    return HIDDEN if bare or has_credentials(text) or TOKEN.search(text) else text
