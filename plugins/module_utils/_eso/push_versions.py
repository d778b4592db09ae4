# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""PushSecrets that write a new version to Vault again and again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .status import frozen
from .targets import target_name
from .values import duration

#: functions of templates that give another value each time. Source: ESO, runtime/template/v2/sprig, functions.go
_ANEW = re.compile(
    r"(?<![.$\"\w])(rand(?:AlphaNum|Alpha|Ascii|Numeric|Int|Bytes)|uuidv4|shuffle|now|bcrypt|htpasswd|encryptAES"
    r"|gen(?:PrivateKey|CA(?:WithKey)?|(?:SelfSigned|Signed)Cert(?:WithKey)?))\b"
)
SETTLE = "set update_policy to IfNotExists, or refresh_interval to 0"


def repeats(spec: Mapping[str, Any]) -> str:
    """Return how often a PushSecret writes over what is in Vault, "" when it does so once only."""
    every = spec.get("refreshInterval")
    if spec.get("updatePolicy") == "IfNotExists" or (every is not None and duration(every) == 0):
        return ""
    return str(every or "1h0m0s")


def regenerated(spec: Mapping[str, Any]) -> list[str]:
    """Return warnings of what makes another value, and so another version in Vault, at each refresh."""
    every, found = repeats(spec), []
    if not every:
        return []
    if (spec.get("selector") or {}).get("generatorRef"):
        found.append("its generator makes another value at each refresh")
    template = spec.get("template") or {}
    texts = {"template.data.%s" % key: text for key, text in (template.get("data") or {}).items()}
    for number, entry in enumerate(template.get("templateFrom") or []):
        texts["template.template_from[%d].literal" % number] = entry.get("literal")
    for where, text in texts.items():
        for action in re.findall(r"\{\{(.*?)\}\}", str(text or ""), re.S):
            function = _ANEW.search(re.sub(r'"(?:\\.|[^"\\])*"', '""', action))
            if function:
                found.append("%s gives another value at each refresh by %s" % (where, function.group(1)))
                break
    return ["%s (%s), and each is a new version in Vault: %s" % (one, every, SETTLE) for one in found]


def generated(spec: Mapping[str, Any]) -> bool:
    """Tell whether an ExternalSecret has a generator make other values at each refresh."""
    return not frozen(spec) and any(
        (entry.get("sourceRef") or {}).get("generatorRef") for entry in spec.get("dataFrom") or []
    )


def filled_by_generator(source: str, maker: Mapping[str, Any]) -> list[str]:
    """Return a warning when an ExternalSecret fills a PushSecret's source with what a generator makes anew."""
    if target_name(maker) != source or not generated(maker.get("spec") or {}):
        return []
    return [
        'the Secret "%s" gets another value of a generator at each refresh of the ExternalSecret "%s", and each is '
        "a new version in Vault: %s, or refresh that ExternalSecret once only"
        % (source, maker["metadata"]["name"], SETTLE)
    ]


def check_sources(resources: Sequence[Any], external: Sequence[Any]) -> None:
    """Warn of PushSecrets whose source an ExternalSecret of the same declaration fills anew again and again."""
    for resource in resources:
        source = ((resource.spec or {}).get("selector") or {}).get("secret") or {}
        for one in external:
            if source.get("name") and repeats(resource.spec or {}) and one.namespace == resource.namespace:
                resource.warnings += filled_by_generator(
                    source["name"], {"metadata": {"name": one.object_name}, "spec": one.spec}
                )


def places(spec: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return where a PushSecret's ``data`` go: path in Vault and property, "" for the whole secret."""
    remotes = [(entry.get("match") or {}).get("remoteRef") or {} for entry in spec.get("data") or []]
    return {(str(one.get("remoteKey") or ""), str(one.get("property") or "")) for one in remotes}


def check_places(resources: Sequence[Any]) -> None:
    """Warn of PushSecrets that write over each other: each refresh of one undoes the other, with a new version."""
    seen: dict[tuple[str, ...], Any] = {}
    for resource in resources:
        spec = resource.spec or {}
        for store in spec.get("secretStoreRefs") or [] if repeats(spec) else []:
            kind = store.get("kind") or "SecretStore"
            space = str(resource.namespace) if kind == "SecretStore" else ""
            for place in sorted(places(spec)) if store.get("name") else []:
                other = seen.setdefault((kind, space, str(store["name"]), *place), resource)
                if other is not resource:
                    resource.warnings.append(
                        'it and "%s" both write "%s" through the store "%s": each undoes the other at each refresh, '
                        "with a new version in Vault" % (other.name, "/".join(filter(None, place)), store["name"])
                    )
