#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_restore
short_description: Bring a saved configuration of External Secrets Operator back into a cluster
version_added: 0.1.0
description:
  - Creates what M(secretops.vault_eso.eso_backup) saved and what is missing; namespaces first, then stores, generators, ExternalSecrets and at
    last PushSecrets.
  - What exists already is left as it is, with a warning where it differs, unless O(overwrite) is set. Nothing is ever deleted.
  - An API version that the cluster does not serve is replaced by the one that it prefers. A field that it does not know is an error.
  - What this collection had applied counts as applied by it again, so that a later purge does not touch what others had made.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Reads everything, writes nothing, reports what would change, and has the API server make a dry run of it.
    support: full
  diff_mode:
    description: Names the objects and the fields that change, without the contents of their specs.
    support: full
options:
  path:
    description: The file or the directory of the backup.
    type: path
    required: true
  create_namespaces:
    description: Whether namespaces that are missing are created, with the labels and annotations that they had.
    type: bool
    default: false
  overwrite:
    description: Whether objects that exist and differ get what was saved. Namespaces are never changed.
    type: bool
    default: false
  namespaces:
    description: Of objects in namespaces only those in these. By default all.
    type: list
    elements: str
  exclude_kinds:
    description: Kinds that are left out, such as V(PushSecret) when nothing is to be written to Vault yet.
    type: list
    elements: str
  workers:
    description: How many requests are under way at the same time.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Bring everything back into an empty cluster
  secretops.vault_eso.eso_restore:
    path: /var/backups/eso/eu-1.yaml
    create_namespaces: true
"""

RETURN = r"""
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: object, name: ExternalSecret production/web-app, action: create, changed: true, fields: [labels, spec]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 15, update: 0, delete: 0, none: 0, failed: 0, not_reached: 0}
kept:
  description: Objects that exist, differ, and were left as they are.
  returned: always
  type: list
  elements: str
  sample: [SecretStore production/vault]
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import backup
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.yaml_text import YAML_ERROR
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule

SPEC = {
    "path": {"type": "path", "required": True},
    "create_namespaces": {"type": "bool", "default": False},
    "overwrite": {"type": "bool", "default": False},
    "namespaces": {"type": "list", "elements": "str"},
    "exclude_kinds": {"type": "list", "elements": "str"},
    "workers": {"type": "int", "default": 4},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    module.require("PyYAML", YAML_ERROR)
    with module.client() as client:
        objects = backup.load(module.params["path"])
        report = module.act(backup.restore(client, objects, module.params))
        kept = [change.resource.name for change in report.changes if change.resource.info.get("kept")]
        module.finish(report, kept=kept)


if __name__ == "__main__":
    main()
