# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says of a value that stands one list too deep, is a text or a mapping: never the value itself.

Generated from the argument specifications: each option that can hold something nested, of each role, at each depth, in
one play. Ansible validates them by its own action, as it does before a role runs, and the roles by theirs.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.canaries import Canaries
from support.system import BIN, ROOT

ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
#: the ways in which a value is wrong
FORMS: dict[str, Callable[[str], Any]] = {
    "too deep": lambda secret: [[{"type": "transit", "token": secret, "password": secret}]],
    "text": lambda secret: secret,
    "settings": lambda secret: f"type=transit token={secret}",
    "mapping": lambda secret: {"token": secret, secret: {"password": [secret]}},
}


@functools.cache
def entries(role: str) -> dict[str, Any]:
    """Return the entry points of a role that Ansible validates, with their options: the first of those alike."""
    spec = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    found: dict[str, Any] = {}
    for name, entry in spec.items():
        if entry.get("options") and entry["options"] not in found.values():
            found[name] = entry["options"]
    return found


def told(canaries: Canaries, shown: str) -> list[str]:
    """Return which secrets were shown. Nothing here encodes one, so other forms would only take long."""
    cores = set(re.findall(r"canary\d{4}[0-9a-f]{16}", shown.lower()))
    return sorted(label for label, core in canaries.cores.items() if core.lower() in cores)


def nested(option: Mapping[str, Any]) -> bool:
    """Tell whether an option can hold a secret: numbers and given words are none."""
    plain = option.get("elements") == "int" or "choices" in option
    return not plain and option.get("type") in ("list", "dict", "raw")


def wrong(option: Mapping[str, Any], depth: int, make: Callable[[], Any]) -> Any:
    """Return a value whose parts at a depth are wrong, or None where it has no parts there."""
    if depth == 0:
        return make() if nested(option) or option.get("no_log") else None
    inner = {name: wrong(one, depth - 1, make) for name, one in (option.get("options") or {}).items()}
    inner = {name: value for name, value in inner.items() if value is not None}
    if not inner:
        return None
    if option["type"] != "list":
        return inner
    # each alone, so that the first is not all that is looked at
    return [{name: value} for name, value in inner.items()]


def cases(canaries: Canaries) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield role, entry point, title and values."""
    for role in ROLES:
        for entry, options in entries(role).items():
            for form, make in FORMS.items():
                for depth in range(1 if form == "settings" else 4):
                    values = {}
                    for name, option in options.items():
                        title = f"{role}/{entry}: {name}, {form}, depth {depth}"
                        value = wrong(
                            option, depth, lambda title=title, make=make: make(canaries.new(title, odd=False))
                        )  # type: ignore[misc]
                        if value is not None:
                            values[name] = value
                    if values:
                        yield role, entry, f"{form}, depth {depth}", values


def play(folder: Path, tasks: list[dict[str, Any]], values: Mapping[str, Any]) -> str:
    """Run tasks that all fail; values stand in another file, so that no source line that is shown holds them."""
    (folder / "values.json").write_text(json.dumps(values))
    head = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars_files": ["values.json"]}
    (folder / "play.json").write_text(json.dumps([{**head, "tasks": tasks}]))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env = {**clean, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    # another version of Ansible, to try the same with
    command = os.environ.get("VAULT_ESO_TEST_ANSIBLE_PLAYBOOK", str(BIN / "ansible-playbook"))
    done = subprocess.run(
        [
            command,
            "-vvv",
            "-i",
            "localhost,",
            "-e",
            "ansible_python_interpreter={{ ansible_playbook_python }}",
            "play.json",
        ],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0 and "failed=0" in done.stdout, done.stdout[-3000:]
    return done.stdout


def test_no_validation_prints_a_value_of_the_wrong_shape(tmp_path: Path) -> None:
    canaries = Canaries()
    tasks: list[dict[str, Any]] = []
    values: dict[str, Any] = {}
    missed: list[str] = []
    for number, (role, entry, title, given) in enumerate(cases(canaries)):
        names = {name: "{{ case_%d.%s }}" % (number, name) for name in given}
        values[f"case_{number}"] = given
        spec = {name: entries(role)[entry][name] for name in given}
        tasks.append(
            {
                "name": f"Ansible, {role}/{entry}: {title}",
                "ansible.builtin.validate_argument_spec": {"argument_spec": spec, "provided_arguments": names},
                "ignore_errors": True,
            }
        )
        tasks.append(
            {
                "name": f"The role, {role}/{entry}: {title}",
                "secretops.vault_eso.known_variables": {"roles": [role], "values": True},
                "vars": names,
                "register": f"said_{number}",
                "ignore_errors": True,
            }
        )
        # what is nested is known to the role alone, so it is the role that has to find it
        deep = [name for name in given if "options" in entries(role)[entry][name]]
        for name in deep if title.startswith(("too deep", "mapping")) or title.endswith(" 0") else ():
            missed.append(f"{name} ({title}): {{{{ '{name}' in said_{number}.msg | default('') }}}}")
    tasks.append(
        {"name": "Missed", "ansible.builtin.copy": {"dest": str(tmp_path / "missed"), "content": "\n".join(missed)}}
    )
    shown = play(tmp_path, tasks, values)
    assert not told(canaries, shown)
    overlooked = [line for line in (tmp_path / "missed").read_text().splitlines() if line.endswith("False")]
    assert not overlooked, "\n".join(overlooked)


@pytest.mark.parametrize("form", ["text", "too deep"])
def test_a_role_itself(tmp_path: Path, form: str) -> None:
    """By its own name, with nothing between it and Ansible's validation."""
    canaries = Canaries()
    values = {"seals": FORMS[form](canaries.new(form, odd=False))}
    task = {
        "ansible.builtin.include_role": {"name": "secretops.vault_eso.vault_server", "apply": {"tags": ["always"]}},
        "vars": {"vault_server_seals": "{{ seals }}"},
    }
    caught = {"ansible.builtin.debug": {"msg": "caught: {{ ansible_failed_result.msg }}"}}
    shown = play(tmp_path, [{"block": [task], "rescue": [caught]}], values)
    assert not told(canaries, shown)
    assert "vault_server_seals" in shown.partition("caught: ")[2]
