#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_pki_certificate
short_description: Keep valid certificates of Vault or OpenBao in files
version_added: 0.1.0
description:
  - Has a PKI engine issue a certificate with its key, and writes both to files on the machine where the module runs.
  - Another one is issued when the file is missing or unreadable, when common name, alternative names or issuer are not as declared, when the key does not
    belong to it, when a file of the chain is missing or another's, when it was revoked, and when it is about to expire.
  - With O(csr) or O(csr_file) a certificate signing request is signed instead. The key stays where the request was made, and no key is written. Another
    certificate is signed in the same cases, and when the request is for another key or, as far as the role takes them from it, other names.
  - One that the next run had to replace, as the server grants too short a life or writes other names into it, is revoked at once, and the module fails.
  - The key is in no output. The files are proven to be writable before a certificate is issued, and issuing is never repeated blindly.
  - A certificate that is replaced is not revoked, as it may be in use until the service that has it is reloaded.
  - A role with C(generate_lease) gives a warning, since the server revokes such a certificate together with the token that asked for it.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
requirements:
  - cryptography
options:
  mount: &mount
    description:
      - Path of the PKI engine, by default V(pki).
      - Next to O(certificates), the mount of entries without one of their own.
    type: str
  role: &role
    description: Name of the PKI role. Needed unless the certificate is to be absent.
    type: str
  common_name: &common_name
    description:
      - Common name. Needed unless the certificate is to be absent.
      - That of a request is taken from it, unless it has none or the role has C(use_csr_common_name=false). One that would be ignored is refused.
    type: str
  alt_names: &alt_names
    description:
      - SANs that are host names or mail addresses. The order does not matter.
      - Those of a request, and O(ip_sans) and O(uri_sans), are taken from it, unless the role has C(use_csr_sans=false). Others would be ignored, and
        are refused.
    type: list
    elements: str
  ip_sans: &ip_sans
    description: IP addresses among the SANs.
    type: list
    elements: str
  uri_sans: &uri_sans
    description: URIs among the SANs.
    type: list
    elements: str
  exclude_cn_from_sans: &exclude_cn_from_sans
    description: Leave the common name out of the SANs.
    type: bool
    default: false
  ttl: &ttl
    description: TTL of the certificate, a duration; by default the role's. Not compared with an existing certificate.
    type: str
  renew_before: &renew_before
    description: Issue a new one when the current one expires within this duration; by default a third of its TTL.
    type: str
  issuer_ref: &issuer_ref
    description: Name or ID of the issuer in the mount; by default the role's.
    type: str
  private_key_format: &private_key_format
    description: Form of the key, V(traditional) as the engine gives it by default, or V(pkcs8). Not compared with that of a key that stands.
    type: str
    choices: [traditional, pkcs8]
    default: traditional
  csr: &csr
    description: Certificate signing request that is signed, as PEM. Excludes O(csr_file) and O(key_dest).
    type: str
  csr_file: &csr_file
    description:
      - Path of a file with the certificate signing request that is signed, on the machine where the module runs. Excludes O(csr) and O(key_dest).
      - In check mode it may not exist yet.
    type: path
  cert_dest: &cert_dest
    description:
      - Path of the file for the certificate; it gets mode 0644. A missing directory is created with mode 0700.
      - With O(state=absent) the certificate in it is revoked, and all named files are removed.
    type: path
  key_dest: &key_dest
    description:
      - Path of the file for the private key; it gets mode 0600.
      - Needed unless a CSR is signed or the certificate is to be absent.
    type: path
  chain_dest: &chain_dest
    description: Path of a file for the CA certificates, the issuer's first.
    type: path
  fullchain_dest: &fullchain_dest
    description: Path of a file for the certificate followed by the CA certificates.
    type: path
  certificates:
    description: Many certificates. Excludes O(cert_dest).
    type: list
    elements: dict
    suboptions:
      mount: *mount
      role: *role
      common_name: *common_name
      alt_names: *alt_names
      ip_sans: *ip_sans
      uri_sans: *uri_sans
      exclude_cn_from_sans: *exclude_cn_from_sans
      ttl: *ttl
      renew_before: *renew_before
      issuer_ref: *issuer_ref
      private_key_format: *private_key_format
      csr: *csr
      csr_file: *csr_file
      cert_dest:
        <<: *cert_dest
        required: true
      key_dest: *key_dest
      chain_dest: *chain_dest
      fullchain_dest: *fullchain_dest
      state:
        description: Whether this certificate is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Keep a certificate that never has less than ten days left
  secretops.vault_eso.vault_pki_certificate:
    mount: pki_int
    role: web
    common_name: shop.apps.example.com
    alt_names: [www.apps.example.com]
    ttl: 720h
    renew_before: 240h
    fullchain_dest: /etc/nginx/tls/shop.fullchain.crt
    cert_dest: /etc/nginx/tls/shop.crt
    key_dest: /etc/nginx/tls/shop.key
  notify: Reload nginx

- name: Sign the request of a key that never leaves its host
  secretops.vault_eso.vault_pki_certificate:
    mount: pki_int
    role: web
    csr_file: /etc/nginx/tls/shop.csr
    ttl: 720h
    cert_dest: /etc/nginx/tls/shop.crt
  notify: Reload nginx

- name: Revoke it and remove its files
  secretops.vault_eso.vault_pki_certificate:
    mount: pki_int
    fullchain_dest: /etc/nginx/tls/shop.fullchain.crt
    cert_dest: /etc/nginx/tls/shop.crt
    key_dest: /etc/nginx/tls/shop.key
    state: absent
"""

RETURN = r"""
results:
  description: One entry per certificate, named by its file.
  returned: always
  type: list
  elements: dict
  sample: [{kind: certificate, name: /etc/nginx/tls/shop.crt, action: update, changed: true, fields: [state]}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
serial_number:
  description: Serial number of the certificate. With O(certificates) this and the following are in each entry's C(info).
  returned: for a single certificate that stands
  type: str
  sample: "39:dd:2e:90:b7:23:1f:8d:d3:7d:31:c5:1b:da:84:d0:5b:65:31:58"
not_after:
  description: When the certificate expires.
  returned: for a single certificate that stands
  type: str
  sample: "2026-01-31T12:00:00+00:00"
issuer:
  description: Subject of the issuer.
  returned: for a single certificate that stands
  type: str
  sample: CN=Example Issuing CA
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.pki.certificate import PkiCertificates


def main() -> None:
    converge(PkiCertificates())


if __name__ == "__main__":
    main()
