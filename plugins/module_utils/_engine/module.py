# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The base of all modules: the argument spec of bulk modules, and the one place that exits or fails."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.warnings import get_warning_messages

from . import places, process, wording
from .display import MISPLACED, echo, hidden_texts, names_only, visible
from .entries import accept
from .errors import InvalidInput, SecretopsError
from .names import MAY_BE_EMPTY, check_names, check_paths
from .numbers import check_numbers
from .reconcile import plan, reconcile
from .report import Report
from .resource import Resource
from .scrub import leaves, occurring, weak
from .secrets import KNOWN

RECONCILE_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "workers": {"type": "int", "default": 4},
    "report": {"type": "str", "choices": ["all", "changes"], "default": "all"},
}
UPDATE_SECRETS_SPEC: dict[str, Any] = {
    "update_secrets": {"type": "str", "choices": ["on_create", "always"], "default": "on_create"},
}


def bulk_spec(item: Mapping[str, Any], plural: str, required: Sequence[str] = ("name",)) -> dict[str, Any]:
    """Return an argument spec that takes one object by its own options or many by the list option ``plural``.

    ``item`` is the spec of one object; ``required`` the options that an entry must have. Defaults of the item hold for
    the entries as well. ``state`` of the module is the default for entries without a state of their own.
    """
    entry = {name: dict(option) for name, option in item.items()}
    for name in required:
        entry[name]["required"] = True
    entry["state"] = {"type": "str", "choices": ["present", "absent"]}
    return {
        **{name: dict(option) for name, option in item.items()},
        **RECONCILE_SPEC,
        plural: {"type": "list", "elements": "dict", "no_log": False, "options": entry},
    }


class _AnsibleModule(AnsibleModule):
    """AnsibleModule for tasks with thousands of secrets.

    Ansible looks for every ``no_log`` value in every text of a result, one by one: ten thousand secrets would take it
    many minutes. So only the values that the result holds are passed on.
    """

    no_log_values: set[str]
    params: dict[str, Any]
    argument_spec: dict[str, Any]
    #: with fewer values Ansible's own search is quick enough
    FEW = 50
    #: whether the options were accepted
    accepted = False
    #: whether no message of Ansible can quote a value
    _known = False

    def __init__(self, argument_spec: dict[str, Any], **kwargs: Any) -> None:
        # a module is short-lived: collecting garbage among thousands of declarations only costs time
        gc.set_threshold(100_000, 20, 20)
        #: accepted long lists, which Ansible's validator does not see
        self._long: dict[str, list[dict[str, Any]]] = {}
        super().__init__(argument_spec=argument_spec, **kwargs)
        self._put_back()
        self.accepted = True
        # Ansible does not mask values that it parsed from a text, such as JSON
        self.no_log_values |= hidden_texts(self.params, argument_spec)
        self._known = True

    def _load_params(self) -> None:
        """Read the options, and take out the long lists that are accepted already: Ansible's validator is slow."""
        super()._load_params()
        for name, option in self.argument_spec.items():
            entries = self.params.get(name)
            found = accept(entries, option) if isinstance(entries, list) and len(entries) > self.FEW else None
            if found is not None:
                self._long[name], secrets = found
                self.no_log_values |= secrets
                # still given, for rules such as mutually_exclusive
                self.params[name] = []

    def _put_back(self) -> None:
        # Ansible can fail before there are options
        if self._long:
            self.params.update(self._long)

    def _brief(self, free: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
        """Return the options without secrets; of a long list only its length, as it would outgrow the result."""
        params = getattr(self, "params", {})
        many = {
            name: "%d entries" % len(value)
            for name, value in params.items()
            if isinstance(value, list) and len(value) > self.FEW
        }
        few = {name: value for name, value in params.items() if name not in many}
        return {**echo(few, self.argument_spec, free)[0], **many}

    def _log_invocation(self) -> None:
        """Log the options to syslog as Ansible does, without options that may hold a misplaced secret."""
        self._put_back()
        params, secrets = self.params, self.no_log_values
        self.params = self._brief(names_only)
        self._narrow(self.params)
        try:
            super()._log_invocation()
        finally:
            self.params, self.no_log_values = params, secrets

    def exit_json(self, **kwargs: Any) -> None:
        """Exit with a result."""
        self._put_back()
        kwargs.setdefault("invocation", {"module_args": self._brief()})
        self._narrow(kwargs)
        super().exit_json(**kwargs)

    def fail_json(self, msg: str, **kwargs: Any) -> None:
        """Fail with a message; for invalid options it names the place of each."""
        self._put_back()
        if not self.accepted:
            msg = places.brief(places.located(getattr(self, "params", {}), self.argument_spec)) or msg
        msg = visible(MISPLACED.sub("A value in the sub parameter field", msg))
        kwargs.setdefault("invocation", {"module_args": self._brief()})
        self._known = self._known or not wording.quotes_a_value(msg)
        self._narrow([msg, kwargs, traceback.format_exc()])
        super().fail_json(msg, **kwargs)

    def warn(self, warning: str, **kwargs: Any) -> None:
        """Warn, with control characters escaped."""
        super().warn(visible(warning), **kwargs)

    def _narrow(self, said: Any) -> None:
        if self.accepted:
            self.no_log_values = set(KNOWN.values())
        if self._known:
            # servers' messages are masked already, and in our own text a word such as "admin" is not a secret
            self.no_log_values = {value for value in self.no_log_values if not weak(str(value))}
        if len(self.no_log_values) > self.FEW:
            texts = leaves([said, get_warning_messages()])
            self.no_log_values = occurring(map(str, self.no_log_values), texts)


class Module:
    """An AnsibleModule with items, reconciliation and one way to fail."""

    def __init__(
        self,
        argument_spec: Mapping[str, Any],
        plural: str = "",
        item: Mapping[str, Any] | None = None,
        required: Sequence[str] = ("name",),
        may_be_empty: Sequence[str] = (),
        concealed: str = "",
        tree: str = "",
        **kwargs: Any,
    ) -> None:
        """Take the options.

        ``may_be_empty``: naming options whose empty value has a meaning. ``concealed``: a ``no_log`` mapping whose
        short and public values are not masked. ``tree``: a ``no_log`` option that holds far more than secrets; its
        reader adds the secrets to `KNOWN`.
        """
        spec = dict(argument_spec)
        self.plural = plural
        self.item = dict(item or {})
        self.required = list(required)
        if plural:
            spec.update(bulk_spec(self.item, plural, required))
            kwargs.setdefault("mutually_exclusive", [])
            kwargs["mutually_exclusive"] = list(kwargs["mutually_exclusive"]) + [
                [plural, name] for name in required[:1]
            ]
        kwargs.setdefault("supports_check_mode", True)
        self.ansible = _AnsibleModule(argument_spec=spec, **kwargs)
        self.params: dict[str, Any] = self.ansible.params
        self.check_mode: bool = self.ansible.check_mode
        self._tell_secrets(concealed, tree)
        try:
            own = {"%s.%s" % (holder, name) for holder in ("", plural) for name in may_be_empty}
            check_names(self.params, spec, MAY_BE_EMPTY | own)
            check_paths(self.params, spec)
            check_numbers(self.params, spec)
        except InvalidInput as error:
            self.ansible.fail_json(msg=str(error), error_code=error.code)

    def require(self, library: str, error: str | None) -> None:
        """Fail with Ansible's usual sentence when a Python library could not be imported."""
        if error is not None:
            self.ansible.fail_json(msg=missing_required_lib(library), exception=error)

    def _tell_secrets(self, concealed: str, tree: str) -> None:
        """Add the values of the options that are secret to the register."""
        every = self.ansible.no_log_values
        if not concealed and not tree:
            KNOWN.add(*every)
            return
        spec = self.ansible.argument_spec
        left: dict[str, Any] = {name: value for name, value in self.params.items() if name not in (concealed, tree)}
        if left.get(self.plural):
            left[self.plural] = [
                {name: value for name, value in entry.items() if name != concealed} for entry in left[self.plural]
            ]
        KNOWN.add(*hidden_texts(left, spec), *(left[name] for name in left if spec.get(name, {}).get("no_log")))
        if not tree:
            KNOWN.add(*every, unless_public=True)

    def items(self) -> list[dict[str, Any]]:
        """Return the declared objects, each with every option of an item and a ``state``."""
        if not self.plural:
            raise RuntimeError("the module has no list option")
        many = self.params.get(self.plural)
        if many is not None:
            items = [dict(entry, state=entry.get("state") or self.params["state"]) for entry in many]
        else:
            one = {name: self.params[name] for name in self.item}
            if self.params.get("purge"):
                raise InvalidInput(
                    "purge without a list would delete everything else",
                    'option "purge"',
                    'declare "%s", empty if nothing is to remain' % self.plural,
                )
            missing = [name for name in self.required if one.get(name) is None]
            if missing:
                raise InvalidInput(
                    "missing required arguments: %s" % ", ".join(missing),
                    remedy='give them, or a list as "%s"' % self.plural,
                )
            items = [dict(one, state=self.params["state"])]
        return items

    @contextmanager
    def failing_clearly(self) -> Iterator[None]:
        """Turn SecretopsError into one failed result; anything else is a bug and says so without a secret."""
        try:
            with process.stopped_by_signals():
                yield
        except SecretopsError as error:
            self.ansible.fail_json(msg=KNOWN.scrub(str(error)), error_code=error.code)
        except Exception as error:  # noqa: BLE001  # pylint: disable=broad-except
            frames = traceback.extract_tb(error.__traceback__)[-3:]
            where = " < ".join("%s:%s" % (one.filename.rsplit("/", 1)[-1], one.lineno) for one in reversed(frames))
            self.ansible.fail_json(
                msg="unexpected %s at %s: %s; please report this as a bug"
                % (type(error).__name__, where, KNOWN.scrub(str(error)))
            )

    def reconcile(self, resources: Iterable[Resource], **extra: Any) -> None:
        """Converge the resources and exit with the report; ``extra`` is added to the result."""
        resources = list(resources)
        report = reconcile(
            resources, self.check_mode, self.params.get("update_secrets") or "always", self.params.get("workers") or 1
        )
        self.finish(report, **extra)

    def plan(self, resources: Iterable[Resource]) -> Report:
        """Return what reconciling the resources would do."""
        changes = plan(resources, self.params.get("update_secrets") or "always", self.params.get("workers") or 1)
        return Report(changes, check_mode=True)

    def finish(self, report: Report, **extra: Any) -> None:
        """Exit, or fail when an object failed, with the report as result."""
        for change in report.changes:
            for warning in change.resource.warnings:
                self.ansible.warn("%s: %s" % (change.resource.label, warning))
        result = dict(report.as_result(self.params.get("report") == "changes"), **extra)
        if report.failed:
            self.ansible.fail_json(msg=report.message(), error_code=report.code(), **result)
        self.ansible.exit_json(**result)
