# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookups share beside the modules' options of connection and login: where those come from."""

from __future__ import annotations


class ModuleDocFragment:
    """Sources of the options: variables, environment, ansible.cfg."""

    #: one key of what was read
    FIELD = r"""
options:
  field:
    description: Key whose value is returned instead of all of them.
    type: str
"""

    #: a KV engine; the lookup says what it is for, and which one is the default
    MOUNT = r"""
options:
  mount:
    type: str
    aliases: [engine_mount_point]
"""

    DOCUMENTATION = r"""
options:
  _terms:
    type: list
    elements: str
    required: true
  default:
    description:
      - What to return for what does not exist. Without it that is an error.
      - A denied request, a server that is sealed or does not answer, and a mount that does not exist are errors in any case.
    type: raw
  fresh:
    description:
      - Read again, although the run has read the same before; the other lookups of the run get the new value then too.
      - Use it where the run itself has changed what is read.
    type: bool
    default: false
  mask:
    description:
      - Whether a task that looks something up shows nothing of its result, as with C(no_log=true).
      - With V(false) set C(no_log) yourself where a value could be shown.
    type: bool
    default: true
    vars: [{name: vault_lookup_mask}]
    env: [{name: ANSIBLE_VAULT_LOOKUP_MASK}]
    ini: [{section: vault_lookup, key: mask}]
  connection:
    description: Options of the connection and the login by name, for those that are not given otherwise. The roles of this collection use the same variable.
    type: dict
    vars: [{name: vault_connection}]
  login:
    description:
      - Options of the login by name, for those that are not given otherwise. The roles of this collection use the same variable.
      - Within a play that has logged in with P(secretops.vault_eso.vault_session#role) its session is used instead.
    type: dict
    vars: [{name: vault_session_login}]
  token_validate:
    description: Taken for compatibility, and not needed. An invalid token is told from missing permissions in any case.
    type: bool
  retry_action:
    description: Taken for compatibility, and without effect.
    type: str
  url:
    aliases: [vault_addr]
    vars: [{name: ansible_hashi_vault_addr}, {name: ansible_hashi_vault_url}]
    env: [{name: ANSIBLE_HASHI_VAULT_ADDR}, {name: ANSIBLE_HASHI_VAULT_URL}]
    ini: [{section: hashi_vault_collection, key: url}]
  ca_cert:
    aliases: [cacert]
    vars: [{name: ansible_hashi_vault_ca_cert}]
    env: [{name: ANSIBLE_HASHI_VAULT_CA_CERT}]
    ini: [{section: hashi_vault_collection, key: ca_cert}]
  validate_certs:
    vars: [{name: ansible_hashi_vault_validate_certs}]
    env: [{name: ANSIBLE_HASHI_VAULT_VALIDATE_CERTS}]
    ini: [{section: hashi_vault_collection, key: validate_certs}]
  tls_server_name:
    vars: [{name: ansible_hashi_vault_tls_server_name}]
    env: [{name: ANSIBLE_HASHI_VAULT_TLS_SERVER_NAME}]
    ini: [{section: hashi_vault_collection, key: tls_server_name}]
  namespace:
    vars: [{name: ansible_hashi_vault_namespace}]
    env: [{name: ANSIBLE_HASHI_VAULT_NAMESPACE}]
    ini: [{section: hashi_vault_collection, key: namespace}]
  timeout:
    vars: [{name: ansible_hashi_vault_timeout}]
    env: [{name: ANSIBLE_HASHI_VAULT_TIMEOUT}]
    ini: [{section: hashi_vault_collection, key: timeout}]
  retries:
    vars: [{name: ansible_hashi_vault_retries}]
    env: [{name: ANSIBLE_HASHI_VAULT_RETRIES}]
    ini: [{section: hashi_vault_collection, key: retries}]
  client_cert:
    aliases: [cert_auth_public_key]
    vars: [{name: ansible_hashi_vault_cert_auth_public_key}]
    env: [{name: ANSIBLE_HASHI_VAULT_CERT_AUTH_PUBLIC_KEY}]
    ini: [{section: hashi_vault_collection, key: cert_auth_public_key}]
  client_key:
    aliases: [cert_auth_private_key]
    vars: [{name: ansible_hashi_vault_cert_auth_private_key}]
    env: [{name: ANSIBLE_HASHI_VAULT_CERT_AUTH_PRIVATE_KEY}]
    ini: [{section: hashi_vault_collection, key: cert_auth_private_key}]
  proxy:
    description:
      - URL of an HTTP proxy that all requests take. E(BAO_PROXY_ADDR), E(VAULT_PROXY_ADDR), E(BAO_HTTP_PROXY), E(VAULT_HTTP_PROXY).
      - A mapping of V(http) and V(https), also as text of JSON, says one for each scheme of O(url).
      - Without it E(HTTPS_PROXY) and E(NO_PROXY), as other tools read them.
    type: raw
    aliases: [proxies]
    vars: [{name: ansible_hashi_vault_proxies}]
    env: [{name: ANSIBLE_HASHI_VAULT_PROXIES}]
    ini: [{section: hashi_vault_collection, key: proxies}]
  auth_method:
    vars: [{name: ansible_hashi_vault_auth_method}]
    env: [{name: ANSIBLE_HASHI_VAULT_AUTH_METHOD}]
    ini: [{section: hashi_vault_collection, key: auth_method}]
  auth_mount:
    aliases: [mount_point]
    vars: [{name: ansible_hashi_vault_mount_point}]
    env: [{name: ANSIBLE_HASHI_VAULT_MOUNT_POINT}]
    ini: [{section: hashi_vault_collection, key: mount_point}]
  auth_role:
    vars: [{name: ansible_hashi_vault_auth_role}]
    env: [{name: ANSIBLE_HASHI_VAULT_AUTH_ROLE}]
    ini: [{section: hashi_vault_collection, key: auth_role}]
  token:
    vars: [{name: ansible_hashi_vault_token}]
    env: [{name: ANSIBLE_HASHI_VAULT_TOKEN}]
  token_file:
    type: str
    vars: [{name: ansible_hashi_vault_token_file}]
    env: [{name: ANSIBLE_HASHI_VAULT_TOKEN_FILE}]
    ini: [{section: hashi_vault_collection, key: token_file}]
  token_path:
    description: Directory of O(token_file), which is C(.vault-token) then unless it is given.
    type: path
    vars: [{name: ansible_hashi_vault_token_path}]
    env: [{name: ANSIBLE_HASHI_VAULT_TOKEN_PATH}]
    ini: [{section: hashi_vault_collection, key: token_path}]
  role_id:
    vars: [{name: ansible_hashi_vault_role_id}]
    env: [{name: ANSIBLE_HASHI_VAULT_ROLE_ID}]
    ini: [{section: hashi_vault_collection, key: role_id}]
  role_id_file:
    vars: [{name: ansible_hashi_vault_role_id_file}]
    env: [{name: ANSIBLE_HASHI_VAULT_ROLE_ID_FILE}]
    ini: [{section: hashi_vault_collection, key: role_id_file}]
  secret_id:
    vars: [{name: ansible_hashi_vault_secret_id}]
    env: [{name: ANSIBLE_HASHI_VAULT_SECRET_ID}]
  secret_id_file:
    vars: [{name: ansible_hashi_vault_secret_id_file}]
    env: [{name: ANSIBLE_HASHI_VAULT_SECRET_ID_FILE}]
    ini: [{section: hashi_vault_collection, key: secret_id_file}]
  jwt:
    vars: [{name: ansible_hashi_vault_jwt}]
    env: [{name: ANSIBLE_HASHI_VAULT_JWT}]
  jwt_file:
    vars: [{name: ansible_hashi_vault_jwt_file}]
    env: [{name: ANSIBLE_HASHI_VAULT_JWT_FILE}]
    ini: [{section: hashi_vault_collection, key: jwt_file}]
  username:
    vars: [{name: ansible_hashi_vault_username}]
    env: [{name: ANSIBLE_HASHI_VAULT_USERNAME}]
    ini: [{section: hashi_vault_collection, key: username}]
  password:
    vars: [{name: ansible_hashi_vault_password}]
    env: [{name: ANSIBLE_HASHI_VAULT_PASSWORD}]
notes:
  - One login serves all lookups of a run that log in alike, over all templates, hosts and forks, and each value is read once. A process that the
    first lookup starts holds both in memory, and revokes the token when the run ends, in whatever way it ends.
  - A token that was made by a login lives for five minutes at most when nobody renews it, where the auth method lets us choose.
  - That something is missing, and errors, are remembered for five seconds, a refused login for thirty; values for the whole run. See O(fresh).
  - The task that looks something up shows nothing of its result. A value that is put into a fact or a registered variable is shown by every
    task that prints it. See O(mask).
  - Options are taken from the lookup itself, then from variables, C(ANSIBLE_HASHI_VAULT_*), C(ansible.cfg), the variables C(vault_connection) and
    C(vault_session_login), and at last from C(BAO_*) and C(VAULT_*).
"""
