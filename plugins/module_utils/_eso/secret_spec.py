# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The spec of an ExternalSecret, which a ClusterExternalSecret holds as well: its fields, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._engine.errors import InvalidInput
from .._engine.field import Field
from .._kubernetes.fields import without_none
from .remote import REMOTE, SOURCE, check_data, check_data_from
from .status import frozen
from .template import TEMPLATE_FIELDS, check_template
from .values import check_choice, check_interval, manifest_names, raw_spec

CREATION_POLICIES = ("Owner", "Orphan", "Merge", "None", "CreateOrMerge")
DELETION_POLICIES = ("Retain", "Delete", "Merge")
REFRESH_POLICIES = ("Periodic", "OnChange", "CreatedOnce")
EXTERNAL_SECRET_OPTIONS = ("refresh_interval", "refresh_policy", "sync_windows", "target", "data", "data_from")
#: the operator's own pattern. Source: CRD of ExternalSecrets, syncWindows
_SCHEDULE = re.compile(r"@(annually|yearly|monthly|weekly|daily|midnight|hourly)|@every [^\s]+.*|[^\s]+( [^\s]+){4}")
SECRET_FIELDS = (
    Field(
        "store",
        "The store that it reads from.",
        "dict",
        fields=(
            Field("name", "Name of the store.", required=True),
            Field("kind", "Kind of the store.", choices=("SecretStore", "ClusterSecretStore"), default="SecretStore"),
        ),
    ),
    Field(
        "refresh_interval",
        "How often the operator reads Vault, such as V(15m); V(0) for once. The operator's default is an hour.",
    ),
    Field(
        "refresh_policy",
        "When the operator reads Vault. Without it V(Periodic); not known before version 0.15 of the operator.",
        choices=("Periodic", "OnChange", "CreatedOnce"),
    ),
    Field(
        "sync_windows",
        (
            "Times in which periodic refreshes are allowed, or are not.",
            "A forced sync and a change of the object are done at any time. Needs version 2.7 of the operator.",
        ),
        "dict",
        fields=(
            Field(
                "kind",
                "Whether refreshes are done only in the windows, or only outside of them.",
                choices=("allow", "deny"),
                required=True,
            ),
            Field(
                "windows",
                "The windows.",
                "list",
                elements="dict",
                required=True,
                fields=(
                    Field(
                        "schedule",
                        "When a window opens, as cron has it, in UTC, such as V(0 22 * * 1-5) or V(@daily).",
                        required=True,
                    ),
                    Field("duration", "How long it stays open, such as V(8h).", required=True),
                ),
            ),
        ),
    ),
    Field(
        "target",
        "The Secret.",
        "dict",
        fields=(
            Field("name", "Name of the Secret; by default the ExternalSecret's."),
            Field(
                "creation_policy",
                "How the Secret comes to be. The operator's default is V(Owner); V(CreateOrMerge) needs version 2.8.",
                choices=("Owner", "Orphan", "Merge", "None", "CreateOrMerge"),
            ),
            Field(
                "deletion_policy",
                "What becomes of the Secret when the secret is gone in Vault. The operator's default is V(Retain).",
                choices=("Retain", "Delete", "Merge"),
            ),
            Field("immutable", "Whether the Secret can never be changed.", "bool"),
            Field("template", "How the Secret is made of what was read.", "dict", fields=TEMPLATE_FIELDS),
        ),
    ),
    Field(
        "data",
        (
            "Single values. Each entry is a read of its own; C(data_from) with C(extract) is cheaper "
            "for many keys of one secret."
        ),
        "list",
        elements="dict",
        fields=(
            Field("secret_key", "Key in the Secret.", required=True),
            Field("remote_ref", "Where the value stands in Vault.", "dict", fields=REMOTE),
            SOURCE,
        ),
    ),
    Field(
        "data_from",
        "Whole secrets. Exactly one of C(extract), C(find) and C(source_ref.generator_ref) in an entry.",
        "list",
        elements="dict",
        fields=(
            Field("extract", "All keys of one secret.", "dict", fields=REMOTE),
            Field(
                "find",
                "All secrets that match.",
                "dict",
                fields=(
                    Field("path", "Path below which to look."),
                    Field("name", "By name.", "dict", fields=(Field("regexp", "Regular expression.", required=True),)),
                    Field("tags", "By custom metadata.", "dict"),
                    Field(
                        "conversion_strategy",
                        "How characters that a key must not have are replaced.",
                        choices=("Default", "Unicode"),
                    ),
                    Field(
                        "decoding_strategy",
                        "How the values are decoded.",
                        choices=("None", "Base64", "Base64URL", "Auto"),
                    ),
                    Field(
                        "null_byte_policy",
                        (
                            "Whether a value with null bytes is an error, such as where text is expected. Needs "
                            "version 2.3 of the operator."
                        ),
                        choices=("Ignore", "Fail"),
                    ),
                ),
            ),
            SOURCE,
            Field("rewrite", "How keys are renamed, as a manifest has it.", "list", elements="dict"),
        ),
    ),
)


def external_secret_spec(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's spec from the options of an ExternalSecret, or its raw ``spec``. Raises InvalidInput."""
    raw = raw_spec(item, (*EXTERNAL_SECRET_OPTIONS, "store"))
    if raw is not None:
        return raw
    spec = manifest_names({name: item.get(name) for name in EXTERNAL_SECRET_OPTIONS})
    spec["secretStoreRef"] = manifest_names(item.get("store"))
    return dict(without_none(spec))


def check_external_secret(name: str, spec: Mapping[str, Any]) -> list[str]:
    """Refuse what the operator refuses or misreads in an ExternalSecret's spec; return warnings.

    Raises InvalidInput.
    """
    data, data_from = spec.get("data") or [], spec.get("dataFrom") or []
    if not data and not data_from:
        raise InvalidInput("neither data nor data_from is given", remedy="say which secrets of Vault it holds")
    reference = spec.get("secretStoreRef") or {}
    if reference.get("namespace"):
        raise InvalidInput(
            "a store in another namespace cannot be used",
            remedy="use a SecretStore of the same namespace, or a ClusterSecretStore",
        )
    if not reference.get("name") and not all(entry.get("sourceRef") for entry in [*data, *data_from]):
        raise InvalidInput("no store is given", remedy='set "store" to its name and kind')
    check_choice("refreshPolicy", spec.get("refreshPolicy"), REFRESH_POLICIES)
    check_interval("refresh interval", spec.get("refreshInterval"))
    check_windows(spec)
    check_target(spec.get("target") or {})
    warnings = check_data(data)
    for number, entry in enumerate(data_from):
        warnings += check_data_from("data_from[%d]" % number, entry)
    return warnings


def check_windows(spec: Mapping[str, Any]) -> None:
    """Refuse windows that the operator would ignore, or fail at. Raises InvalidInput."""
    windows = spec.get("syncWindows")
    if not windows:
        return
    if frozen(spec) or spec.get("refreshPolicy") == "OnChange":
        raise InvalidInput(
            "sync_windows are for periodic refreshes only, and %s" % (frozen(spec) or "its refresh policy is OnChange"),
            remedy="remove them, or use the refresh policy Periodic with an interval",
        )
    check_choice("syncWindows.kind", windows.get("kind"), ("allow", "deny"))
    for number, window in enumerate(windows.get("windows") or []):
        where = "sync_windows.windows[%d]" % number
        check_interval("duration of %s" % where, window.get("duration"))
        schedule = str(window.get("schedule") or "")
        if not _SCHEDULE.fullmatch(schedule):
            raise InvalidInput(
                '%s: the schedule "%s" is not a cron schedule' % (where, schedule),
                remedy='write five fields such as "0 22 * * 1-5", in UTC, or a word such as "@daily"',
            )


def check_target(target: Mapping[str, Any]) -> None:
    """Refuse contradictory policies, and templates that cannot render. Raises InvalidInput."""
    creation, deletion = target.get("creationPolicy") or "Owner", target.get("deletionPolicy") or "Retain"
    check_choice("creationPolicy", creation, CREATION_POLICIES)
    check_choice("deletionPolicy", deletion, DELETION_POLICIES)
    if deletion == "Delete" and creation in ("Merge", "None", "CreateOrMerge"):
        raise InvalidInput(
            "deletionPolicy Delete contradicts creationPolicy %s" % creation,
            remedy="only a Secret that the operator created may be deleted: use Owner, or Retain",
        )
    if deletion == "Merge" and creation == "None":
        raise InvalidInput("deletionPolicy Merge contradicts creationPolicy None", remedy="use Retain")
    check_template(target.get("template") or {})
