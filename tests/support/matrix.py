# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All modules of a group against all behaviours of the hostile server, and what is wrong with how they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.hostile import MATRIX, Hostile
from support.many import Run, run_many

TOKEN = "s.the-administrators-own-token"
BODY = "a-value-that-is-nobody-elses"
#: seconds for a request, and for a whole module run on a busy machine; what is without a bound lasts a minute
TIMEOUT, LONGEST = 1, 25


def filled(value: Any, folder: Path, places: Mapping[str, str] | None = None) -> Any:
    """Return options with the folder, and what else they name in braces, in them."""
    text = json.dumps(value)
    for name, place in {"{tmp}": str(folder), **(places or {})}.items():
        text = text.replace(name, place)
    return json.loads(text)


def problems(name: str, run: Run, told: bool = False) -> list[str]:
    """Return what is wrong with the end of a module run. ``told``: its answer may be a report instead of a failure."""
    result, found = run.result, []
    if not result.data:
        return [f"no result: {result.stdout[-300:]}{result.stderr[-300:]}"]
    text = result.stdout + result.stderr
    if result.changed:
        found.append("changed")
    if not result.failed and not told:
        found.append("succeeded")
    if "report this as a bug" in text or "Traceback" in text or "report this as a bug" in result.msg:
        found.append(f"a bug: {result.msg[:300]}")
    if result.failed and not result.msg.strip():
        found.append("no sentence")
    if len(result.msg) > 1200:
        found.append(f"{len(result.msg)} characters: {result.msg[:200]}")
    if TOKEN in text or BODY in text:
        found.append("printed a secret")
    if run.seconds > LONGEST:
        found.append(f"took {run.seconds:.1f} s")
    return found


def whole_matrix(
    hostile: Hostile,
    names: Collection[str],
    options: Callable[[str, str], dict[str, Any]],
    tolerant: Callable[[str, str, str, Run], bool],
    all_polite: Collection[str],
) -> list[str]:
    """Run all modules against all behaviours and return what is wrong.

    ``options`` of a module at an address; ``tolerant`` tells where a module may succeed; ``all_polite`` ask for nothing
    that is not answered rightly in ``later``.
    """

    def one(name: str) -> list[str]:
        times = ("always",) if name in all_polite else ("always", "later")
        cases = [(when, behaviour) for when in times for behaviour in MATRIX]
        urls = [hostile.at(when, behaviour, name) for when, behaviour in cases]
        runs = run_many(name, [options(name, url) for url in urls])
        return [
            f"{name}, {when}, {behaviour}: {problem} <{run.result.msg[:160]}>"
            for (when, behaviour), run in zip(cases, runs)
            for problem in problems(name, run, tolerant(name, when, behaviour, run))
        ] + ["%s: did not ask %s <%s>" % (name, urls[0], runs[0].result.msg[:300])] * (not hostile.asked(urls[0]))

    before = len(hostile.strangers())
    with ThreadPoolExecutor(max_workers=20) as pool:
        found = [line for lines in pool.map(one, names) for line in lines]
    strangers = hostile.strangers()[before:]
    return found + [f"another host was sent {one.method} {one.path}" for one in strangers[:5]]
