#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_policy
short_description: Manage ACL policies of Vault or OpenBao
version_added: 0.1.0
description:
  - Creates, updates and deletes ACL policies, one or thousands in one task over one login.
  - A policy is given as structured O(rules) or as HCL text in O(policy).
  - In templated paths an auth method may be named by its path, as in C({{identity.entity.aliases[kubernetes].metadata.service_account_namespace}});
    the module looks its accessor up, once in a task. Tag such a text C(!unsafe), or Ansible takes the braces for its own.
  - Policies that are not declared can be removed with O(purge).
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  name: &name
    description: Name of the policy. The server keeps it in lower case.
    type: str
  policy: &policy
    description: The policy as HCL or JSON text, or as data. Excludes O(rules).
    type: raw
  rules: &rules
    description: The policy as data. Excludes O(policy).
    type: list
    elements: dict
    suboptions:
      path:
        description: Path that the rule is about; C(*) at its end and C(+) for one part are allowed.
        type: str
        required: true
      capabilities:
        description: What is allowed on the path.
        type: list
        elements: str
        required: true
      description:
        description: Comment that stands above the rule.
        type: str
      allowed_parameters:
        description:
          - Parameters that are allowed, each with a list of values; an empty list allows any value.
          - Values are texts, with C(*) at an end as a wildcard, or booleans. Numbers are refused, because the server finds none in a request; a text
            such as C("3") is found in requests that send it as text.
        type: dict
      denied_parameters:
        description:
          - Parameters that are denied, each with a list of values; an empty list denies any value.
          - Values are texts, with C(*) at an end as a wildcard, or booleans. Numbers are refused, because the server finds none in a request; a text
            such as C("3") is found in requests that send it as text.
        type: dict
      required_parameters:
        description: Parameters that a request must have.
        type: list
        elements: str
      min_wrapping_ttl:
        description: Shortest permitted life of a wrapped answer, a duration.
        type: str
      max_wrapping_ttl:
        description: Longest permitted life of a wrapped answer, a duration.
        type: str
  expiration: &expiration
    description:
      - When the policy ends and the server removes it, such as C(2030-12-31T23:59:59Z); in UTC when it says no offset. An empty one takes the end
        away. Without it, what stands is kept.
      - OpenBao only.
    type: str
  cas_required: &cas_required
    description:
      - Whether every change must name the version that it replaces. The module does so for such a policy, so that a change of somebody else in
        between makes it fail instead of being lost.
      - OpenBao only. Without it, what stands is kept.
    type: bool
  allow_slashes_in_identity_templates: &allow_slashes_in_identity_templates
    description: Whether a value that a template fills in may hold slashes. OpenBao only. Without it, what stands is kept.
    type: bool
  allow_wildcards_in_identity_templates: &allow_wildcards_in_identity_templates
    description: Whether a value that a template fills in may hold C(*) and C(+). OpenBao only. Without it, what stands is kept.
    type: bool
  policies:
    description: Many policies. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      name:
        <<: *name
        required: true
      policy: *policy
      rules: *rules
      expiration: *expiration
      cas_required: *cas_required
      allow_slashes_in_identity_templates: *allow_slashes_in_identity_templates
      allow_wildcards_in_identity_templates: *allow_wildcards_in_identity_templates
      state:
        description: Whether this policy is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
  purge:
    description: Delete the policies of the namespace that are not declared, except the servers' own (V(root), V(default)),
      those by which the module's own token works, and those in O(protected).
    type: bool
    default: false
  protected:
    description: Names that O(purge) never deletes.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Declare a policy
  secretops.vault_eso.vault_policy:
    name: external-secrets
    rules:
      - path: secret/data/applications/*
        capabilities: [read]
      - path: secret/metadata/applications/*
        capabilities: [read, list]

- name: Give each service account the secrets of its own namespace
  secretops.vault_eso.vault_policy:
    name: own-namespace
    rules:
      - path: !unsafe "secret/data/{{identity.entity.aliases[kubernetes].metadata.service_account_namespace}}/*"
        capabilities: [read]

- name: Declare all policies and remove what is not declared
  secretops.vault_eso.vault_policy:
    policies:
      - name: cicd
        rules:
          - path: secret/data/cicd/*
            capabilities: [create, read, update, delete]
      - name: legacy
        state: absent
    purge: true
    protected: [operator]
"""

RETURN = r"""
results:
  description: One entry per policy.
  returned: always
  type: list
  elements: dict
  sample: [{kind: policy, name: external-secrets, action: update, changed: true, fields: [policy]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.system.policy import Policies


def main() -> None:
    converge(Policies())


if __name__ == "__main__":
    main()
