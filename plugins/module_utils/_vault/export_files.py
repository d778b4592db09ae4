# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""An export as files of variables: a directory that serves as ``host_vars/<cluster>``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable

from .._engine import private_file, yaml_dump
from .._engine.errors import InvalidInput
from .base.declaring import VARIABLE
from .configuration import INSIDE, KINDS
from .connection.module import VaultModule
from .export import Exporter, check

#: what the variables of the role vault_config begin with
ROLE = "vault_config_"
HEADER = "# Written by secretops.vault_eso.vault_export from what the server holds. No value of a secret is in it.\n"
TO_FILL = "%s.yml" % VARIABLE
#: not read by Ansible, which takes files of variables by their endings
NOTES = "export.md"


def name_of(title: str) -> str:
    """Return the name of the file of a kind."""
    return "%s%s.yml" % (ROLE, title)


def texts(exporter: Exporter, placeholders: bool = True) -> dict[str, str]:
    """Return the files by name; those of kinds without objects are missing."""
    found = {}
    configuration = exporter.configuration if placeholders else exporter.known()
    for title in (*KINDS, INSIDE):
        if configuration.get(title):
            variable = {ROLE + title: configuration[title]}
            found[name_of(title)] = HEADER + yaml_dump.dump(variable, sort_keys=False, variables=True)
    found[NOTES] = _notes(exporter)
    return found


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _notes(exporter: Exporter) -> str:
    lines = ["# What was exported", ""]
    lines += ["| kind | objects |", "|---|---|"]
    lines += ["| %s | %d |" % pair for pair in exporter.count().items()]
    for title, entries, none in (
        ("Left out", exporter.left_out, "Nothing."),
        ("Not proven", exporter.unproven, "Nothing: held against the server, no declaration would change it."),
    ):
        lines += ["", "## %s" % title, ""]
        if not entries:
            lines.append(none)
            continue
        lines += ["| kind | namespace | name | why |", "|---|---|---|---|"]
        for entry in entries:
            cells = (entry["kind"], entry.get("namespace", ""), entry["name"], entry["reason"])
            lines.append("| %s |" % " | ".join(map(_cell, cells)))
    if exporter.secret_paths:
        lines += ["", "## Secrets of KV engines", "", "| namespace | mount | path |", "|---|---|---|"]
        for one in exporter.secret_paths:
            lines.append(
                "| %s | %s | %s |" % (_cell(one.get("namespace", "")), _cell(one["mount"]), _cell(one["path"]))
            )
    return "\n".join(lines) + "\n"


def to_fill(keys: list[str]) -> str:
    """Return the file of values that people fill in, as comments: a value that is missing stops a run by its name."""
    lines = [
        '# What the server does not tell. Remove the "# " before the lines below, give the values, and encrypt the',
        "# file with ansible-vault. Until then a run stops and names the first one that it needs.",
        "# %s:" % VARIABLE,
    ]
    return "\n".join([*lines, *('#   %s: ""' % yaml_dump.dump(key).partition("\n")[0] for key in keys)]) + "\n"


def _untouched(text: str) -> bool:
    """Tell whether nobody has filled anything in yet."""
    return all(line.startswith("#") or not line.strip() for line in text.splitlines())


class Files:
    """The files in a directory, compared with what they are to be."""

    def __init__(self, exporter: Exporter, dest: str, overwrite: bool, placeholders: bool = True) -> None:
        self.dest = dest
        self.wanted = texts(exporter, placeholders)
        self.warnings: list[str] = []
        found = {name: private_file.text_of(os.path.join(dest, name)) for name in self.wanted}
        for title in (*KINDS, INSIDE):
            name = name_of(title)
            text = private_file.text_of(os.path.join(dest, name)) if name not in self.wanted else None
            if text is not None and (title == INSIDE or title in exporter.kinds):
                # of what was exported before nothing is left
                empty: Mapping[str, Any] = {ROLE + title: {} if title == INSIDE else []}
                self.wanted[name], found[name] = HEADER + yaml_dump.dump(empty, variables=True), text
        self.changed = sorted(name for name, text in self.wanted.items() if found[name] != text)
        self._keys(exporter.placeholders() if placeholders else [])
        lost = [name for name in self.changed if found.get(name) is not None and name not in (NOTES, TO_FILL)]
        if lost and not overwrite:
            raise InvalidInput(
                "there are other declarations in %s" % ", ".join(lost),
                'directory "%s"' % dest,
                'name an empty directory and compare the two, or set "overwrite: true"',
            )

    def _keys(self, keys: list[str]) -> None:
        text = private_file.text_of(os.path.join(self.dest, TO_FILL))
        if text is not None and not _untouched(text):
            missing = [key for key in keys if key not in text]
            if missing and not text.startswith("$ANSIBLE_VAULT"):
                self.warnings.append("%s has no value for %s" % (TO_FILL, ", ".join(missing)))
            return
        wanted = to_fill(keys)
        if (keys or text is not None) and text != wanted:
            self.wanted[TO_FILL] = wanted
            self.changed = sorted([*self.changed, TO_FILL])

    def result(self) -> dict[str, Any]:
        """Return what a module tells."""
        header = "%s (%d files)" % (self.dest, len(self.wanted))
        names = "".join("%s\n" % name for name in self.changed)
        diff = {"before_header": header, "after_header": header, "before": "", "after": names}
        return {"changed": bool(self.changed), "files": self.changed, "diff": [diff] if names else []}

    def deliver(self, check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
        """Write what differs, each file whole or not at all; return what a module tells. Raises SecretopsError."""
        for text in self.warnings:
            warn(text)
        if self.changed and not check_mode:
            private_file.prepare(os.path.join(self.dest, NOTES), "dest", own=False)
            for name in self.changed:
                # the writer ends it with a line end
                private_file.write(os.path.join(self.dest, name), self.wanted[name].rstrip("\n"))
        return self.result()


def export(module: VaultModule) -> None:
    """Be the module of exports: read, hold against the server, write the files, and exit."""
    params = module.params
    with module.failing_clearly():
        check(params["kinds"] or (), params["secrets"], params["placeholders"])
    if params["dest"]:
        module.require("PyYAML", yaml_dump.YAML_ERROR)
    with module.client() as client:
        exporter = Exporter(client, params["kinds"], params["namespaces"], params["secrets"], params["workers"])
        exporter.gather()
        exporter.prove()
        result = {"changed": False, **exporter.result()}
        if params["dest"]:
            files = Files(exporter, params["dest"], params["overwrite"], params["placeholders"])
            result.update(files.deliver(module.check_mode, module.ansible.warn))
        module.ansible.exit_json(**result, requests=dict(module.requests))
