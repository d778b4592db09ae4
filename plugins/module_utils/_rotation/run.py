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
from .._engine.resource import Resource
from .._engine.secrets import KNOWN
from .._vault.base.mounts import EngineMounts
from .._vault.base.naming import in_url
from .._vault.connection.client import Client
from .._vault.connection.module import VaultModule
from .._vault.engines.kv.generate import Generator
from .clusters import Cluster, Synced
from .declared import Application, check_distinct, check_folder, expand_folder, folder, is_folder
from .kv import PAUSE, Retry, is_temporary
from .rotation import NOT_DUE, RETRY, ROLL_BACK, ROTATE, SYNC, WRITTEN, NotProven, Rotation


class Settings(NamedTuple):
    """How the run goes; times in seconds."""

    batch: int
    failure_budget: int
    sync_timeout: int
    rollout_timeout: int
    rollout_wait: bool
    retry_timeout: int
    workers: int
    now: bool
    #: "done", "written" or "rolled_back": how far each application goes
    until: str = "done"
    #: whether what was rolled back stays in progress
    keep_in_progress: bool = False


class Passwords(Resource):
    """Takes the warnings of the generator."""

    kind = "rotation"


def applications(
    client: Client, items: Sequence[Mapping[str, Any]], clusters: Sequence[str], only: Sequence[str]
) -> list[Application]:
    """Return the declared applications, those of a folder by listing it. Raises InvalidInput and VaultError."""
    found: list[Application] = []
    for item in items:
        if not is_folder(item):
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
        found += [Application(entry, clusters) for entry in expand_folder(item, listed)]
    check_distinct(found)
    unknown = [name for name in only if name not in {one.name for one in found}]
    if unknown:
        raise InvalidInput(
            "%s is no application of this run" % ", ".join(unknown),
            'option "only"',
            "name one of %s" % (", ".join(one.name for one in found[:20]) or "those that are declared"),
        )
    return [one for one in found if not only or one.name in only]


class Run:
    """One run over many applications of one Vault and many Kubernetes clusters."""

    def __init__(
        self, client: Client, clusters: Mapping[str, Cluster], settings: Settings, skip_clusters: Sequence[str] = ()
    ) -> None:
        self.client = client
        self.clusters = clusters
        self.settings = settings
        self.skip_clusters = list(skip_clusters)
        self.run_id = "%s-%s" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), secrets.token_hex(4))
        self.retry = Retry(client, 0)
        self.generator = Generator(client)
        self.label = Passwords("values", {})
        self.rotations: list[Rotation] = []
        #: applications that were not begun, as too many had failed
        self.not_reached: list[Rotation] = []

    # -- before anything changes --------------------------------------------------------------------------------------

    def look(self, declared: Sequence[Application]) -> None:
        """Find out what is to be done for each application, and whether all that takes part will do it."""
        mounts, now = EngineMounts(self.client), time.time()
        self.rotations = [Rotation(one, self.client, mounts, self.retry) for one in declared]
        done = iter(range(1, len(self.rotations) + 1))

        def look(rotation: Rotation) -> None:
            rotation.look(self.settings.now, now, self.skip_clusters)
            progress.tell("%d of %d applications looked at", next(done), len(self.rotations))

        self._each(look, self.rotations)
        ended = next(
            (rotation.error for rotation in self.rotations if rotation.error is not None and rotation.error.ends_task),
            None,
        )
        if ended is not None:
            # every other application would meet the same
            raise ended
        KNOWN.public(
            text for one in declared for text in (one.name, one.mount, one.path, one.secret, *one.keys, *one.clusters)
        )
        self._check_clusters([one for one in self.rotations if one.error is None and one.state != NOT_DUE])

    def _check_clusters(self, rotations: Sequence[Rotation]) -> None:
        def check(cluster: Cluster) -> dict[str, SecretopsError]:
            mine = [rotation.application for rotation in rotations if cluster.name in rotation.application.clusters]
            return cluster.check(mine, self.settings.rollout_wait) if mine else {}

        for problems in self._in_clusters(check):
            for rotation in rotations:
                error = problems.get(rotation.application.name)
                if error is not None and rotation.error is None:
                    rotation.error, rotation.outcome = error, "held"

    # -- the run ------------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Rotate what is due, batch by batch; each application ends with an outcome or an error."""
        self.retry.seconds = self.settings.retry_timeout
        todo = [one for one in self.rotations if one.error is None and one.state != NOT_DUE]
        if self.settings.until == "rolled_back":
            self._roll_back([rotation for rotation in todo if rotation.state in (WRITTEN, ROLL_BACK)])
            return
        size = max(self.settings.batch, 1)
        for start in range(0, len(todo), size):
            failed = [rotation for rotation in todo[:start] if rotation.error is not None]
            if len(failed) > self.settings.failure_budget:
                self.not_reached = todo[start:]
                for rotation in self.not_reached:
                    rotation.outcome = "not_reached"
                return
            progress.tell("%d of %d applications rotated", start, len(todo))
            self._batch(todo[start : start + size])

    def _batch(self, rotations: Sequence[Rotation]) -> None:
        before = [rotation for rotation in rotations if rotation.state == ROLL_BACK]
        self._each(
            lambda rotation: rotation.write(self.run_id, self.generator, self.label),
            [rotation for rotation in rotations if rotation.state in (ROTATE, RETRY)],
        )
        going = [rotation for rotation in rotations if rotation.error is None and rotation.state != ROLL_BACK]
        if self.settings.until == "written":
            for rotation in going:
                rotation.outcome = "written"
            going = []
        bad = self._prove(going, self.settings.sync_timeout)
        for rotation in going:
            if rotation not in bad and rotation.unproven and rotation.application.unproven == "stop":
                rotation.outcome, rotation.error = (
                    "not_proven",
                    NotProven(
                        "it is not proven that version %d arrived (%s), so nothing was restarted"
                        % (rotation.version, rotation.unproven),
                        rotation.application.where,
                        'look at it, then run again with "unproven: accept" for it',
                    ),
                )
        going = [rotation for rotation in going if rotation.error is None]
        for rotation in going:
            rotation.restarted = bool(rotation.application.workloads)
        broken = self._restart(going)
        broken += self._probe([rotation for rotation in going if rotation not in broken])
        self._each(lambda one: one.finish(self.run_id), [one for one in going if one not in broken])
        # what was only to be brought on is as valid as before
        self._roll_back([*(rotation for rotation in (*bad, *broken) if rotation.state != SYNC), *before])

    def _prove(self, rotations: Sequence[Rotation], timeout: float) -> list[Rotation]:
        """Have the versions synced and proven in every cluster; return the applications of which one was not."""
        deadline = time.monotonic() + self.settings.retry_timeout
        waiting, bad = list(rotations), []
        while waiting:
            wanted, again = waiting, []
            found = self._sync(wanted, timeout)
            for rotation in wanted:
                outcomes = [one[rotation.application.name] for one in found if rotation.application.name in one]
                error = next((one.error for one in outcomes if one.error), None)
                rotation.unproven = "; ".join(one.unproven for one in outcomes if one.unproven)
                if error is None:
                    continue
                try:
                    newer = rotation.adopt_newer_version()
                except SecretopsError as other:
                    newer, error = False, other
                late = time.monotonic() >= deadline
                if not late and (newer or (isinstance(error, ServerError) and is_temporary(error))):
                    again.append(rotation)
                else:
                    rotation.error = error
                    bad.append(rotation)
            if again:
                time.sleep(PAUSE)
            waiting = again
        return bad

    def _sync(self, rotations: Sequence[Rotation], timeout: float) -> list[dict[str, Synced]]:
        def sync(cluster: Cluster) -> dict[str, Synced]:
            mine = [(one.application, one.version) for one in rotations if cluster.name in one.application.clusters]
            return cluster.sync(mine, timeout) if mine else {}

        return self._in_clusters(sync)

    def _restart(self, rotations: Sequence[Rotation]) -> list[Rotation]:
        """Restart the workloads of applications; return those of which one failed, with its error."""

        def restart(cluster: Cluster) -> dict[str, SecretopsError]:
            mine = [one.application for one in rotations if cluster.name in one.application.clusters]
            settings = self.settings
            return cluster.restart(mine, settings.rollout_wait, settings.rollout_timeout) if mine else {}

        bad: dict[str, SecretopsError] = {}
        for found in self._in_clusters(restart):
            bad.update(found)
        failed = [rotation for rotation in rotations if rotation.application.name in bad]
        for rotation in failed:
            rotation.error = bad[rotation.application.name]
        return failed

    def _probe(self, rotations: Sequence[Rotation]) -> list[Rotation]:
        """Probe applications; return those that do not work, with the error."""
        self._each(lambda rotation: rotation.probe(), rotations)
        return [rotation for rotation in rotations if rotation.error is not None]

    # -- the way back -------------------------------------------------------------------------------------------------

    def _roll_back(self, rotations: Sequence[Rotation]) -> None:
        """Put the former values back, in Vault, in databases and in the clusters, and say so."""
        if not rotations:
            return
        causes = {rotation.application.name: rotation.error for rotation in rotations}
        for rotation in rotations:
            rotation.error, rotation.touched = None, True
        self._each(lambda rotation: rotation.roll_back(), rotations)
        back = [rotation for rotation in rotations if rotation.error is None]
        bad = self._prove(back, min(self.settings.sync_timeout, 30))
        if not self.settings.keep_in_progress:
            self._restart([rotation for rotation in back if rotation.restarted and rotation not in bad])
            self._probe([rotation for rotation in back if rotation.error is None])
        for rotation in rotations:
            rotation.outcome = "rolled_back" if rotation in back else "failed"
            self._report_roll_back(rotation, causes[rotation.application.name], rotation in back)

    def _report_roll_back(self, rotation: Rotation, cause: SecretopsError | None, back: bool) -> None:
        """Say what became of an application that was rolled back, or could not be."""
        problem, where = rotation.error, rotation.application.where
        text = ""
        if cause is not None:
            text = cause.sentence() + "; "
        elif rotation.state == ROLL_BACK and not rotation.own:
            text = "an earlier run ended while it rolled back; "
        if not back:
            text += "it could not be rolled back: %s" % problem
        else:
            text += "rolled back to the values of version %d, as version %d" % (rotation.base.number, rotation.version)
            if problem is not None:
                text += ", which is not proven everywhere: %s" % problem
        if back and problem is None and not self.settings.keep_in_progress:
            try:
                rotation.finish_roll_back()
            except SecretopsError as error:
                text += ", and this could not be noted: %s" % error.what
        rotation.error = SecretopsError(text, where, "run again once the cause is gone")
        if cause is not None:
            rotation.error.code = cause.code

    # -- threads ------------------------------------------------------------------------------------------------------

    def _each(self, act: Callable[[Rotation], None], rotations: Sequence[Rotation]) -> None:
        """Do something for each application; its error becomes that of the application."""

        def guarded(rotation: Rotation) -> None:
            try:
                act(rotation)
            except SecretopsError as error:
                rotation.error = error if error.ends_task else error.at(rotation.application.where)

        with ThreadPoolExecutor(max_workers=max(self.settings.workers, 1)) as pool:
            list(pool.map(guarded, rotations))

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
        failed = [rotation for rotation in self.rotations if rotation.error is not None]
        results = [rotation.result(check_mode) for rotation in self.rotations]
        changed = [entry for entry in results if entry["changed"] and "error" not in entry]
        summary = {
            "create": 0,
            "update": len(changed),
            "delete": 0,
            "none": sum(1 for rotation in self.rotations if rotation.error is None and rotation.state == NOT_DUE),
            "failed": len(failed),
            "not_reached": len(self.not_reached),
        }
        return {
            "changed": any(entry["changed"] for entry in results),
            "run": self.run_id,
            "results": results,
            "summary": summary,
            "plan": [rotation.plan_line() for rotation in self.rotations if rotation.error is None],
            "diff": [_diff(one) for one in self.rotations if one.error is None and one.state != NOT_DUE],
        }

    def message(self) -> str:
        """Return the sentence of a run in which something failed, "" for one in which nothing did."""
        failed = [rotation for rotation in self.rotations if rotation.error is not None]
        if not failed:
            return ""
        said: dict[str, list[str]] = {}
        for rotation in failed:
            said.setdefault(str(rotation.error), []).append(rotation.application.name)
        texts = [text if len(names) == 1 else "%s: %s" % (_names(names), text) for text, names in said.items()]
        text = "; ".join(texts[:3]) + ("; and %d more, see results" % (len(texts) - 3) if len(texts) > 3 else "")
        counts = _counted(rotation.outcome or "failed" for rotation in failed)
        done = sum(1 for rotation in self.rotations if rotation.outcome == "done")
        text += " (%s; %d rotated" % (", ".join(counts), done)
        if self.not_reached:
            text += ", %d not begun after so many failures" % len(self.not_reached)
        return text + ")"

    def warnings(self) -> list[str]:
        """Return a sentence for each part of a database engine that was made for a moment and is still there."""
        return [
            'application "%s": %s could not be removed (%s); remove it, as it holds a password'
            % (rotation.application.name, path, reason)
            for rotation in self.rotations
            if rotation.credential is not None
            for path, reason in rotation.credential.left_behind.items()
        ]

    def code(self) -> str:
        """Return the kind of failure of the first application that failed."""
        return next((rotation.error.code for rotation in self.rotations if rotation.error is not None), "")


def _counted(outcomes: Iterable[str]) -> list[str]:
    words = {"held": "held back", "rolled_back": "rolled back", "not_proven": "not proven", "failed": "failed"}
    count: dict[str, int] = {}
    for one in outcomes:
        count[one] = count.get(one, 0) + 1
    return ["%d %s" % (count[one], words[one]) for one in words if one in count]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" and %d more" % (len(names) - 3) if len(names) > 3 else "")


def _diff(rotation: Rotation) -> dict[str, str]:
    header = '%s "%s"' % ("application", rotation.application.name)
    keys = rotation.application.keys
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
    unknown = [name for name in params["skip_clusters"] if name not in names]
    if twice or unknown:
        raise InvalidInput(
            "%s is named twice" % twice[0] if twice else "%s is none of the clusters" % ", ".join(unknown),
            'option "%s"' % ("clusters" if twice else "skip_clusters"),
            "name one of %s" % (", ".join(sorted(set(names))) or "the clusters"),
        )
    clusters = {
        one["name"]: Cluster(one["name"], one, client, module.ansible.warn, params["workers"])
        for one in params["clusters"]
        if one["name"] not in params["skip_clusters"]
    }
    settings = Settings(**{name: params[name] for name in Settings._fields})
    run = Run(client, clusters, settings, params["skip_clusters"])
    try:
        run.look(applications(client, params["applications"], names, params["only"]))
        if not module.check_mode:
            run.go()
    finally:
        for cluster in clusters.values():
            cluster.close()
    result = run.report(module.check_mode)
    for text in run.warnings():
        module.ansible.warn(text)
    message = run.message()
    if message:
        module.ansible.fail_json(msg=message, error_code=run.code(), **result)
    module.ansible.exit_json(**result)
