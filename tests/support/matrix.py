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

from support.hostile import DRIPS, ENDLESS, MATRIX, Hostile
from support.many import Run, run_many

TOKEN = "s.the-administrators-own-token"
BODY = "a-value-that-is-nobody-elses"
#: seconds for a request to what never ends, and to what answers at once, however busy the machine is
TIMEOUT, PATIENT = 1, 30
#: seconds for one module run at most; what is without a bound lasts DRIPS
LONGEST = 45
assert PATIENT < LONGEST < DRIPS
#: seconds that 60 processes on two processors may keep each other waiting
CROWDED = 10
#: seconds that a module alone may need beside its timeout
SLACK = 3


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

    A name is a module's, and may go on with a colon and a word for another set of its options.
    ``options`` of a module at an address; ``tolerant`` tells where a module may succeed; ``all_polite`` ask for nothing
    that is not answered rightly in ``later``.
    """

    def cases_of(name: str, endless: bool) -> list[tuple[str, str]]:
        later = [] if name in all_polite else MATRIX
        cases = [("always", one) for one in MATRIX] + [("later", one) for one in later]
        return [case for case in cases if (case[1] in ENDLESS) is endless]

    def runs_of(name: str, endless: bool) -> list[tuple[str, str, str, Run]]:
        cases = [(when, one, hostile.at(when, one, name)) for when, one in cases_of(name, endless)]
        timeout = TIMEOUT if endless else PATIENT
        runs = run_many(
            name.partition(":")[0], [{**options(name, url), "timeout": timeout} for _when, _one, url in cases]
        )
        return [(*case, run) for case, run in zip(cases, runs)]

    before = len(hostile.strangers())
    # those that wait cost no time of a processor: all at once, beside the others
    with ThreadPoolExecutor(max_workers=6) as pool, ThreadPoolExecutor(max_workers=60) as waiting:
        ended = {name: waiting.submit(runs_of, name, True) for name in names}
        quick = dict(zip(names, pool.map(lambda name: runs_of(name, False), names)))
        endless = {name: future.result() for name, future in ended.items()}
    found = []
    for name in names:
        # what the same module needs on this machine, at this time, when nothing keeps it waiting
        work = max(run.seconds for *_case, run in quick[name])
        for when, behaviour, url, run in quick[name] + endless[name]:
            wrong = problems(name, run, tolerant(name, when, behaviour, run))
            if behaviour in ENDLESS:
                own = sum(float(options(name, url).get(wait) or 0) for wait in ("wait_timeout", "start_timeout"))
                longest = min(TIMEOUT * hostile.asked(url) + own + 2 * work + CROWDED, LONGEST)
                if run.seconds > longest:
                    wrong.append(f"took {run.seconds:.1f} s, more than {longest:.1f} s")
            elif "no answer within" in run.result.msg:
                wrong.append("was not asked to the end")
            found += [f"{name}, {when}, {behaviour}: {problem} <{run.result.msg[:160]}>" for problem in wrong]
        url, run = quick[name][0][2:]
        if not hostile.asked(url):
            found.append(f"{name}: did not ask {url} <{run.result.msg[:300]}>")
    strangers = hostile.strangers()[before:]
    return found + [f"another host was sent {one.method} {one.path}" for one in strangers[:5]]


def unpunctual(hostile: Hostile, name: str, options: Callable[[str, str], dict[str, Any]], timeout: int) -> list[str]:
    """Return which endless answers a module leaves before its timeout, or `SLACK` seconds and more after it.

    For a module that asks once. One that another process kept waiting is tried again.
    """
    late = dict.fromkeys(sorted(ENDLESS), "")
    for _attempt in range(3):
        given = [[{**options(name, hostile.at("always", one)), "timeout": timeout}] for one in late]
        with ThreadPoolExecutor(max_workers=len(given)) as pool:
            runs = [found[0] for found in pool.map(lambda one: run_many(name, one), given)]
        for one, run in zip(list(late), runs):
            late[one] = "%s, %s: took %.1f s of %d <%s>" % (name, one, run.seconds, timeout, run.result.msg[:160])
            if "no answer within %d seconds" % timeout in run.result.msg and timeout <= run.seconds < timeout + SLACK:
                del late[one]
        if not late:
            break
    return list(late.values())
