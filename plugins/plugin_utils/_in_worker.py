# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Runs a module of this collection without packing it and without a new Python, where it would run here anyway.

Ansible's worker has been forked from a process that holds the module and its imports. The worker forks once more: the
child is the module, with options, environment, folder, output and signals as Ansible would have given it. All that
comes before (options, defaults, environment) and after (reading the result) is Ansible's own action ``normal``: only
packing the module and starting it is replaced. Where anything is not as expected, nothing is replaced.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display

from ansible_collections.secretops.vault_eso.plugins.plugin_utils import _module_child as module_child

#: a variable, and an environment variable, that turns this off
VARIABLE, ENVIRONMENT = "vault_eso_in_worker", "VAULT_ESO_IN_WORKER"
#: the same for the progress of long tasks
PROGRESS_VARIABLE, PROGRESS_ENVIRONMENT = "vault_eso_progress", "VAULT_ESO_PROGRESS"
#: environment variables that Python, the loader or a library reads when a process starts, by prefix
AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_")
#: settings by which Ansible adds a debugger or a measurement of coverage to a module
EXTENSIONS = ("_ANSIBALLZ_PYDEVD_CONFIG", "_ANSIBALLZ_DEBUGPY_CONFIG", "_ANSIBALLZ_COVERAGE_CONFIG")
#: whether a person watches. Workers have no terminal, so it is asked where the process of the run imports this.
WATCHED = (
    sys.stderr is not None and sys.stderr.isatty() and not {"CI", "AWX_HOST", "RUNNER_OMIT_EVENTS"} & set(os.environ)
)

display = Display()


@dataclass(frozen=True)
class Circumstances:
    """What decides where a module runs."""

    #: module of the connection plugin's class
    connection: str = "ansible.plugins.connection.local"
    shell: str = "sh"
    become: bool = False
    asynchronous: bool = False
    #: the interpreter that Ansible would start; "" where it is yet to be discovered
    interpreter: str = sys.executable
    #: of the task
    environment: Mapping[str, str] = field(default_factory=dict)
    #: whether the user wants it
    wanted: bool = True
    keep_files: bool = False
    open_files: bool = False
    extensions: bool = False
    #: whether the name of the task is of this module
    own: bool = True


def same_python(one: str, other: str) -> bool:
    """Whether two paths start the same Python: one file, or two names of one file in one folder.

    A virtual environment has ``python``, ``python3`` and ``python3.11``. The same file in another folder is another
    environment.
    """
    one, other = os.path.abspath(one), os.path.abspath(other)
    if os.path.dirname(one) != os.path.dirname(other):
        return False
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def why_by_process(found: Circumstances) -> str:
    """Return why the module has to run as a process of its own; "" where it can run in the worker."""
    reasons = {
        "it is turned off": not found.wanted,
        "another module has the name": not found.own,
        "the connection is not local": found.connection != "ansible.plugins.connection.local",
        "the shell is not a POSIX shell": found.shell != "sh",
        "become": found.become,
        "async": found.asynchronous,
        "another interpreter": not same_python(found.interpreter or os.sep, sys.executable),
        "the environment steers the start of a process": any(
            name.startswith(AT_START) or not name.isidentifier() for name in found.environment
        ),
        "ANSIBLE_KEEP_REMOTE_FILES": found.keep_files,
        "a limit of open files": found.open_files,
        "a debugger or coverage": found.extensions,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


class _Options(dict):
    """Options of a module; Ansible writes them into its debug output, with every secret in them."""

    def __repr__(self) -> str:
        return "options"


class ModuleInWorker(NormalAction):
    """The action of a module of this collection."""

    #: the module; its import is paid once, by the process that forks the workers
    MODULE: ModuleType

    #: whether the module runs here, and the options that it is given then
    _here = False
    _payload = b""
    _environment: Mapping[str, str] = {}

    def _execute_module(
        self,
        module_name: str | None = None,
        module_args: dict[str, Any] | None = None,
        tmp: str | None = None,
        task_vars: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Run the module in a fork of this process, or as Ansible does."""
        variables = task_vars or {}
        reason = self._why_by_process(module_name, variables)
        self._here = not reason
        if not self._here:
            display.vvvv("%s runs as a process: %s" % (self._task.action, reason), host=self._play_context.remote_addr)
            return super()._execute_module(module_name, module_args, tmp, task_vars, **kwargs)
        self._progress = WATCHED and self._switched_on(PROGRESS_VARIABLE, PROGRESS_ENVIRONMENT, variables)
        given = self._task.args if module_args is None else module_args
        options = _Options(given)
        try:
            return super()._execute_module(module_name, options, tmp, task_vars, **kwargs)
        finally:
            # Ansible adds its own options to those of the task
            given.update(options)
            self._here = False
            self._payload = b""

    # -- the decision -------------------------------------------------------------------------------------------------

    def _why_by_process(self, module_name: str | None, variables: Mapping[str, Any]) -> str:
        try:
            self._environment = self._task_environment()
            reason = why_by_process(self._circumstances(module_name, variables))
        except (AnsibleError, KeyError, TypeError, ValueError) as error:
            # Ansible says what is wrong, in its own words
            return type(error).__name__
        return reason or module_child.unsupported()

    def _circumstances(self, module_name: str | None, variables: Mapping[str, Any]) -> Circumstances:
        settings = C.config
        target = variables
        if self._task.delegate_to:
            target = variables["ansible_delegated_vars"][self._task.delegate_to]
        return Circumstances(
            connection=type(self._connection).__module__,
            shell=getattr(self._connection._shell, "SHELL_FAMILY", ""),
            become=self._connection.become is not None or bool(self._play_context.become),
            asynchronous=bool(self._task.async_val),
            interpreter=self._interpreter(target),
            environment=self._environment,
            wanted=self._switched_on(VARIABLE, ENVIRONMENT, variables),
            keep_files=bool(C.DEFAULT_KEEP_REMOTE_FILES),
            open_files=str(settings.get_config_value("PYTHON_MODULE_RLIMIT_NOFILE", variables=target)) != "0",
            extensions="_ANSIBLE_COVERAGE_CONFIG" in os.environ
            or any(
                settings.get_configuration_definition(name) and settings.get_config_value(name, variables=target)
                for name in EXTENSIONS
            ),
            own=self._is_own(module_name or self._task.action),
        )

    def _is_own(self, name: str) -> bool:
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            name, ".py", collection_list=self._task.collections
        )
        path = found.plugin_resolved_path if found.resolved else None
        return path is not None and os.path.realpath(path) == os.path.realpath(str(self.MODULE.__file__))

    def _interpreter(self, variables: Mapping[str, Any]) -> str:
        """Return the Python that Ansible would start; "" when it would have to look for one first."""
        value = C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        value = str(self._templar.template(value) or "").strip()
        if value in ("", "auto", "auto_legacy", "auto_silent", "auto_legacy_silent"):
            value = (variables.get("ansible_facts") or {}).get("discovered_interpreter_python") or ""
        return str(value)

    def _task_environment(self) -> dict[str, str]:
        raw: dict[str, Any] = {}
        self._compute_environment_string(raw)
        return {str(name): str(value) for name, value in raw.items()}

    def _switched_on(self, variable: str, environment: str, variables: Mapping[str, Any]) -> bool:
        if variable in variables:
            value = self._templar.template(variables[variable])
        else:
            value = os.environ.get(environment, "")
        return True if value in (None, "") else bool(boolean(value))

    # -- the steps of Ansible that are replaced -----------------------------------------------------------------------

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        """Nothing is transferred, so there is no need of a folder for it."""
        return self._here or bool(super()._is_pipelining_enabled(module_style, wrap_async))

    def _configure_module(self, module_name: str, module_args: dict[str, Any], task_vars: Any) -> Any:
        """Write the options as Ansible does; nothing is packed."""
        if not self._here:
            return super()._configure_module(module_name, module_args, task_vars)
        self._payload = module_child.payload(module_name, dict(module_args))
        shebang = "#!" + sys.executable
        return module_child.built(self._payload, shebang, str(self.MODULE.__file__))

    def _low_level_execute_command(self, cmd: str, sudoable: bool = True, in_data: Any = None, **kwargs: Any) -> Any:
        """Run the module in a fork of this process."""
        if not self._here or in_data is not self._payload:
            return super()._low_level_execute_command(cmd, sudoable, in_data, **kwargs)
        display.vvv("RUN %s in the worker" % self._task.action, host=self._play_context.remote_addr)
        child = module_child.Child(
            self.MODULE.main,
            self._payload,
            self._environment,
            Path(self._loader.get_basedir()),
            self._tell if self._progress else None,
        )
        code, stdout, stderr = child.run()
        return {
            "rc": code,
            "stdout": stdout,
            "stdout_lines": stdout.splitlines(),
            "stderr": stderr,
            "stderr_lines": stderr.splitlines(),
        }

    def _tell(self, text: str) -> None:
        display.display("%s: %s" % (self._task.get_name(), text), color=C.COLOR_VERBOSE, stderr=True, screen_only=True)


class MaskedModule(ModuleInWorker):
    """Runs the module of the same name; its result is registered whole, and shown to nobody unless it failed."""

    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result = super().run(tmp, task_vars)
        if not result.get("failed"):
            result["_ansible_no_log"] = True
        return result
