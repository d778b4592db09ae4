# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Turn options into the fields of a manifest; rules for values that several kinds share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._engine import normalise
from .._engine.errors import InvalidInput
from .._engine.field import Field
from .._kubernetes.fields import camel, without_none, words
from .._kubernetes.schema import not_a_pattern

#: mappings whose keys are the user's own words
_VERBATIM = frozenset(("labels", "annotations", "data", "tags", "headers", "match_labels", "matchLabels"))

RETRY_FIELDS = (
    Field("max_retries", "How many times at most.", "int"),
    Field("retry_interval", "How long to wait in between, such as V(5s)."),
)


def raw_spec(item: Mapping[str, Any], options: Sequence[str]) -> dict[str, Any] | None:
    """Return the raw ``spec`` of an entry, None without one. Raises InvalidInput where options are given beside it."""
    if not item.get("spec"):
        return None
    given = sorted(name for name in options if item.get(name) not in (None, [], {}))
    if given:
        raise InvalidInput('"spec" excludes %s' % ", ".join(given), remedy="put everything into one of the two")
    return dict(without_none(item["spec"]))


def manifest_names(value: Any) -> Any:
    """Return options with their names as a manifest has them: ``remote_ref`` becomes ``remoteRef``.

    Raises InvalidInput where the user's own words are no text.
    """
    if isinstance(value, Mapping):
        return {
            camel(str(key)): words(str(key), item)
            if key in _VERBATIM and isinstance(item, Mapping)
            else manifest_names(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [manifest_names(item) for item in value]
    return value


def duration(value: Any) -> Any:
    """Normalise a duration to seconds; a missing one stays missing, which is not zero."""
    try:
        return None if value is None else normalise.seconds(value)
    except InvalidInput:
        return str(value)


def check_pattern(where: str, pattern: Any) -> None:
    """Refuse a regular expression that the operator, which is written in Go, cannot compile. Raises InvalidInput."""
    reason = not_a_pattern(str(pattern))
    if reason:
        raise InvalidInput(
            '%s: "%s" is not a regular expression of Go (%s)' % (where, pattern, reason),
            remedy="correct it; RE2 has no look-around and no references back",
        )


def check_retries(spec: Mapping[str, Any]) -> None:
    """Refuse retry settings that cannot be parsed. Raises InvalidInput."""
    settings = spec.get("retrySettings") or {}
    check_interval("retry interval", settings.get("retryInterval"))
    if settings.get("maxRetries") is not None and int(settings["maxRetries"]) < 0:
        raise InvalidInput("max_retries is less than 0", remedy="give 0 for none, or leave it out")


def check_interval(what: str, value: Any) -> None:
    """Refuse anything but a duration of the API, which has no days. Raises InvalidInput."""
    if value is not None and not re.fullmatch(r"0|((\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+", str(value)):
        raise InvalidInput(
            'the %s "%s" is not a duration of the API' % (what, value),
            remedy='write hours, minutes and seconds, such as "15m" or "1h30m0s"',
        )


def check_choice(what: str, value: Any, choices: Sequence[str]) -> None:
    """Refuse a value that is not among the choices. Raises InvalidInput."""
    if value is not None and value not in choices:
        raise InvalidInput('%s "%s" does not exist' % (what, value), remedy="use %s" % ", ".join(choices))
