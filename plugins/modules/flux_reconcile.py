#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flux_reconcile
short_description: Have Flux apply a commit now, and wait until it has
version_added: 0.1.0
description:
  - Asks the source of a Kustomization to look for new commits, waits, asks the Kustomization to apply, and waits until it says that it did.
  - Does nothing where the wanted commit was applied already and the Kustomization is ready.
  - When time is up, the error repeats Flux's own reason.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Tells whether Flux would be asked, and has the API server make a dry run of that.
    support: full
  diff_mode:
    description: Names the revision that is applied and the one that is wanted.
    support: full
options:
  name: &name
    description: Name of the Kustomization.
    type: str
  namespace: &namespace
    description: Its namespace.
    type: str
    default: flux-system
  revision: &revision
    description: The commit that is to be applied, in full. Without it, whatever the source holds.
    type: str
  kustomizations:
    description: Many Kustomizations. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      namespace: *namespace
      revision: *revision
  wait:
    description: Whether to wait until the Kustomization has applied it. The source is always waited for.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for the source, and again for the Kustomization.
    type: int
    default: 180
  workers:
    description: How many requests are under way at the same time.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Apply what was pushed
  secretops.vault_eso.flux_reconcile:
    name: external-secrets
    revision: "{{ pushed.stdout }}"
"""

RETURN = r"""
revision:
  description: The revision that the Kustomization applied last, as Flux writes it.
  returned: for a single Kustomization
  type: str
  sample: main@sha1:4f1c6b0f6b7c2a6d4f7b0f8f1d0a4d8b6a3c9e21
results:
  description: One entry per Kustomization.
  returned: always
  type: list
  elements: dict
  sample: [{kind: Kustomization, name: flux-system/external-secrets, action: update, changed: true, fields: [revision]}]
requests:
  description: How many requests were sent to the API server, how many of them were no reads, and how many watches there were.
  returned: always
  type: dict
  sample: {total: 4, writes: 1, watches: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import flux
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import ActionModule

SPEC = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 180},
}
ITEM = {
    "name": {"type": "str"},
    "namespace": {"type": "str", "default": "flux-system"},
    "revision": {"type": "str"},
}


def main() -> None:
    module = ActionModule(SPEC, "kustomizations", ITEM, ["name"])
    with module.client() as client:
        timeout = module.params["wait_timeout"]
        wanted = [flux.Reconciled(client, item, timeout) for item in module.items()]
        module.carry_out(client, wanted, module.params["wait"])


if __name__ == "__main__":
    main()
