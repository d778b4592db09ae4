#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vault_pki_ca
short_description: Manage the certificate authority of a PKI engine of Vault or OpenBao
version_added: 0.1.0
description:
  - Generates a root, or an intermediate signed by another mount of the server or by an external authority, when the mount has no issuer, and
    manages the settings around it.
  - The private key is made by the server and never leaves it.
  - A certificate that exists stays as it is. Where it differs from what is declared, a warning says so.
  - An intermediate for an external authority takes two runs. The first returns the certificate signing request as C(csr), and every further run
    returns one for the same key, until the signed O(certificate) is given.
author: secretops.vault_eso contributors (@secretops)
extends_documentation_fragment:
  - secretops.vault_eso.vault
  - secretops.vault_eso.vault.login
  - secretops.vault_eso.reconcile
options:
  mount: &mount
    description: Path at which the PKI engine is mounted. With O(state=absent) all its issuers and keys are deleted.
    type: str
  type: &type
    description: Type of the CA, self-signed (V(root)) or signed by another one (V(intermediate)).
    type: str
    choices: [root, intermediate]
    default: root
  common_name: &common_name
    description: Common name of the CA. Needed unless it is to be absent.
    type: str
  issuer_name: &issuer_name
    description: Name of the issuer inside the mount. An issuer with another name is renamed when it is the only one, unless O(new_issuer) is set.
    type: str
  new_issuer: &new_issuer
    description:
      - Create one more issuer, a new generation of the CA, when the mount has issuers and none of them has the name O(issuer_name).
      - It becomes the default issuer, unless O(default_issuer) names another one. The older ones stay, so that their certificates are still trusted
        and can be revoked; O(issuers) can take the right to issue away from them.
      - The new one has a new key, unless O(key_name) names an existing one.
    type: bool
    default: false
  key_name: &key_name
    description: Name of the key inside the mount.
    type: str
  key_type: &key_type
    description: Type of the key, V(rsa) by default.
    type: str
    choices: [rsa, ec, ed25519]
  key_bits: &key_bits
    description: Size of the key; by default or with V(0) 2048 for V(rsa), 256 for V(ec).
    type: int
  signature_bits: &signature_bits
    description: Size of the hash of signatures with RSA keys, such as V(256) or V(384).
    type: int
  ttl: &ttl
    description: How long the certificate is valid, a duration, at most C(max_lease_ttl) of the mount that signs it.
    type: str
  not_after: &not_after
    description: When the certificate expires, such as V(2036-12-31T23:59:59Z), instead of O(ttl).
    type: str
  alt_names: &alt_names
    description: DNS names and email addresses among the SANs.
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
    description: Whether O(common_name) is left out of the SANs.
    type: bool
  max_path_length: &max_path_length
    description: How many levels of CAs may be below this one; V(-1) for no limit.
    type: int
  permitted_dns_domains: &permitted_dns_domains
    description: Domains for which certificates may be issued below this CA.
    type: list
    elements: str
  organization: &organization
    description: Organizations (O) of the subject.
    type: list
    elements: str
  ou: &ou
    description: Organizational units (OU) of the subject.
    type: list
    elements: str
  country: &country
    description: Countries (C) of the subject.
    type: list
    elements: str
  locality: &locality
    description: Localities (L) of the subject.
    type: list
    elements: str
  province: &province
    description: Provinces (ST) of the subject.
    type: list
    elements: str
  street_address: &street_address
    description: Street addresses of the subject.
    type: list
    elements: str
  postal_code: &postal_code
    description: Postal codes of the subject.
    type: list
    elements: str
  issuer_mount: &issuer_mount
    description: Mount on the same server that signs this intermediate. Excludes O(certificate).
    type: str
  issuer_ref: &issuer_ref
    description: Name or ID of the signing issuer in O(issuer_mount); by default its default issuer.
    type: str
  certificate: &certificate
    description: Certificate that an external CA created from the returned C(csr), as PEM, followed by its chain.
    type: str
  default_issuer: &default_issuer
    description: Name or ID of the mount's default issuer.
    type: str
  urls: &urls
    description: Where clients find this CA. C({mount}) is replaced by the mount's path. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      issuing_certificates:
        description: Addresses of the CA's certificate.
        type: list
        elements: str
      crl_distribution_points:
        description: Addresses of the revocation list.
        type: list
        elements: str
      ocsp_servers:
        description: Addresses of OCSP servers.
        type: list
        elements: str
      enable_templating:
        description: Whether the server fills in its own templates in the addresses, such as C(cluster_aia_path) and C(issuer_id) in double braces.
        type: bool
  crl: &crl
    description: Settings of CRLs and OCSP. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      expiry:
        description: How long a CRL is valid, a duration.
        type: str
      disable:
        description: Whether CRLs are disabled.
        type: bool
      auto_rebuild:
        description: Whether the CRL is rebuilt before it expires, rather than at each revocation.
        type: bool
      auto_rebuild_grace_period:
        description: How long before its expiry the CRL is rebuilt, a duration.
        type: str
      enable_delta:
        description: Whether delta CRLs are built.
        type: bool
      delta_rebuild_interval:
        description: How often delta CRLs are built, a duration.
        type: str
      ocsp_disable:
        description: Whether OCSP is disabled.
        type: bool
      ocsp_expiry:
        description: How long an OCSP answer is valid, a duration.
        type: str
      allow_expired_cert_revocation:
        description: Whether expired certificates can be revoked.
        type: bool
  cluster: &cluster
    description: This cluster's own addresses, for templates and ACME. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      path:
        description: Address of the mount on this cluster, such as V(https://vault.example.com:8200/v1/pki).
        type: str
      aia_path:
        description: Address of the mount for unencrypted downloads of certificates and CRLs.
        type: str
  tidy: &tidy
    description: Automatic tidy of the mount. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      enabled:
        description: Whether automatic tidy is enabled. At least one of the C(tidy_) options must be set then.
        type: bool
      interval_duration:
        description: How often tidy runs, a duration.
        type: str
      tidy_cert_store:
        description: Whether expired certificates are removed.
        type: bool
      tidy_revoked_certs:
        description: Whether revoked certificates are removed after they have expired.
        type: bool
      tidy_invalid_certs:
        description: Whether entries that are not certificates are removed (OpenBao).
        type: bool
      tidy_revoked_cert_issuer_associations:
        description: Whether revoked certificates are associated with their issuers.
        type: bool
      tidy_expired_issuers:
        description: Whether expired issuers are removed.
        type: bool
      tidy_move_legacy_ca_bundle:
        description: Whether the CA bundle of versions before 1.11 is moved to a backup.
        type: bool
      tidy_acme:
        description: Whether expired ACME accounts, orders and authorizations are removed.
        type: bool
      safety_buffer:
        description: How long certificates are kept after their expiry, a duration.
        type: str
      revoked_safety_buffer:
        description: How long revoked certificates are kept after their expiry, a duration (OpenBao).
        type: str
      issuer_safety_buffer:
        description: How long issuers are kept after their expiry, a duration.
        type: str
      acme_account_safety_buffer:
        description: How long ACME accounts without orders are kept, a duration.
        type: str
      pause_duration:
        description: Pause between two certificates, a duration, to limit the load.
        type: str
      page_size:
        description: Page size for listing certificates (OpenBao).
        type: int
      maintain_stored_certificate_counts:
        description: Whether the server counts certificates.
        type: bool
      publish_stored_certificate_count_metrics:
        description: Whether these counts are published as metrics.
        type: bool
  issuer: &issuer
    description: Settings of the CA's own issuer. Fields that are left out stay unchanged.
    type: dict
    suboptions:
      leaf_not_after_behavior:
        description: Behaviour for a certificate that would outlive its issuer - refused (V(err)), shortened (V(truncate)) or issued (V(permit)).
        type: str
        choices: [err, truncate, permit, always_enforce_err]
      usage:
        description: Usages of the issuer, all of them; V(read-only) is always included.
        type: list
        elements: str
        choices: [read-only, issuing-certificates, crl-signing, ocsp-signing]
      manual_chain:
        description: Names or IDs of the issuers of the chain, from this issuer up; with an empty list the server builds it.
        type: list
        elements: str
      revocation_signature_algorithm:
        description: Signature algorithm of CRLs, such as V(SHA256WithRSA) or V(ECDSAWithSHA384).
        type: str
      issuing_certificates:
        description: Addresses of the issuer's certificate instead of those in O(urls). C({mount}) is replaced.
        type: list
        elements: str
      crl_distribution_points:
        description: Addresses of the revocation list instead of those in O(urls). C({mount}) is replaced.
        type: list
        elements: str
      ocsp_servers:
        description: Addresses of OCSP servers instead of those in O(urls). C({mount}) is replaced.
        type: list
        elements: str
      enable_aia_url_templating:
        description: Whether the server fills in its own templates in these addresses.
        type: bool
  issuers: &issuers
    description: Settings of further issuers of the mount, such as older or imported ones. Fields that are left out stay unchanged.
    type: list
    elements: dict
    suboptions:
      ref:
        description: Name or ID of the issuer.
        type: str
        required: true
      issuer_name:
        description: Desired name of the issuer.
        type: str
      leaf_not_after_behavior:
        description: Behaviour for a certificate that would outlive its issuer - refused (V(err)), shortened (V(truncate)) or issued (V(permit)).
        type: str
        choices: [err, truncate, permit, always_enforce_err]
      usage:
        description: Usages of the issuer, all of them; V(read-only) is always included.
        type: list
        elements: str
        choices: [read-only, issuing-certificates, crl-signing, ocsp-signing]
      manual_chain:
        description: Names or IDs of the issuers of the chain, from this issuer up; with an empty list the server builds it.
        type: list
        elements: str
      revocation_signature_algorithm:
        description: Signature algorithm of CRLs, such as V(SHA256WithRSA) or V(ECDSAWithSHA384).
        type: str
      issuing_certificates:
        description: Addresses of the issuer's certificate instead of those in O(urls). C({mount}) is replaced.
        type: list
        elements: str
      crl_distribution_points:
        description: Addresses of the revocation list instead of those in O(urls). C({mount}) is replaced.
        type: list
        elements: str
      ocsp_servers:
        description: Addresses of OCSP servers instead of those in O(urls). C({mount}) is replaced.
        type: list
        elements: str
      enable_aia_url_templating:
        description: Whether the server fills in its own templates in these addresses.
        type: bool
  authorities:
    description: Many authorities. One that signs another is made before it, in whatever order they are given. Excludes O(mount).
    type: list
    elements: dict
    suboptions:
      mount:
        <<: *mount
        required: true
      type: *type
      common_name: *common_name
      issuer_name: *issuer_name
      new_issuer: *new_issuer
      key_name: *key_name
      key_type: *key_type
      key_bits: *key_bits
      signature_bits: *signature_bits
      ttl: *ttl
      not_after: *not_after
      alt_names: *alt_names
      ip_sans: *ip_sans
      uri_sans: *uri_sans
      exclude_cn_from_sans: *exclude_cn_from_sans
      max_path_length: *max_path_length
      permitted_dns_domains: *permitted_dns_domains
      organization: *organization
      ou: *ou
      country: *country
      locality: *locality
      province: *province
      street_address: *street_address
      postal_code: *postal_code
      issuer_mount: *issuer_mount
      issuer_ref: *issuer_ref
      certificate: *certificate
      default_issuer: *default_issuer
      urls: *urls
      crl: *crl
      cluster: *cluster
      tidy: *tidy
      issuer: *issuer
      issuers: *issuers
      state:
        description: Whether this authority is to exist; by default the module's O(state).
        type: str
        choices: [present, absent]
"""

EXAMPLES = r"""
- name: Make a root and an intermediate that it signs
  secretops.vault_eso.vault_pki_ca:
    authorities:
      - mount: pki
        common_name: Example Root CA
        organization: [Example Ltd]
        issuer_name: root-2026
        key_type: ec
        key_bits: 384
        ttl: 87600h
      - mount: pki_int
        type: intermediate
        issuer_mount: pki
        common_name: Example Issuing CA
        issuer_name: issuing-2026
        ttl: 43800h
        urls:
          issuing_certificates: ["https://vault.example.com:8200/v1/{mount}/ca"]
          crl_distribution_points: ["https://vault.example.com:8200/v1/{mount}/crl"]
        crl:
          expiry: 72h
          auto_rebuild: true
        tidy:
          enabled: true
          interval_duration: 24h
          tidy_cert_store: true
          tidy_revoked_certs: true
        issuer:
          leaf_not_after_behavior: truncate

- name: Ask for a certificate signing request
  secretops.vault_eso.vault_pki_ca:
    mount: pki_ext
    type: intermediate
    common_name: Example External CA
  register: request

- name: Give the certificate that the external authority made of it
  secretops.vault_eso.vault_pki_ca:
    mount: pki_ext
    type: intermediate
    common_name: Example External CA
    certificate: "{{ lookup('ansible.builtin.file', 'external-ca.pem') }}"
"""

RETURN = r"""
results:
  description: One entry per authority. Its C(info) holds the values described below.
  returned: always
  type: list
  elements: dict
  sample: [{kind: PKI CA, name: pki, action: update, changed: true, fields: [crl.expiry], info: {mount: pki, issuer_name: root-2026}}]
summary:
  description: How many objects were created, updated, deleted, left alone, failed or not reached.
  returned: always
  type: dict
  sample: {create: 0, update: 1, delete: 0, none: 4, failed: 0, not_reached: 0}
certificate:
  description: The authority's certificate, as PEM.
  returned: for a single authority that has one
  type: str
  sample: "-----BEGIN CERTIFICATE-----\n..."
ca_chain:
  description: The certificates from this authority up, as PEM.
  returned: for a single authority that has a certificate
  type: list
  elements: str
  sample: ["-----BEGIN CERTIFICATE-----\n..."]
issuer_id:
  description: Id of the issuer.
  returned: for a single authority that has a certificate
  type: str
  sample: 6a02a2a0-b033-8db7-4d1f-bd2b68fe0aa7
issuer_name:
  description: Name of the issuer.
  returned: for a single authority that has a certificate
  type: str
  sample: root-2026
key_id:
  description: Id of the key inside the mount.
  returned: for a single authority that has a key
  type: str
  sample: 306f356f-41f3-73fb-714d-bc39e1e5cc43
csr:
  description: Certificate signing request for an external authority, as PEM.
  returned: for a single intermediate authority that waits for its certificate
  type: str
  sample: "-----BEGIN CERTIFICATE REQUEST-----\n..."
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.connection.module import converge
from ansible_collections.secretops.vault_eso.plugins.module_utils._vault.engines.pki.ca import PkiCas


def main() -> None:
    converge(PkiCas())


if __name__ == "__main__":
    main()
