#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_rollout
short_description: Restart workloads of Kubernetes and wait until their Pods are new
version_added: 0.1.0
description:
  - Restarts Deployments, StatefulSets and DaemonSets as C(kubectl rollout restart) does, one or many in one task.
  - Waits until all Pods are of the new generation and available. A rollout that Kubernetes has given up fails at once.
  - Each run restarts; let a task depend on what makes a restart necessary, such as the changed keys of a Secret.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Reads everything, restarts nothing, and reports what would be restarted.
    support: full
  diff_mode:
    description: Shows the time of the last restart and of this one.
    support: full
options:
  kind: &kind
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet, DaemonSet]
    default: Deployment
  name: &name
    description: Name of the workload.
    type: str
  namespace: &namespace
    description: Its namespace.
    type: str
  workloads:
    description: Many workloads. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      kind: *kind
      name:
        <<: *name
        required: true
      namespace:
        <<: *namespace
        required: true
  wait:
    description: Whether to wait until the new Pods are available.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for all workloads together.
    type: int
    default: 300
  workers:
    description: How many requests are under way at the same time, over one pool of connections.
    type: int
    default: 4
"""

EXAMPLES = r"""
- name: Restart an application after its password changed
  secretops.vault_eso.k8s_rollout:
    name: app
    namespace: applications

- name: Restart several at once
  secretops.vault_eso.k8s_rollout:
    workloads:
      - {name: app, namespace: applications}
      - {kind: StatefulSet, name: queue, namespace: applications}
    wait_timeout: 600
"""

RETURN = r"""
results:
  description: One entry per workload.
  returned: always
  type: list
  elements: dict
  sample: [{kind: rollout, name: applications/deployments/app, action: update, changed: true, fields: [restartedAt],
            info: {restarted_at: "2026-08-01T12:00:00Z"}}]
summary:
  description: How many were restarted (update) and how many failed.
  returned: always
  type: dict
  sample: {create: 0, update: 2, delete: 0, none: 0, failed: 0, not_reached: 0}
restarted_at:
  description: The time that was written into the Pod template.
  returned: for a single workload
  type: str
  sample: "2026-08-01T12:00:00Z"
requests:
  description: How many requests were sent to the API server, how many of them were no reads, and how many watches there were.
  returned: always
  type: dict
  sample: {total: 4, writes: 1, watches: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import ActionModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.rollout import Rollout

ITEM = {
    "kind": {"type": "str", "choices": ["Deployment", "StatefulSet", "DaemonSet"], "default": "Deployment"},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
}
SPEC = {"wait": {"type": "bool", "default": True}, "wait_timeout": {"type": "int", "default": 300}}


def main() -> None:
    module = ActionModule(SPEC, "workloads", ITEM, ["name", "namespace"])
    with module.client() as client:
        wait = module.params["wait"]
        module.carry_out(client, [Rollout(client, item, wait) for item in module.items()], wait)


if __name__ == "__main__":
    main()
