# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""What looks like a secret in a manifest, which would go to Git."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._engine.addresses import address_passwords, without_passwords
from .._engine.errors import InvalidInput
from .._engine.secret_names import WORD
from .._engine.secret_patterns import TOKEN
from .yaml_text import title

_SECRET_HEADER = re.compile(r"(?i)(x-vault-token|(proxy-)?authorization|(set-)?cookie|x-(api|auth)-(key|token))")
_SECRET_NAME = re.compile(r"(?i)(?:^|[_./-])%s$" % WORD)
# a setting within a text: JSON, YAML, properties, shell
_SETTING = re.compile(
    r"""(?im)(?:^|[\s{,;&?_.-])["']?[\w.-]*%s["']?\s*[:=]\s*(?P<value>"[^"\n]*"|'[^'\n]*'|[^\s,;}]+)""" % WORD
)
_PEM_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
# switches, and words for a missing value
_NO_SECRET = re.compile(r"(?i)(?:true|false|yes|no|none|null|enabled|disabled|optional|required|\d{1,3})?")


def scalars(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every scalar of nested data with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from scalars(item, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from scalars(item, (*path, str(number)))
    else:
        yield path, value


def _literal(text: str) -> bool:
    """Tell whether a text is a literal value: neither a template nor a switch such as ``true``."""
    return not ("{{" in text or "${" in text or "$(" in text or _NO_SECRET.fullmatch(text.strip("\"' ")))


def _key_within(text: str) -> bool:
    """Tell whether a text is or holds a private key, in base64 too."""
    if _PEM_KEY.search(text):
        return True
    compact = "".join(text.split())
    if len(compact) < 64 or not re.fullmatch(r"[A-Za-z0-9+/]+=*", compact):
        return False
    try:
        return bool(_PEM_KEY.search(base64.b64decode(compact).decode("latin-1")))
    except ValueError:
        return False


def _secret_text(text: str) -> bool:
    """Tell whether a text is a secret wherever it stands: a token, a private key, an address with a password."""
    bare = re.sub(r"\{\{.*?\}\}", "{{x}}", text, flags=re.DOTALL)
    return bool(TOKEN.search(text)) or _key_within(text) or without_passwords(bare) != bare


def _secret_in_template(name: str, text: str) -> bool:
    """Tell whether a part of a template holds a secret that should have come from Vault."""
    if _SECRET_NAME.search(name) and "\n" not in text.strip():
        return _literal(text)
    bare = re.sub(r"\{\{.*?\}\}", "{{x}}", text, flags=re.DOTALL)
    if any(_literal(found["value"]) for found in _SETTING.finditer(bare)):
        return True
    # user:password@tcp(host)/x and its like: what is no URL
    words = [word for word in bare.split() if "@" in word and "://" not in word and "/" in word]
    return any(_literal(password) for word in words for password in address_passwords(word))


def looks_secret(path: Sequence[str], value: Any) -> bool:
    """Tell whether a scalar of a manifest, which stands at ``path``, looks like a secret."""
    if not isinstance(value, str) or not value:
        return False
    name, holders = path[-1], path[:-1]
    if _secret_text(value):
        return True
    if holders and holders[-1] == "headers":
        return bool(_SECRET_HEADER.fullmatch(name)) and _literal(value)
    if "template" in holders and (holders[-1] == "data" or name == "literal"):
        return _secret_in_template(name, value)
    if holders and holders[-1] in ("annotations", "labels"):
        if holders[-1] == "annotations" and any(_literal(one["value"]) for one in _SETTING.finditer(value)):
            return True
        return bool(_SECRET_NAME.search(name)) and _literal(value)
    if "parameters" in holders or "provider" in holders:
        # values that are handed to a provider as they are
        return bool(_SECRET_NAME.search(name)) and _literal(value)
    return False


def refuse_secrets(manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest that holds what looks like a secret: Git forgets nothing. Raises InvalidInput."""
    where = '%s "%s"' % (manifest.get("kind"), title(manifest).partition(" ")[2])
    for path, value in scalars(manifest):
        if looks_secret(path, value):
            raise InvalidInput(
                "%s looks like a secret, and everything here goes to Git" % ".".join(path),
                where,
                "keep it in Vault or in a Secret and refer to it",
            )
