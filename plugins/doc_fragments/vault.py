# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that all Vault modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection and login."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the server, such as V(https://vault.example.com:8200).
      - Of several addresses the active node's is taken, else the first one that is initialised and unsealed.
      - Token and data are sent to these addresses only. Where standbys redirect to the active node, name all nodes.
      - Without it the environment variable E(BAO_ADDR), then E(VAULT_ADDR) is used; both may hold several, separated by commas.
    type: list
    elements: str
    aliases: [vault_addr]
  ca_cert:
    description:
      - Path of the PEM file with the CA certificates that the server's certificate is checked against.
      - Without it E(BAO_CACERT), then E(VAULT_CACERT), then E(REQUESTS_CA_BUNDLE) or the CA certificates of Python's library requests.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate is checked. Never switch this off outside a trial.
      - Without it the opposite of E(BAO_SKIP_VERIFY) or E(VAULT_SKIP_VERIFY).
    type: bool
  tls_server_name:
    description: Name to look for in the server's certificate instead of the address's. E(BAO_TLS_SERVER_NAME), E(VAULT_TLS_SERVER_NAME).
    type: str
  namespace:
    description: Namespace in which the module works, E(BAO_NAMESPACE), E(VAULT_NAMESPACE).
    type: str
  timeout:
    description: Seconds that one request may take, from the look-up of the name to the last byte of the answer.
    type: int
    default: 30
  retries:
    description: How often a request that may be repeated safely is repeated after a connection error or the answers 412, 429, 502 and 503.
    type: int
    default: 4
  follow_redirects:
    description:
      - Whether a standby may send the module on to the active node, by status 307 or 308 and to an address that O(url) names.
      - With V(false) a node that redirects instead of forwarding is an error, which proves that a standby can forward.
    type: bool
    default: true
  client_cert:
    description: Path of a PEM client certificate, for servers that ask for one and for a login by certificate. E(BAO_CLIENT_CERT), E(VAULT_CLIENT_CERT).
    type: path
  client_key:
    description: Path of the client certificate's private key. E(BAO_CLIENT_KEY), E(VAULT_CLIENT_KEY).
    type: path
  proxy:
    description:
      - URL of an HTTP proxy that all requests take. E(BAO_PROXY_ADDR), E(VAULT_PROXY_ADDR), E(BAO_HTTP_PROXY), E(VAULT_HTTP_PROXY).
      - Without it E(HTTPS_PROXY) and E(NO_PROXY), as other tools read them.
    type: str
requirements:
  - hvac >= 2.3
"""

    LOGIN = r"""
options:
  auth_method:
    description:
      - How to log in. With V(token) a token that exists is used and left alone.
      - With all others the module logs in and revokes its token when it ends; P(secretops.vault_eso.vault_login#module) makes one token for a whole play.
      - By default V(token), or V(approle) where no token is given and the environment has E(VAULT_APPROLE_ROLE_ID) and E(VAULT_APPROLE_SECRET_ID).
    type: str
    choices: [approle, cert, jwt, kubernetes, ldap, token, userpass]
  auth_mount:
    description: Path at which the auth method is mounted; by default the method's name.
    type: str
  auth_role:
    description: Role to log in with, for O(auth_method=cert), O(auth_method=jwt) and O(auth_method=kubernetes).
    type: str
  token:
    description:
      - Token, for O(auth_method=token).
      - Without it O(token_file), E(BAO_TOKEN), E(VAULT_TOKEN) and C(~/.vault-token) are tried, in this order.
    type: str
  token_file:
    description: Path of a file that holds the token, as P(secretops.vault_eso.vault_login#module) writes it.
    type: path
  role_id:
    description: Role ID, for O(auth_method=approle). E(BAO_APPROLE_ROLE_ID), E(VAULT_APPROLE_ROLE_ID).
    type: str
  role_id_file:
    description: Path of a file that holds the role ID.
    type: path
  secret_id:
    description: Secret ID, for O(auth_method=approle). E(BAO_APPROLE_SECRET_ID), E(VAULT_APPROLE_SECRET_ID).
    type: str
  secret_id_file:
    description: Path of a file that holds the secret ID.
    type: path
  jwt:
    description: JSON web token, for O(auth_method=jwt) and O(auth_method=kubernetes).
    type: str
  jwt_file:
    description: Path of a file that holds the JSON web token; for O(auth_method=kubernetes) by default the pod's own service account token.
    type: path
  username:
    description: User name, for O(auth_method=ldap) and O(auth_method=userpass).
    type: str
  password:
    description: Password, for O(auth_method=ldap) and O(auth_method=userpass).
    type: str
"""

    SHARES = r"""
options:
  key_store:
    description: Path of the key store of P(secretops.vault_eso.vault_init#module). Its key shares are taken unless others are given.
    type: path
  shares:
    description:
      - Key shares that are valid now, base64 or hexadecimal. O(shares_file) is better, because these stand in Ansible's variables.
    type: list
    elements: str
  shares_file:
    description: Path of a file with one key share a line, or a JSON list of them.
    type: path
"""
