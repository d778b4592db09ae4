# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The place of a mistake in a declaration: Ansible names the option, but not which of a hundred entries."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

#: options that identify an entry for people
NAMES = ("name", "path", "role", "mount", "secret_key")


def located(params: Mapping[str, Any], spec: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yield a sentence with the place for each mistake inside the lists and mappings of options.

    Mistakes of ``params`` themselves are not included. The only value named is the one that identifies an entry.
    """
    for name, option in spec.items():
        inner = option.get("options")
        given = next((params[key] for key in (name, *option.get("aliases", ())) if params.get(key) is not None), None)
        if not inner or given is None:
            continue
        where = "%s.%s" % (place, name) if place else name
        if isinstance(given, Mapping):
            yield from _mistakes(given, inner, where)
        elif isinstance(given, (list, tuple)):
            for number, entry in enumerate(given):
                here = "%s[%d]" % (where, number)
                if isinstance(entry, Mapping):
                    yield from _mistakes(entry, inner, here + _label(entry, inner))
                elif not isinstance(entry, str):
                    yield "%s: expected a mapping of options, not %s" % (here, _kind(entry))


def _mistakes(entry: Mapping[str, Any], spec: Mapping[str, Any], where: str) -> Iterator[str]:
    known = {key for name, option in spec.items() for key in (name, *option.get("aliases", ()))}
    for name in sorted(str(name) for name in entry if name not in known):
        near = difflib.get_close_matches(name, sorted(known), 1)
        hint = 'did you mean "%s"?' % near[0] if near else "there are %s" % ", ".join(sorted(spec))
        yield '%s: there is no option "%s"; %s' % (where, name, hint)
    missing = [name for name, option in spec.items() if option.get("required") and not _given(entry, name, option)]
    if missing:
        yield "%s: missing: %s" % (where, ", ".join(missing))
    for name, option in spec.items():
        # one option at a time, so that the message belongs to it; nested options get their own place
        alone = {key: value for key, value in option.items() if key not in ("options", "required", "aliases")}
        value = next((entry[key] for key in (name, *option.get("aliases", ())) if entry.get(key) is not None), None)
        if value is not None and not (option.get("options") and isinstance(value, (list, tuple, Mapping))):
            secret = option.get("no_log")
            for message in ArgumentSpecValidator({name: alone}).validate({name: value}).error_messages:
                yield "%s: %s" % (where, '"%s" has the wrong type' % name if secret else message)
    yield from located(entry, spec, where)


def _given(entry: Mapping[str, Any], name: str, option: Mapping[str, Any]) -> bool:
    return any(entry.get(key) is not None for key in (name, *option.get("aliases", ())))


def _label(entry: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    for name in NAMES:
        if name in spec and not spec[name].get("no_log") and isinstance(entry.get(name), str) and entry[name]:
            return ' ("%s")' % entry[name]
    return ""


def _kind(value: Any) -> str:
    return {bool: "a boolean", int: "a number", float: "a number", type(None): "nothing"}.get(type(value), "a list")


def brief(sentences: Iterable[str], many: int = 5) -> str:
    """Return the first sentences as one text, and how many more there are."""
    found = list(sentences)
    more = "; and %d more" % (len(found) - many) if len(found) > many else ""
    return "; ".join(found[:many]) + more
