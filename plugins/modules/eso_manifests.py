#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_manifests
short_description: Keep declared objects of External Secrets Operator as a Kustomize tree in a directory
version_added: 0.1.0
description:
  - Writes what the modules of the single kinds would apply into files, one for each object, and a C(kustomization.yaml) that lists them.
  - The same data makes the same files, byte by byte, so that a change of one field is a change of one line.
  - Entries are checked as their modules check them. No cluster is asked.
  - Files that this module wrote and that are declared no longer are removed. Files of others are never touched, and one in the way is an error.
  - Symbolic links in the tree are never followed, and one in the way is an error.
  - What looks like a secret is refused. Of plain objects only those are taken that hold none.
  - A namespace gets the annotation that keeps Flux from deleting it together with its file.
author: secretops.vault_eso contributors (@secretops)
attributes:
  check_mode:
    description: Reads the directory, writes nothing, and reports what would change.
    support: full
  diff_mode:
    description: Shows the changing files.
    support: full
options:
  path:
    description: The directory of the tree; it is made when it is missing.
    type: path
    required: true
  within:
    description:
      - A directory that O(path) is in, such as a checkout of Git.
      - A symbolic link on the way from it to O(path) is refused, as what is in a repository may so make the task write elsewhere.
    type: path
  state:
    description: Whether the tree is to exist. With V(absent) the files that this module wrote are removed.
    type: str
    choices: [present, absent]
    default: present
  label:
    description: What the message calls the tree, such as the cluster's name.
    type: str
    default: ""
  api_version:
    description: Version of C(external-secrets.io) to write, V(v1beta1) for operators before 0.16. Kinds that do not have it keep their own.
    type: str
    default: v1
  stores:
    description: Stores, as the option O(secretops.vault_eso.eso_secretstore#module:stores) takes them.
    type: list
    elements: dict
    default: []
  generators:
    description: Generators, as the option O(secretops.vault_eso.eso_generator#module:generators) takes them.
    type: list
    elements: dict
    default: []
  external_secrets:
    description: ExternalSecrets, as the option O(secretops.vault_eso.eso_externalsecret#module:external_secrets) takes them.
    type: list
    elements: dict
    default: []
  cluster_external_secrets:
    description:
      - ClusterExternalSecrets, as the option O(secretops.vault_eso.eso_clusterexternalsecret#module:cluster_external_secrets) takes them.
    type: list
    elements: dict
    default: []
  push_secrets:
    description: PushSecrets, as the option O(secretops.vault_eso.eso_pushsecret#module:push_secrets) takes them.
    type: list
    elements: dict
    default: []
  objects:
    description:
      - Plain manifests that belong to them, of the kinds Namespace, ServiceAccount, Role, RoleBinding, ClusterRole, ClusterRoleBinding
        and NetworkPolicy.
    type: list
    elements: dict
    default: []
requirements:
  - PyYAML
"""

EXAMPLES = r"""
- name: Write the objects of a cluster into a checkout
  secretops.vault_eso.eso_manifests:
    path: /srv/fleet/clusters/eu-1/external-secrets
    label: eu-1
    stores: "{{ eso_resources_stores }}"
    external_secrets: "{{ eso_resources_external_secrets }}"
  register: tree

- name: Show what a commit would say
  ansible.builtin.debug:
    msg: "{{ tree.message }}"
"""

RETURN = r"""
message:
  description: What changed, as the message of a commit; empty when nothing did.
  returned: always
  type: str
  sample: "eu-1: change ExternalSecret production/web-app (spec.refreshInterval)"
objects:
  description: What is in the tree.
  returned: always
  type: list
  elements: dict
  sample: [{api_version: external-secrets.io/v1, kind: ExternalSecret, namespace: production, name: web-app}]
removed:
  description: What is in the tree no longer.
  returned: always
  type: list
  elements: dict
  sample: []
results:
  description: One entry per file.
  returned: always
  type: list
  elements: dict
  sample: [{kind: file, name: production/externalsecret-web-app.yaml, action: update, changed: true, fields: [text]}]
summary:
  description: How many files were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.module import Module
from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.reconcile import reconcile
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso import manifests
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kinds import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.tree import files, leaving, message, tree
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.yaml_text import YAML_ERROR, reference
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.transport import KUBERNETES_ERROR

LISTS = [*(kind.plural for kind in KINDS), "objects"]
SPEC = {
    "path": {"type": "path", "required": True},
    "within": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "label": {"type": "str", "default": ""},
    "api_version": {"type": "str", "default": "v1"},
    **{name: {"type": "list", "elements": "dict", "default": [], "no_log": False} for name in LISTS},
}


def main() -> None:
    module = Module(SPEC)
    module.require("kubernetes", KUBERNETES_ERROR)
    module.require("PyYAML", YAML_ERROR)
    with module.failing_clearly():
        objects, warnings = manifests.present(module.params)
        for warning in warnings:
            module.ansible.warn(warning)
        wanted = files(module.params["path"], tree(objects), module.params["within"])
        gone = leaving(wanted, objects)
        report = reconcile(wanted, module.check_mode, workers=1)
        module.finish(
            report,
            message=message(report.changes, module.params["label"]),
            objects=[reference(one) for one in objects],
            removed=gone,
        )


if __name__ == "__main__":
    main()
