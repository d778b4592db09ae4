#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_handover
short_description: Pass objects between this collection and Flux without deleting them
version_added: 0.1.0
description:
  - An object that two apply keeps the fields that one of them drops, and who applies another's fields gets a conflict. So whoever gives objects
    up has to give up their fields as well.
  - To Flux - once Flux has applied the tree, release them by O(manager=secretops.vault_eso).
  - From Flux - O(state=protected), then take the files out of Git and let Flux reconcile, then release them by O(manager=kustomize-controller).
  - Objects stay as they are all the time. Those that do not exist are left out.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Reads everything, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Names who gives up what.
    support: full
options:
  objects:
    description: The objects, as RV(secretops.vault_eso.eso_manifests#module:objects) names them.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Kind of the object.
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
      namespace:
        description: Its namespace, for kinds that have one.
        type: str
      api_version:
        description: Not looked at; the API server tells which it serves.
        type: str
  state:
    description:
      - V(protected) marks what Flux applied, so that Flux does not delete it.
      - V(released) gives up what O(manager) applied.
      - What Flux gives up of the operator's kinds is this collection's then, as if it had applied it.
    type: str
    choices: [protected, released]
    required: true
  manager:
    description: Who gives up.
    type: str
    choices: [secretops.vault_eso, kustomize-controller]
    default: secretops.vault_eso
  workers:
    description: How many requests are under way at the same time.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Leave to Flux what it has applied
  secretops.vault_eso.eso_handover:
    objects: "{{ tree.objects }}"
    state: released
  register: handover

- name: Name what was declared once and is in no tree
  ansible.builtin.debug:
    var: handover.left_over
"""

RETURN = r"""
left_over:
  description:
    - Objects of the operator that this collection applied and that are not among O(objects), in the whole cluster.
    - Empty unless the collection gives up.
  returned: success
  type: list
  elements: dict
  sample: [{kind: ExternalSecret, namespace: production, name: old}]
results:
  description: One entry per object.
  returned: always
  type: list
  elements: dict
  sample: [{kind: object, name: ExternalSecret production/web-app, action: update, changed: true, fields: [applied by secretops.vault_eso]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import handover
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.objects import MANAGER

SPEC = {
    "objects": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "kind": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "api_version": {"type": "str"},
        },
    },
    "state": {"type": "str", "choices": ["protected", "released"], "required": True},
    "manager": {"type": "str", "choices": [MANAGER, handover.FLUX], "default": MANAGER},
    "workers": {"type": "int", "default": 4},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    with module.client() as client:
        objects, state, manager = (module.params[name] for name in ("objects", "state", "manager"))
        giving_up = state == "released" and manager == MANAGER
        left_over = handover.left_over(client, objects) if giving_up else []
        module.reconcile(handover.handovers(client, objects, state, manager), left_over=left_over)


if __name__ == "__main__":
    main()
