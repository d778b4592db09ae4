#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_state
short_description: Read what the role eso compares in a cluster
version_added: 0.1.0
description:
  - Reads in one go what a cluster has of External Secrets Operator, so that the role C(eso) writes only what differs.
  - Asks the API server for dry runs of what is declared, and writes nothing.
  - Of Secrets only the metadata is read.
  - It is made for the roles C(eso) and C(eso_resources); what it returns may change with them.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: none
options:
  kinds:
    description: Kinds that have to be served, such as V(apps/v1/Deployment).
    type: list
    elements: str
    default: []
  namespaces:
    description: Namespaces that have to exist.
    type: list
    elements: str
    default: []
  crds:
    description: Names of the CRDs to look at.
    type: list
    elements: str
    default: []
  crd_group:
    description: The API group whose CRDs are named, those of groups below it too.
    type: str
  operators:
    description: Whether to look for Deployments of the operator in the whole cluster.
    type: bool
    default: false
  api_server:
    description: Whether to look for the addresses of the API server.
    type: bool
    default: false
  dependents:
    description: Whether to look for objects that need the operator.
    type: bool
    default: false
  objects:
    description: Lists of manifests, under any names, to be compared with the cluster. Each manifest needs C(apiVersion), C(kind) and a name.
    type: dict
    default: {}
  apply:
    description: Whether O(objects) are written by server-side apply; otherwise by a merge patch.
    type: bool
    default: true
  field_manager:
    description: The field manager of the server-side apply.
    type: str
    default: secretops.vault_eso
  force_conflicts:
    description: Whether the server-side apply takes fields over from other field managers.
    type: bool
    default: false
  absent:
    description: Manifests of objects that are not to exist; kind, name and namespace count.
    type: list
    elements: dict
    default: []
  wait_for_flux:
    description: Objects of Flux that have to be ready, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: The version of the API, such as V(helm.toolkit.fluxcd.io/v2).
        type: str
        required: true
      kind:
        description: The kind, such as V(HelmRelease).
        type: str
        required: true
      namespace:
        description: The namespace of the object.
        type: str
        required: true
      name:
        description: The name of the object.
        type: str
        required: true
  wait_for_release:
    description: The release of the operator whose Deployments have to run with all their pods.
    type: dict
    suboptions:
      namespace:
        description: The namespace of the release.
        type: str
        required: true
      name:
        description: The name of the release.
        type: str
        required: true
      version:
        description: The version of its chart.
        type: str
        required: true
  wait_timeout:
    description: Seconds to wait for O(wait_for_flux) and O(wait_for_release) together.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Read what runs
  secretops.vault_eso.eso_state:
    kinds: [helm.toolkit.fluxcd.io/v2/HelmRelease]
    operators: true
  register: state

- name: Compare a namespace with what is declared
  secretops.vault_eso.eso_state:
    objects:
      namespaces:
        - apiVersion: v1
          kind: Namespace
          metadata: {name: external-secrets}
  register: state
"""

RETURN = r"""
missing_kinds:
  description: Those of O(kinds) that the API server does not serve.
  returned: when O(kinds) is given
  type: list
  elements: str
  sample: []
missing_namespaces:
  description: Those of O(namespaces) that do not exist.
  returned: when O(namespaces) is given
  type: list
  elements: str
  sample: []
crds:
  description: Of each of O(crds) that is installed its C(name), its C(versions), the versions that the API server has C(stored), the Helm
    C(release) that it belongs to, and whether it is C(kept) when that is removed.
  returned: when O(crds) is given
  type: list
  elements: dict
  sample: [{name: externalsecrets.external-secrets.io, versions: [v1], stored: [v1], release: external-secrets-crds, kept: true}]
crd_names:
  description: The names of the CRDs of O(crd_group).
  returned: when O(crd_group) is given
  type: list
  elements: str
  sample: [externalsecrets.external-secrets.io]
operators:
  description: C(name), C(namespace) and C(version) of each Deployment of the operator's controller.
  returned: when O(operators) is true
  type: list
  elements: dict
  sample: [{name: external-secrets, namespace: external-secrets, version: 2.9.0}]
api_server:
  description: C(cidrs) and C(ports) of the API server, empty when it does not publish them.
  returned: when O(api_server) is true
  type: dict
  sample: {cidrs: [192.0.2.10/32, 198.51.100.1/32], ports: [443, 6443]}
dependents:
  description: Kind and name of each object that needs the operator.
  returned: when O(dependents) is true
  type: list
  elements: str
  sample: [ExternalSecret payments/app]
differing:
  description: For each list of O(objects) the positions of the manifests that would change something or that the API server refuses, from 0.
  returned: when O(objects) is given
  type: dict
  sample: {namespaces: [0]}
summary:
  description: How many of O(objects) are as declared, as C(none).
  returned: when O(objects) is given
  type: dict
  sample: {none: 12}
present:
  description: The positions of those of O(absent) that exist, from 0.
  returned: when O(absent) is given
  type: list
  elements: int
  sample: []
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import operator
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import KubernetesModule
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.objects import MANAGER

NEEDED = {"type": "str", "required": True}
SPEC = {
    "kinds": {"type": "list", "elements": "str", "default": []},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "crds": {"type": "list", "elements": "str", "default": []},
    "crd_group": {"type": "str"},
    "operators": {"type": "bool", "default": False},
    "api_server": {"type": "bool", "default": False},
    "dependents": {"type": "bool", "default": False},
    "objects": {"type": "dict", "default": {}},
    "apply": {"type": "bool", "default": True},
    "field_manager": {"type": "str", "default": MANAGER},
    "force_conflicts": {"type": "bool", "default": False},
    "absent": {"type": "list", "elements": "dict", "default": []},
    "wait_for_flux": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": dict.fromkeys(("api_version", "kind", "namespace", "name"), NEEDED),
    },
    "wait_for_release": {"type": "dict", "options": dict.fromkeys(("namespace", "name", "version"), NEEDED)},
    "wait_timeout": {"type": "int", "default": 300},
}


def main() -> None:
    module = KubernetesModule(SPEC)
    with module.client() as client:
        module.ansible.exit_json(changed=False, **operator.look(client, module.params))


if __name__ == "__main__":
    main()
