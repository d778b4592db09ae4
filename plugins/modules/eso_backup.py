#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_backup
short_description: Save the whole configuration of External Secrets Operator
version_added: 0.1.0
description:
  - Saves every object of every kind that the operator serves, of all namespaces, as YAML that M(secretops.vault_eso.eso_restore) or C(kubectl)
    brings back, in the order in which that has to be done.
  - What the server wrote is left out, and so is what the operator made itself, such as the ExternalSecrets of a ClusterExternalSecret.
  - The namespaces are saved with their labels and annotations, for what is selected by them.
  - Secrets are never read. The same configuration makes the same file, byte by byte.
  - Files have mode 0600, as providers other than Vault may hold secrets in their stores.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Names the objects that are saved, with a digest of each that tells whether it changed.
    support: full
options:
  path:
    description:
      - Where to save. One file when it ends with C(.yaml) or C(.yml), otherwise a directory with a file for each object.
    type: path
    required: true
  namespaces:
    description: Of objects in namespaces only those in these. By default all.
    type: list
    elements: str
  allow_empty:
    description: Whether a backup may be replaced by one of a cluster in which there is nothing.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Save the configuration of a cluster
  secretops.vault_eso.eso_backup:
    path: /var/backups/eso/eu-1.yaml
"""

RETURN = r"""
path:
  description: Where it was saved.
  returned: success
  type: str
  sample: /var/backups/eso/eu-1.yaml
count:
  description: How many objects there are, by kind.
  returned: success
  type: dict
  sample: {Namespace: 2, ClusterSecretStore: 1, ExternalSecret: 12}
results:
  description: One entry per file.
  returned: always
  type: list
  elements: dict
  sample: [{kind: file, name: /var/backups/eso/eu-1.yaml, action: update, changed: true, fields: [text]}]
summary:
  description: How many files were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 0, failed: 0, not_reached: 0}
"""

from collections import Counter

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import backup
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.yaml_text import YAML_ERROR
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule

SPEC = {
    "path": {"type": "path", "required": True},
    "namespaces": {"type": "list", "elements": "str"},
    "allow_empty": {"type": "bool", "default": False},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    module.require("PyYAML", YAML_ERROR)
    with module.client() as client:
        objects = backup.collect(client, module.params["namespaces"])
        files = backup.backup(module.params["path"], objects, module.params["allow_empty"])
        count = dict(Counter(one["kind"] for one in objects))
        module.reconcile(files, path=module.params["path"], count=count)


if __name__ == "__main__":
    main()
