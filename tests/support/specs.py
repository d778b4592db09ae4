# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of all modules, as the modules themselves hand them to Ansible, and their examples."""

from __future__ import annotations

import importlib
import runpy
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import yaml
from ansible.module_utils import basic

from .system import ROOT

MODULES = "ansible_collections.secretops.vault_eso.plugins.modules"


class _Examples(yaml.SafeLoader):
    """YAML as Ansible reads it, as far as examples go."""


_Examples.add_constructor("!unsafe", lambda loader, node: str(node.value))


def examples(module: str) -> list[dict[str, Any]]:
    """Return the options of each task in a module's examples; templates stay as they are."""
    text = importlib.import_module(f"{MODULES}.{module}").EXAMPLES
    tasks = yaml.load(text, _Examples)  # noqa: S506
    return [options or {} for task in tasks for name, options in task.items() if name.endswith("." + module)]


class _Constructed(BaseException):
    """Carries a spec out of a module that is about to run; no ``except Exception`` of a module catches it."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.spec = spec


def _instead(self: Any, argument_spec: Mapping[str, Any], **_options: Any) -> None:
    raise _Constructed(argument_spec)


@lru_cache
def argument_specs() -> Mapping[str, Mapping[str, Any]]:
    """Return every module's spec by the module's name. Raises AssertionError for a module that declares none."""
    found: dict[str, Mapping[str, Any]] = {}
    original = basic.AnsibleModule.__init__
    basic.AnsibleModule.__init__ = _instead
    try:
        for file in sorted((ROOT / "plugins" / "modules").glob("*.py")):
            try:
                runpy.run_module(f"{MODULES}.{file.stem}", run_name="__main__")
            except _Constructed as constructed:
                found[file.stem] = constructed.spec
            assert file.stem in found, f"{file.stem} makes no AnsibleModule"
    finally:
        basic.AnsibleModule.__init__ = original
    return found


def walk(spec: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield every option with its path, those within lists and mappings included."""
    for name, option in spec.items():
        yield (*path, name), option
        yield from walk(option.get("options") or {}, (*path, name))


def secret_options(module: str) -> set[str]:
    """Return the dotted paths of a module's ``no_log`` options."""
    return {".".join(path) for path, option in walk(argument_specs()[module]) if option.get("no_log")}
