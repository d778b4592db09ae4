# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The rotation of many applications: looked at, asked for, then batch by batch, each application by itself."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple

from .._engine import progress
from .._engine.errors import InvalidInput, SecretopsError, ServerError
from .._engine.reconcile import Resource
from .._engine.secrets import KNOWN
from .._vault.base.mounts import EngineMounts
from .._vault.base.naming import in_url
from .._vault.connection.client import Client
from .._vault.connection.module import VaultModule
from .._vault.engines.kv.generate import Generator
from .case import BACK, BEGIN, BRING, REDO, REST, WRITTEN, Case, NotProven
from .clusters import Cluster, Synced
from .declared import Application, check_folder, distinct, expanded, folder, is_pattern
from .kv import PAUSE, Patience, passes


class Settings(NamedTuple):
    """How the run goes; times in seconds."""

    batch: int
    failure_budget: int
    sync_timeout: int
    rollout_timeout: int
    rollout_wait: bool
    patience: int
    workers: int
    now: bool
    #: "ended", "written" or "put_back": how far each application goes
    until: str = "ended"
    #: whether what was put back stays noted as begun
    keep_open: bool = False


class Passwords(Resource):
    """Takes the warnings of the generator."""

    kind = "rotation"


def applications(
    client: Client, items: Sequence[Mapping[str, Any]], clusters: Sequence[str], only: Sequence[str]
) -> list[Application]:
    """Return the declared applications, those of a folder by listing it. Raises InvalidInput and VaultError."""
    found: list[Application] = []
    for item in items:
        if not is_pattern(item):
            found.append(Application(item, clusters))
            continue
        check_folder(item, clusters)
        listed = client.list("%s/metadata/%s" % (item["mount"].strip("/"), in_url(folder(item))))
        if not [name for name in listed if not name.endswith("/")]:
            raise InvalidInput(
                "there is no secret below %s/%s" % (item["mount"], folder(item)),
                'application "%s"' % item["name"],
                "correct the path",
            )
        found += [Application(entry, clusters) for entry in expanded(item, listed)]
    distinct(found)
    unknown = [name for name in only if name not in {one.name for one in found}]
    if unknown:
        raise InvalidInput(
            "%s is no application of this run" % ", ".join(unknown),
            'option "only"',
            "name one of %s" % (", ".join(one.name for one in found[:20]) or "those that are declared"),
        )
    return [one for one in found if not only or one.name in only]


class Rotation:
    """One run over many applications of one Vault and many Kubernetes clusters."""

    def __init__(
        self, client: Client, clusters: Mapping[str, Cluster], settings: Settings, left_out: Sequence[str] = ()
    ) -> None:
        self.client = client
        self.clusters = clusters
        self.settings = settings
        self.left_out = list(left_out)
        self.run = "%s-%s" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), secrets.token_hex(4))
        self.patience = Patience(client, 0)
        self.generator = Generator(client)
        self.label = Passwords("values", {})
        self.cases: list[Case] = []
        #: applications that were not begun, as too many had failed
        self.beyond: list[Case] = []

    # -- before anything changes --------------------------------------------------------------------------------------

    def look(self, declared: Sequence[Application]) -> None:
        """Find out what is to be done for each application, and whether all that takes part will do it."""
        mounts, now = EngineMounts(self.client), time.time()
        self.cases = [Case(one, self.client, mounts, self.patience) for one in declared]
        done = iter(range(1, len(self.cases) + 1))

        def look(case: Case) -> None:
            case.look(self.settings.now, now, self.left_out)
            progress.tell("%d of %d applications looked at", next(done), len(self.cases))

        self._each(look, self.cases)
        ended = next((case.error for case in self.cases if case.error is not None and case.error.ends_task), None)
        if ended is not None:
            # every other application would meet the same
            raise ended
        KNOWN.public(
            text for one in declared for text in (one.name, one.mount, one.path, one.secret, *one.keys, *one.clusters)
        )
        self._ask([case for case in self.cases if case.error is None and case.state != REST])

    def _ask(self, cases: Sequence[Case]) -> None:
        def ask(cluster: Cluster) -> dict[str, SecretopsError]:
            mine = [case.application for case in cases if cluster.name in case.application.clusters]
            return cluster.ask(mine, self.settings.rollout_wait) if mine else {}

        for problems in self._in_clusters(ask):
            for case in cases:
                error = problems.get(case.application.name)
                if error is not None and case.error is None:
                    case.error, case.outcome = error, "held"

    # -- the run ------------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Rotate what is due, batch by batch; each application ends with an outcome or an error."""
        self.patience.seconds = self.settings.patience
        todo = [case for case in self.cases if case.error is None and case.state != REST]
        if self.settings.until == "put_back":
            self._put_back([case for case in todo if case.state in (WRITTEN, BACK)])
            return
        size = max(self.settings.batch, 1)
        for start in range(0, len(todo), size):
            failed = [case for case in todo[:start] if case.error is not None]
            if len(failed) > self.settings.failure_budget:
                self.beyond = todo[start:]
                for case in self.beyond:
                    case.outcome = "not_reached"
                return
            progress.tell("%d of %d applications rotated", start, len(todo))
            self._batch(todo[start : start + size])

    def _batch(self, cases: Sequence[Case]) -> None:
        before = [case for case in cases if case.state == BACK]
        self._each(
            lambda case: case.write(self.run, self.generator, self.label),
            [case for case in cases if case.state in (BEGIN, REDO)],
        )
        going = [case for case in cases if case.error is None and case.state != BACK]
        if self.settings.until == "written":
            for case in going:
                case.outcome = "written"
            going = []
        bad = self._prove(going, self.settings.sync_timeout)
        for case in going:
            if case not in bad and case.doubts and case.application.unproven == "stop":
                case.outcome, case.error = (
                    "not_proven",
                    NotProven(
                        "it is not proven that version %d arrived (%s), so nothing was restarted"
                        % (case.version, case.doubts),
                        case.application.where,
                        'look at it, then run again with "unproven: accept" for it',
                    ),
                )
        going = [case for case in going if case.error is None]
        for case in going:
            case.restarted = bool(case.application.workloads)
        broken = self._restart(going)
        broken += self._probe([case for case in going if case not in broken])
        self._each(lambda case: case.end(self.run), [case for case in going if case not in broken])
        # what was only to be brought on is as valid as before
        self._put_back([*(case for case in (*bad, *broken) if case.state != BRING), *before])

    def _prove(self, cases: Sequence[Case], timeout: float) -> list[Case]:
        """Have the versions synced and proven in every cluster; return the applications of which one was not."""
        deadline = time.monotonic() + self.settings.patience
        waiting, bad = list(cases), []
        while waiting:
            wanted, again = waiting, []
            found = self._sync(wanted, timeout)
            for case in wanted:
                outcomes = [one[case.application.name] for one in found if case.application.name in one]
                error = next((one.error for one in outcomes if one.error), None)
                case.doubts = "; ".join(one.doubts for one in outcomes if one.doubts)
                if error is None:
                    continue
                try:
                    newer = case.again()
                except SecretopsError as other:
                    newer, error = False, other
                late = time.monotonic() >= deadline
                if not late and (newer or (isinstance(error, ServerError) and passes(error))):
                    again.append(case)
                else:
                    case.error = error
                    bad.append(case)
            if again:
                time.sleep(PAUSE)
            waiting = again
        return bad

    def _sync(self, cases: Sequence[Case], timeout: float) -> list[dict[str, Synced]]:
        def sync(cluster: Cluster) -> dict[str, Synced]:
            mine = [(one.application, one.version) for one in cases if cluster.name in one.application.clusters]
            return cluster.sync(mine, timeout) if mine else {}

        return self._in_clusters(sync)

    def _restart(self, cases: Sequence[Case]) -> list[Case]:
        """Restart the workloads of applications; return those of which one failed, with its error."""

        def restart(cluster: Cluster) -> dict[str, SecretopsError]:
            mine = [one.application for one in cases if cluster.name in one.application.clusters]
            settings = self.settings
            return cluster.restart(mine, settings.rollout_wait, settings.rollout_timeout) if mine else {}

        bad: dict[str, SecretopsError] = {}
        for found in self._in_clusters(restart):
            bad.update(found)
        failed = [case for case in cases if case.application.name in bad]
        for case in failed:
            case.error = bad[case.application.name]
        return failed

    def _probe(self, cases: Sequence[Case]) -> list[Case]:
        """Probe applications; return those that do not work, with the error."""
        self._each(lambda case: case.probe(), cases)
        return [case for case in cases if case.error is not None]

    # -- the way back -------------------------------------------------------------------------------------------------

    def _put_back(self, cases: Sequence[Case]) -> None:
        """Put the former values back, in Vault, in databases and in the clusters, and say so."""
        if not cases:
            return
        causes = {case.application.name: case.error for case in cases}
        for case in cases:
            case.error, case.touched = None, True
        self._each(lambda case: case.put_back(), cases)
        back = [case for case in cases if case.error is None]
        bad = self._prove(back, min(self.settings.sync_timeout, 30))
        if not self.settings.keep_open:
            self._restart([case for case in back if case.restarted and case not in bad])
            self._probe([case for case in back if case.error is None])
        for case in cases:
            case.outcome = "put_back" if case in back else "failed"
            self._tell(case, causes[case.application.name], case in back)

    def _tell(self, case: Case, cause: SecretopsError | None, back: bool) -> None:
        """Say what became of an application that was put back, or could not be."""
        problem, where = case.error, case.application.where
        text = ""
        if cause is not None:
            text = cause.sentence() + "; "
        elif case.state == BACK:
            text = "an earlier run ended while it put the former values back; "
        if not back:
            text += "the former values could not be put back: %s" % problem
        else:
            text += "the values of version %d were put back as version %d" % (case.base.number, case.version)
            if problem is not None:
                text += ", which is not proven everywhere: %s" % problem
        if back and problem is None and not self.settings.keep_open:
            try:
                case.end_back()
            except SecretopsError as error:
                text += ", and this could not be noted: %s" % error.what
        case.error = SecretopsError(text, where, "run again once the cause is gone")
        if cause is not None:
            case.error.code = cause.code

    # -- threads ------------------------------------------------------------------------------------------------------

    def _each(self, act: Callable[[Case], None], cases: Sequence[Case]) -> None:
        """Do something for each application; its error becomes that of the application."""

        def guarded(case: Case) -> None:
            try:
                act(case)
            except SecretopsError as error:
                case.error = error if error.ends_task else error.at(case.application.where)

        with ThreadPoolExecutor(max_workers=max(self.settings.workers, 1)) as pool:
            list(pool.map(guarded, cases))

    def _in_clusters(self, act: Callable[[Cluster], Any]) -> list[Any]:
        """Do something in each cluster at the same time."""
        clusters = list(self.clusters.values())
        if not clusters:
            return []
        with ThreadPoolExecutor(max_workers=len(clusters)) as pool:
            return list(pool.map(act, clusters))

    # -- the report ---------------------------------------------------------------------------------------------------

    def report(self, check_mode: bool) -> dict[str, Any]:
        """Return the result of the module."""
        failed = [case for case in self.cases if case.error is not None]
        results = [case.result(check_mode) for case in self.cases]
        changed = [entry for entry in results if entry["changed"] and "error" not in entry]
        summary = {
            "create": 0,
            "update": len(changed),
            "delete": 0,
            "none": sum(1 for case in self.cases if case.error is None and case.state == REST),
            "failed": len(failed),
            "not_reached": len(self.beyond),
        }
        return {
            "changed": any(entry["changed"] for entry in results),
            "run": self.run,
            "results": results,
            "summary": summary,
            "plan": [case.told() for case in self.cases if case.error is None],
            "diff": [_diff(case) for case in self.cases if case.error is None and case.state != REST],
        }

    def message(self) -> str:
        """Return the sentence of a run in which something failed, "" for one in which nothing did."""
        failed = [case for case in self.cases if case.error is not None]
        if not failed:
            return ""
        said: dict[str, list[str]] = {}
        for case in failed:
            said.setdefault(str(case.error), []).append(case.application.name)
        texts = [text if len(names) == 1 else "%s: %s" % (_names(names), text) for text, names in said.items()]
        text = "; ".join(texts[:3]) + ("; and %d more, see results" % (len(texts) - 3) if len(texts) > 3 else "")
        counts = _counted(case.outcome or "failed" for case in failed)
        done = sum(1 for case in self.cases if case.outcome == "done")
        text += " (%s; %d rotated" % (", ".join(counts), done)
        if self.beyond:
            text += ", %d not begun after so many failures" % len(self.beyond)
        return text + ")"

    def warnings(self) -> list[str]:
        """Return a sentence for each part of a database engine that was made for a moment and is still there."""
        return [
            'application "%s": %s could not be removed (%s); remove it, as it holds a password'
            % (case.application.name, path, reason)
            for case in self.cases
            if case.credential is not None
            for path, reason in case.credential.left_behind.items()
        ]

    def code(self) -> str:
        """Return the kind of failure of the first application that failed."""
        return next((case.error.code for case in self.cases if case.error is not None), "")


def _counted(outcomes: Iterable[str]) -> list[str]:
    words = {"held": "held back", "put_back": "put back", "not_proven": "not proven", "failed": "failed"}
    count: dict[str, int] = {}
    for one in outcomes:
        count[one] = count.get(one, 0) + 1
    return ["%d %s" % (count[one], words[one]) for one in words if one in count]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" and %d more" % (len(names) - 3) if len(names) > 3 else "")


def _diff(case: Case) -> dict[str, str]:
    header = '%s "%s"' % ("application", case.application.name)
    keys = case.application.keys
    return {
        "before_header": header,
        "after_header": header,
        "before": "".join("%s: (hidden, old value)\n" % key for key in keys),
        "after": "".join("%s: (hidden, new value)\n" % key for key in keys),
    }


def rotate(module: VaultModule, client: Client) -> None:
    """Be the module: rotate what is declared, and exit with the report. Raises SecretopsError."""
    params = module.params
    names = [one["name"] for one in params["clusters"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    unknown = [name for name in params["left_out"] if name not in names]
    if twice or unknown:
        raise InvalidInput(
            "%s is named twice" % twice[0] if twice else "%s is none of the clusters" % ", ".join(unknown),
            'option "%s"' % ("clusters" if twice else "left_out"),
            "name one of %s" % (", ".join(sorted(set(names))) or "the clusters"),
        )
    clusters = {
        one["name"]: Cluster(one["name"], one, client, module.ansible.warn, params["workers"])
        for one in params["clusters"]
        if one["name"] not in params["left_out"]
    }
    settings = Settings(**{name: params[name] for name in Settings._fields})
    rotation = Rotation(client, clusters, settings, params["left_out"])
    try:
        rotation.look(applications(client, params["applications"], names, params["only"]))
        if not module.check_mode:
            rotation.go()
    finally:
        for cluster in clusters.values():
            cluster.close()
    result = rotation.report(module.check_mode)
    for text in rotation.warnings():
        module.ansible.warn(text)
    message = rotation.message()
    if message:
        module.ansible.fail_json(msg=message, error_code=rotation.code(), **result)
    module.ansible.exit_json(**result)
