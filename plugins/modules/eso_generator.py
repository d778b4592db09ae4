#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: eso_generator
short_description: Manage generators of External Secrets Operator
version_added: 0.1.0
description:
  - Creates, updates and deletes generators, which an ExternalSecret names in C(data_from) by C(source_ref.generator_ref) instead of a stored secret.
  - A V(VaultDynamicSecret) asks Vault for what is made at that moment, such as a certificate or a database user; the provider itself reads KV only.
  - A generator generates anew at each refresh of the ExternalSecret that uses it; a long refresh interval, or the refresh policy V(CreatedOnce)
    or V(OnChange), keeps what was generated.
  - What the operator would refuse, ignore or misread is refused before anything is sent, and the error says what to write instead.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.kubernetes
  - secretops.vault_eso.kubernetes.apply
  - secretops.vault_eso.kubernetes.namespaced
  - secretops.vault_eso.reconcile
options:
  kind: &kind
    description:
      - Kind of the generator. A V(ClusterGenerator) serves all namespaces.
      - V(VaultDynamicSecret), V(Password) and V(UUID) have options below. All others are declared by O(spec), as a manifest has it.
      - V(UUID) and V(ClusterGenerator) are not known to versions of the operator before 0.10 and 0.13.
    type: str
    choices: [VaultDynamicSecret, Password, UUID, ACRAccessToken, BeyondtrustWorkloadCredentialsDynamicSecret, CloudsmithAccessToken,
      ECRAuthorizationToken, Fake, GCRAccessToken, GithubAccessToken, GitlabDeployToken, Grafana, MFA, QuayAccessToken, SSHKey, STSSessionToken,
      Webhook, ClusterGenerator]
    default: VaultDynamicSecret
  name: &name
    description: Name of the generator.
    type: str
  namespace: &namespace
    description: Its namespace; a ClusterGenerator has none.
    type: str
  labels: &labels
    description: Labels of the object.
    type: dict
  annotations: &annotations
    description: Annotations of the object.
    type: dict
  spec: &spec
    description:
      - The whole spec, as a manifest has it. Excludes all options below.
      - What stands in it stands in the cluster for all to read who may read the object. The values of a V(Fake), and body and headers of a
        V(Webhook), are not shown in diffs.
    type: dict
  generator_kind: &generator_kind
    description: What a ClusterGenerator generates by; the options below are those of this kind.
    type: str
    choices: [VaultDynamicSecret, Password, UUID]
  path: &path
    description: For V(VaultDynamicSecret), the path in Vault, from the mount on, such as V(pki_int/issue/web) or V(database/creds/app).
    type: str
  method: &method
    description: For V(VaultDynamicSecret), how Vault is asked. The operator's default is V(GET); certificates are issued by V(POST).
    type: str
    choices: [GET, LIST, POST, PUT, DELETE]
  parameters: &parameters
    description: For V(VaultDynamicSecret), what is sent with V(POST) and V(PUT). They stand in the object for all to read.
    type: dict
  get_parameters: &get_parameters
    description: For V(VaultDynamicSecret), the query that is sent with V(GET); each value one or a list. Not known to old versions of the operator.
    type: dict
  result_type: &result_type
    description: For V(VaultDynamicSecret), which part of the answer is taken. The operator's default is V(Data).
    type: str
    choices: [Data, Auth, Raw]
  allow_empty_response: &allow_empty_response
    description: For V(VaultDynamicSecret), whether an empty answer is no error. Not known to old versions of the operator.
    type: bool
  controller: &controller
    description: For V(VaultDynamicSecret), the class of the operator instance that is to serve it.
    type: str
  retry_settings: &retry_settings
    description: How often and how long apart the operator asks Vault again after an error, for V(VaultDynamicSecret).
    type: dict
    suboptions:
      max_retries:
        description: How many times at most.
        type: int
      retry_interval:
        description: How long to wait in between, such as V(5s).
        type: str
  provider: &provider
    description:
      - For V(VaultDynamicSecret), how Vault is reached, by the same options as M(secretops.vault_eso.eso_secretstore) has.
      - What it refers to is looked up in the namespace of the ExternalSecret that uses the generator.
    type: dict
    suboptions:
      server:
        description: URL of Vault as the operator's pods reach it, V(https://vault.example.com:8200).
        type: str
      vault_namespace:
        description: Vault namespace.
        type: str
      ca_bundle:
        description: PEM text of the CA certificates that Vault's certificate is checked against. It is encoded as the API wants it.
        type: str
      ca_provider:
        description: Where the cluster keeps these certificates, instead of C(ca_bundle).
        type: dict
        suboptions:
          type:
            description: What holds them.
            type: str
            choices: [Secret, ConfigMap]
            required: true
          name:
            description: Its name.
            type: str
            required: true
          key:
            description: The key in it.
            type: str
          namespace:
            description: Its namespace; only that of the generator itself is looked at.
            type: str
      auth:
        description: How the operator logs in. Exactly one method.
        type: dict
        suboptions:
          namespace:
            description: Vault namespace of the auth method, when it is another than the secrets'.
            type: str
          kubernetes:
            description: Log in with a service account's token.
            type: dict
            suboptions:
              mount_path:
                description: Mount of the auth method.
                type: str
                default: kubernetes
              role:
                description: Role of the auth method.
                type: str
                required: true
              service_account:
                description: Service account to request a token for.
                type: dict
                suboptions:
                  name:
                    description: Name of the service account.
                    type: str
                    required: true
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
                  audiences:
                    description: Audiences of the token; the role's O(ignore:audience) must be among them.
                    type: list
                    elements: str
              secret_ref:
                description: Secret that holds the credential.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
          app_role:
            description: Log in with an AppRole.
            type: dict
            suboptions:
              path:
                description: Mount of the auth method.
                type: str
              role_id:
                description: Role ID.
                type: str
              role_ref:
                description: Secret that holds the role ID, instead of C(role_id).
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
              secret_ref:
                description: Secret that holds the secret ID.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
          jwt:
            description: Log in with a JSON web token.
            type: dict
            suboptions:
              path:
                description: Mount of the auth method.
                type: str
              role:
                description: Role of the auth method.
                type: str
              secret_ref:
                description: Secret that holds the credential.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
              kubernetes_service_account_token:
                description: Request a service account's token and log in with that.
                type: dict
                suboptions:
                  service_account:
                    description: Service account to request a token for.
                    type: dict
                    required: true
                    suboptions:
                      name:
                        description: Name of the service account.
                        type: str
                        required: true
                      namespace:
                        description: Its namespace; only that of the generator itself is looked at.
                        type: str
                      audiences:
                        description: Audiences of the token; the role's O(ignore:audience) must be among them.
                        type: list
                        elements: str
                  audiences:
                    description: Audiences of the token. New versions want them in the service account reference.
                    type: list
                    elements: str
                  expiration_seconds:
                    description: Life of the token in seconds.
                    type: int
          token_secret_ref:
            description: Use a token that stands in a Secret.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace; only that of the generator itself is looked at.
                type: str
          user_pass:
            description: Log in by user name and password.
            type: dict
            suboptions:
              path:
                description: Mount of the auth method.
                type: str
              username:
                description: User name.
                type: str
                required: true
              secret_ref:
                description: Secret that holds the password.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
          ldap:
            description: Log in by LDAP.
            type: dict
            suboptions:
              path:
                description: Mount of the auth method.
                type: str
              username:
                description: User name.
                type: str
                required: true
              secret_ref:
                description: Secret that holds the password.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
          cert:
            description: Log in with a client certificate.
            type: dict
            suboptions:
              path:
                description: Mount of the auth method.
                type: str
              vault_role:
                description: Role of the auth method.
                type: str
              client_cert:
                description: Secret that holds the certificate.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
              secret_ref:
                description: Secret that holds the private key.
                type: dict
                suboptions:
                  name:
                    description: Name of the Secret.
                    type: str
                    required: true
                  key:
                    description: Key in the Secret.
                    type: str
                  namespace:
                    description: Its namespace; only that of the generator itself is looked at.
                    type: str
          iam:
            description: Log in as an AWS identity; the fields of the manifest.
            type: dict
          gcp:
            description: Log in as a Google Cloud identity; the fields of the manifest.
            type: dict
      tls:
        description: Client certificate for the connection. Both or neither.
        type: dict
        suboptions:
          cert_secret_ref:
            description: Secret that holds the certificate.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace; only that of the generator itself is looked at.
                type: str
          key_secret_ref:
            description: Secret that holds the private key.
            type: dict
            suboptions:
              name:
                description: Name of the Secret.
                type: str
                required: true
              key:
                description: Key in the Secret.
                type: str
              namespace:
                description: Its namespace; only that of the generator itself is looked at.
                type: str
      read_your_writes:
        description: Send Vault's consistency header. Acts only together with C(forward_inconsistent).
        type: bool
      forward_inconsistent:
        description: Have reads that a standby cannot answer consistently forwarded. Acts only together with C(read_your_writes).
        type: bool
      headers:
        description: Further HTTP headers. They stand in the object for all to read and are no place for credentials.
        type: dict
  length: &length
    description: For V(Password), how many characters it has. The operator's default is 24.
    type: int
  digits: &digits
    description: For V(Password), how many of them are digits. The operator's default is a quarter.
    type: int
  symbols: &symbols
    description: For V(Password), how many of them are symbols. The operator's default is a quarter.
    type: int
  symbol_characters: &symbol_characters
    description: For V(Password), the symbols to choose from.
    type: str
  no_upper: &no_upper
    description: For V(Password), whether there are no upper case letters.
    type: bool
  allow_repeat: &allow_repeat
    description: For V(Password), whether a character may occur more than once.
    type: bool
  encoding: &encoding
    description: For V(Password), how it is encoded. Not known to old versions of the operator.
    type: str
    choices: [base64, base64url, base32, hex, raw]
  secret_keys: &secret_keys
    description: For V(Password), the keys that get a password each, by default V(password). Not known to old versions of the operator.
    type: list
    elements: str
  generators:
    description: Many generators. Excludes O(name).
    type: list
    elements: dict
    suboptions:
      kind: *kind
      name:
        <<: *name
        required: true
      namespace: *namespace
      labels: *labels
      annotations: *annotations
      spec: *spec
      generator_kind: *generator_kind
      path: *path
      method: *method
      parameters: *parameters
      get_parameters: *get_parameters
      result_type: *result_type
      allow_empty_response: *allow_empty_response
      controller: *controller
      retry_settings: *retry_settings
      provider: *provider
      length: *length
      digits: *digits
      symbols: *symbols
      symbol_characters: *symbol_characters
      no_upper: *no_upper
      allow_repeat: *allow_repeat
      encoding: *encoding
      secret_keys: *secret_keys
      state:
        description: Whether this generator is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Let applications have certificates of the internal authority
  secretops.vault_eso.eso_generator:
    name: web-certificate
    namespace: applications
    path: pki_int/issue/web
    method: POST
    parameters:
      common_name: web.applications.svc
      ttl: 72h
    provider:
      server: https://vault.example.com:8200
      ca_bundle: "{{ lookup('ansible.builtin.file', 'vault-ca.crt') }}"
      auth:
        kubernetes:
          role: applications
          service_account: {name: external-secrets, audiences: [vault]}

- name: Keep such a certificate in a Secret
  secretops.vault_eso.eso_externalsecret:
    name: web-tls
    namespace: applications
    refresh_interval: 24h
    target:
      template:
        type: kubernetes.io/tls
        data:
          tls.crt: "{{ '{{ .certificate }}' }}"
          tls.key: "{{ '{{ .private_key }}' }}"
    data_from:
      - source_ref:
          generator_ref: {kind: VaultDynamicSecret, name: web-certificate}

- name: Ask a service of our own for a value
  secretops.vault_eso.eso_generator:
    kind: Webhook
    name: serial-number
    namespace: applications
    spec:
      url: https://serials.example.com/next
      method: POST
      result:
        jsonPath: $.serial

- name: Declare a password for all namespaces
  secretops.vault_eso.eso_generator:
    kind: ClusterGenerator
    name: long-password
    generator_kind: Password
    length: 40
    symbols: 0
    allow_repeat: true
"""

RETURN = r"""
results:
  description: One entry per generator.
  returned: always
  type: list
  elements: dict
  sample: [{kind: VaultDynamicSecret, name: applications/web-certificate, action: create, changed: true, fields: [spec.path]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 1, update: 0, delete: 0, none: 4, failed: 0, not_reached: 0}
requests:
  description: How many requests were sent, and how many of them were no reads.
  returned: always
  type: dict
  sample: {total: 4, writes: 1}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.generator import Generators
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.module import converge


def main() -> None:
    converge(Generators())


if __name__ == "__main__":
    main()
