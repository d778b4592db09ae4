# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse variables that look like a role's and that the role does not know, and values of the wrong shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError, AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase

from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _role_values as role_values
from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _role_variables as role_variables

#: of this collection, wherever it is installed
ROLES = Path(__file__).resolve().parents[2] / "roles"
#: a variable by which users say which names are theirs
OWN = "vault_eso_own_variables"
#: a variable by which an inventory says what else has to be set, and where
REQUIRED = "vault_eso_required"


class ActionModule(ActionBase):
    """The action; it runs on the controller and connects to nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with a sentence for each unknown variable, or say which roles were checked."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, given = self.validate_argument_spec(
            {
                "roles": {"type": "list", "elements": "str"},
                "values": {"type": "bool"},
                "entry_point": {"type": "str"},
            }
        )
        role = self._task._role
        entry_point = given["entry_point"]
        if entry_point and (given["roles"] or not role):
            raise AnsibleActionFail('"entry_point" is that of the role in which the task stands; leave "roles" out')
        checked = given["roles"] or ([Path(role.get_role_path()).name] if role else [])
        if not checked:
            raise AnsibleActionFail('outside of a role, name the roles by "roles"')
        variables = task_vars or {}
        own = self._templar.template(variables.get(OWN) or [])
        names = own.split(",") if isinstance(own, str) else own
        try:
            problems = role_variables.unknown(variables, ROLES, checked, [str(name).strip() for name in names])
        except KeyError as error:
            raise AnsibleActionFail("there is no role %s in this collection" % error) from None
        missing = self._missing(variables)
        if missing:
            raise AnsibleActionFail("Not set: %s. Nothing was changed." % "; ".join(missing))
        if problems:
            remedy = "Correct the name, or give a variable of your own another (or list it in %s)." % OWN
            raise AnsibleActionFail("%s %s Nothing was changed." % (" ".join(problems), remedy))
        if given["values"] if given["values"] is not None else role and not given["roles"]:
            wrong = self._problems(role_values.SHARED, variables)
            wrong += [said for name in checked for said in self._misshapen(ROLES / name, variables, entry_point)]
            if wrong:
                raise AnsibleActionFail("%s. Nothing was changed." % "; ".join(wrong))
        return {**result, "changed": False, "roles": checked}

    def _misshapen(self, role: Path, variables: dict[str, Any], entry_point: str | None) -> list[str]:
        """Return a sentence for each variable of a role whose value has not the shape that the role describes."""
        if entry_point is None:
            return self._problems(role_values.options(role), variables)
        try:
            spec = role_values.entry_point(role, entry_point)
        except KeyError as error:
            raise AnsibleActionFail("the role %s has no entry point %s" % (role.name, error)) from None
        required = [name for name, option in spec.items() if option.get("required") and name not in variables]
        return ["%s is missing" % name for name in required] + self._problems(spec, variables, strict=True)

    def _problems(self, spec: Mapping[str, Any], variables: dict[str, Any], strict: bool = False) -> list[str]:
        """Judge the values; ``strict`` ends with Ansible's error where one cannot be evaluated."""
        values, wrong = {}, []
        for name in sorted(spec.keys() & variables.keys()):
            try:
                values[name] = self._templar.template(variables[name])
            except AnsibleError as error:
                # otherwise undefined, or a file that is not there yet: whoever uses it says so
                if role_values.mixed(error):
                    wrong.append(self._mixed(name, variables))
                elif strict:
                    raise
        return wrong + role_values.problems(spec, values)

    def _mixed(self, name: str, variables: dict[str, Any]) -> str:
        """Return a sentence for a variable that is made of values of different shapes, with the shape of each."""
        shapes = {}
        for part in role_values.parts(variables[name], variables):
            try:
                shapes[part] = role_values.shape(self._templar.template(variables[part]))
            except AnsibleError:
                continue
        return role_values.mixture(name, shapes)

    def _missing(self, variables: dict[str, Any]) -> list[str]:
        """Return the variables that the inventory asks for and that have no value, each with where it belongs."""
        required = self._templar.template(variables.get(REQUIRED) or {})
        if not isinstance(required, Mapping):
            raise AnsibleActionFail("%s is not a mapping of names to where they are set" % REQUIRED)
        return ["%s (%s)" % (name, where) for name, where in required.items() if not self._has(variables, name)]

    def _has(self, variables: dict[str, Any], name: str) -> bool:
        try:
            return self._templar.template(variables.get(name)) not in (None, "")
        except AnsibleUndefinedVariable:
            return False
