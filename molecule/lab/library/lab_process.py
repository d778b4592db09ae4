#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a process of the lab running detached from the playbook, or end it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_process
short_description: Run a process of the lab detached
description:
  - The process runs in a session of its own; its record (C(<directory>/processes/<name>.json)) tells it from any other.
  - A process whose command, environment or files differ from the recorded ones is restarted.
options:
  name: {description: Name of the process. Without it V(state=stopped) ends all recorded ones., type: str}
  directory: {description: State directory of the lab., type: path, required: true}
  command: {description: The command., type: list, elements: str}
  environment: {description: Variables added to the environment., type: dict, default: {}}
  watch: {description: Files that the process is made of beside its command., type: list, elements: path, default: []}
  state:
    description:
      - What is wanted; V(listed) returns the numbers of all processes that run, the hosts' included.
      - V(killed) ends the process at once and keeps its record, by which V(revived) starts it again as it was.
    type: str
    choices: [started, stopped, killed, revived, listed]
    default: started
  ready: {description: A command that succeeds once the process serves., type: list, elements: str}
  timeout: {description: Seconds to wait for O(ready)., type: int, default: 180}
author: [Contributors to the secretops.vault_eso project]
"""

import traceback
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.vault_eso_lab import Daemon, LabError, ask, tail, wait_until


def start(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Start the process, or restart it when it differs from the declared."""
    directory = Path(parameters["directory"])
    name = parameters["name"]
    log = directory / "logs" / f"{name}.log"
    daemon = Daemon(directory / "processes" / f"{name}.json")
    command, environment = parameters["command"], {key: str(value) for key, value in parameters["environment"].items()}
    same = daemon.record.get("fingerprint") == daemon.fingerprint(command, environment, parameters["watch"])
    if daemon.pid is not None and same:
        return {"changed": False, "pid": daemon.pid, "log": str(log)}
    if check_mode:
        return {"changed": True}
    daemon.stop(grace=10)
    log.parent.mkdir(parents=True, exist_ok=True)
    process = daemon.start(command, environment, log, directory, watch=parameters["watch"])
    ready = parameters["ready"]

    def served() -> bool:
        if process.poll() is not None:
            raise LabError(f"{name} ended with {process.returncode} at its start; its log {log} says: {tail(log)}")
        answer = ask(*ready) if ready else None
        return not ready or (answer is not None and answer.returncode == 0)

    if not wait_until(served, parameters["timeout"], pause=0.1):
        raise LabError(f"{name} runs but is not ready after {parameters['timeout']} s; its log {log} says: {tail(log)}")
    return {"changed": True, "pid": daemon.pid, "log": str(log)}


def kill(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """End one process at once, as a crash would."""
    daemon = recorded(parameters)
    running = daemon.members()
    if not check_mode:
        daemon.stop(grace=0, forget=False)
    return {"changed": bool(running)}


def revive(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Start a process that was killed with the command that it had."""
    daemon = recorded(parameters)
    if daemon.pid is not None:
        return {"changed": False, "pid": daemon.pid}
    known = {"command": daemon.record["command"], "environment": daemon.record.get("environment", {})}
    return start({**parameters, **known}, check_mode)


def recorded(parameters: dict[str, Any]) -> Daemon:
    """The process that the lab knows by this name. Raises LabError."""
    records = Path(parameters["directory"]) / "processes"
    daemon = Daemon(records / f"{parameters['name']}.json")
    if not daemon.record:
        names = ", ".join(sorted(path.stem for path in records.glob("*.json"))) or "none"
        raise LabError(f"the lab has no process {parameters['name']}; it has {names}")
    return daemon


def stop(parameters: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """End one process, or all that are recorded, all asked at once."""
    records = Path(parameters["directory"]) / "processes"
    daemons = [Daemon(path) for path in sorted(records.glob(f"{parameters['name'] or '*'}.json"))]
    running = [daemon.path.stem for daemon in daemons if daemon.members()]
    if not check_mode:
        for daemon in daemons:
            daemon.signal(15)
        for daemon in daemons:
            daemon.stop(grace=3)
    return {"changed": bool(running), "stopped": running}


def listed(parameters: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    """The numbers of the processes that run, by name; a host's is that of its nspawn."""
    directory = Path(parameters["directory"])
    daemons = {path.stem: Daemon(path) for path in sorted(directory.glob("processes/*.json"))}
    daemons.update({path.parent.name: Daemon(path) for path in sorted(directory.glob("hosts/*/nspawn.json"))})
    return {"changed": False, "pids": {name: daemon.pid for name, daemon in daemons.items() if daemon.pid is not None}}


ACTIONS = {"started": start, "stopped": stop, "killed": kill, "revived": revive, "listed": listed}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "directory": {"type": "path", "required": True},
            "command": {"type": "list", "elements": "str"},
            "environment": {"type": "dict", "default": {}},
            "watch": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": [*ACTIONS], "default": "started"},
            "ready": {"type": "list", "elements": "str"},
            "timeout": {"type": "int", "default": 180},
        },
        required_if=[
            ("state", "started", ("name", "command")),
            ("state", "killed", ("name",)),
            ("state", "revived", ("name",)),
        ],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ACTIONS[module.params["state"]](module.params, module.check_mode))
    except (LabError, OSError) as error:
        module.fail_json(msg=str(error), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
