# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of the CA of a PKI mount. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, duration_names, fixed_names, normalisers
from ...base.normalisers import default, lower


def issuer_usage(value: Any) -> list[str]:
    """Return the usages of an issuer; reading is always included."""
    return sorted({*normalise.strings(value), "read-only"})


URLS: Sequence[Field] = (
    Field("issuing_certificates", "Addresses of the CA's certificate.", type="list", elements="str"),
    Field("crl_distribution_points", "Addresses of the revocation list.", type="list", elements="str"),
    Field("ocsp_servers", "Addresses of OCSP servers.", type="list", elements="str"),
    Field(
        "enable_templating",
        (
            "Whether the server fills in its own templates in the addresses, such as C(cluster_aia_path) and "
            "C(issuer_id) in double braces."
        ),
        type="bool",
    ),
)
CRL: Sequence[Field] = (
    Field("expiry", "How long a CRL is valid, a duration.", normaliser=normalise.seconds),
    Field("disable", "Whether CRLs are disabled.", type="bool"),
    Field("auto_rebuild", "Whether the CRL is rebuilt before it expires, rather than at each revocation.", type="bool"),
    Field(
        "auto_rebuild_grace_period",
        "How long before its expiry the CRL is rebuilt, a duration.",
        normaliser=normalise.seconds,
    ),
    Field("enable_delta", "Whether delta CRLs are built.", type="bool"),
    Field("delta_rebuild_interval", "How often delta CRLs are built, a duration.", normaliser=normalise.seconds),
    Field("ocsp_disable", "Whether OCSP is disabled.", type="bool"),
    Field("ocsp_expiry", "How long an OCSP answer is valid, a duration.", normaliser=normalise.seconds),
    Field("allow_expired_cert_revocation", "Whether expired certificates can be revoked.", type="bool"),
)
CLUSTER: Sequence[Field] = (
    Field("path", "Address of the mount on this cluster, such as V(https://vault.example.com:8200/v1/pki)."),
    Field("aia_path", "Address of the mount for unencrypted downloads of certificates and CRLs."),
)
TIDY: Sequence[Field] = (
    Field(
        "enabled",
        "Whether automatic tidy is enabled. At least one of the C(tidy_) options must be set then.",
        type="bool",
    ),
    Field("interval_duration", "How often tidy runs, a duration.", normaliser=normalise.seconds),
    Field("tidy_cert_store", "Whether expired certificates are removed.", type="bool"),
    Field("tidy_revoked_certs", "Whether revoked certificates are removed after they have expired.", type="bool"),
    Field("tidy_invalid_certs", "Whether entries that are not certificates are removed (OpenBao).", type="bool"),
    Field(
        "tidy_revoked_cert_issuer_associations",
        "Whether revoked certificates are associated with their issuers.",
        type="bool",
    ),
    Field("tidy_expired_issuers", "Whether expired issuers are removed.", type="bool"),
    Field(
        "tidy_move_legacy_ca_bundle", "Whether the CA bundle of versions before 1.11 is moved to a backup.", type="bool"
    ),
    Field("tidy_acme", "Whether expired ACME accounts, orders and authorizations are removed.", type="bool"),
    Field(
        "safety_buffer", "How long certificates are kept after their expiry, a duration.", normaliser=normalise.seconds
    ),
    Field(
        "revoked_safety_buffer",
        "How long revoked certificates are kept after their expiry, a duration (OpenBao).",
        normaliser=normalise.seconds,
    ),
    Field(
        "issuer_safety_buffer",
        "How long issuers are kept after their expiry, a duration.",
        normaliser=normalise.seconds,
    ),
    Field(
        "acme_account_safety_buffer",
        "How long ACME accounts without orders are kept, a duration.",
        normaliser=normalise.seconds,
    ),
    Field(
        "pause_duration",
        "Pause between two certificates, a duration, to limit the load.",
        normaliser=normalise.seconds,
    ),
    Field("page_size", "Page size for listing certificates (OpenBao).", type="int"),
    Field("maintain_stored_certificate_counts", "Whether the server counts certificates.", type="bool"),
    Field("publish_stored_certificate_count_metrics", "Whether these counts are published as metrics.", type="bool"),
)
#: settings of one issuer
ISSUER: Sequence[Field] = (
    Field(
        "leaf_not_after_behavior",
        (
            "Behaviour for a certificate that would outlive its issuer - refused (V(err)), shortened "
            "(V(truncate)) or issued (V(permit))."
        ),
        choices=("err", "truncate", "permit", "always_enforce_err"),
        normaliser=default("err"),
    ),
    Field(
        "usage",
        "Usages of the issuer, all of them; V(read-only) is always included.",
        type="list",
        elements="str",
        choices=("read-only", "issuing-certificates", "crl-signing", "ocsp-signing"),
        normaliser=issuer_usage,
    ),
    Field(
        "manual_chain",
        ("Names or IDs of the issuers of the chain, from this issuer up; with an empty list the server builds it."),
        type="list",
        elements="str",
        normaliser=normalise.strings,
    ),
    Field(
        "revocation_signature_algorithm",
        "Signature algorithm of CRLs, such as V(SHA256WithRSA) or V(ECDSAWithSHA384).",
        normaliser=lower,
    ),
    Field(
        "issuing_certificates",
        "Addresses of the issuer's certificate instead of those in O(urls). C({mount}) is replaced.",
        type="list",
        elements="str",
    ),
    Field(
        "crl_distribution_points",
        "Addresses of the revocation list instead of those in O(urls). C({mount}) is replaced.",
        type="list",
        elements="str",
    ),
    Field(
        "ocsp_servers",
        "Addresses of OCSP servers instead of those in O(urls). C({mount}) is replaced.",
        type="list",
        elements="str",
    ),
    Field(
        "enable_aia_url_templating", "Whether the server fills in its own templates in these addresses.", type="bool"
    ),
)
#: further issuers
ISSUERS: Sequence[Field] = (
    Field("ref", "Name or ID of the issuer.", required=True),
    Field("issuer_name", "Desired name of the issuer."),
    *ISSUER,
)
FIELDS: Sequence[Field] = (
    Field(
        "mount",
        "Path at which the PKI engine is mounted. With O(state=absent) all its issuers and keys are deleted.",
        sent=False,
    ),
    Field(
        "type",
        "Type of the CA, self-signed (V(root)) or signed by another one (V(intermediate)).",
        choices=("root", "intermediate"),
        default="root",
        sent=False,
    ),
    Field("common_name", "Common name of the CA. Needed unless it is to be absent.", fixed=True),
    Field(
        "issuer_name",
        (
            "Name of the issuer inside the mount. An issuer with another name is renamed when it is the only "
            "one, unless O(new_issuer) is set."
        ),
    ),
    Field(
        "new_issuer",
        (
            (
                "Create one more issuer, a new generation of the CA, when the mount has issuers and none of them "
                "has the name O(issuer_name)."
            ),
            (
                "It becomes the default issuer, unless O(default_issuer) names another one. The older ones stay, so "
                "that their certificates are still trusted and can be revoked; O(issuers) can take the right to "
                "issue away from them."
            ),
            "The new one has a new key, unless O(key_name) names an existing one.",
        ),
        type="bool",
        default=False,
        sent=False,
    ),
    Field("key_name", "Name of the key inside the mount."),
    Field("key_type", "Type of the key, V(rsa) by default.", choices=("rsa", "ec", "ed25519"), fixed=True),
    Field(
        "key_bits", "Size of the key; by default or with V(0) 2048 for V(rsa), 256 for V(ec).", type="int", fixed=True
    ),
    Field(
        "signature_bits",
        "Size of the hash of signatures with RSA keys, such as V(256) or V(384).",
        type="int",
        fixed=True,
    ),
    Field(
        "ttl",
        "How long the certificate is valid, a duration, at most C(max_lease_ttl) of the mount that signs it.",
        normaliser=normalise.seconds,
        fixed=True,
    ),
    Field("not_after", "When the certificate expires, such as V(2036-12-31T23:59:59Z), instead of O(ttl).", fixed=True),
    Field("alt_names", "DNS names and email addresses among the SANs.", type="list", elements="str", fixed=True),
    Field("ip_sans", "IP addresses among the SANs.", type="list", elements="str", fixed=True),
    Field("uri_sans", "URIs among the SANs.", type="list", elements="str", fixed=True),
    Field("exclude_cn_from_sans", "Whether O(common_name) is left out of the SANs.", type="bool", fixed=True),
    Field(
        "max_path_length", "How many levels of CAs may be below this one; V(-1) for no limit.", type="int", fixed=True
    ),
    Field(
        "permitted_dns_domains",
        "Domains for which certificates may be issued below this CA.",
        type="list",
        elements="str",
        fixed=True,
    ),
    Field("organization", "Organizations (O) of the subject.", type="list", elements="str", fixed=True),
    Field("ou", "Organizational units (OU) of the subject.", type="list", elements="str", fixed=True),
    Field("country", "Countries (C) of the subject.", type="list", elements="str", fixed=True),
    Field("locality", "Localities (L) of the subject.", type="list", elements="str", fixed=True),
    Field("province", "Provinces (ST) of the subject.", type="list", elements="str", fixed=True),
    Field("street_address", "Street addresses of the subject.", type="list", elements="str", fixed=True),
    Field("postal_code", "Postal codes of the subject.", type="list", elements="str", fixed=True),
    Field(
        "issuer_mount", "Mount on the same server that signs this intermediate. Excludes O(certificate).", sent=False
    ),
    Field(
        "issuer_ref",
        "Name or ID of the signing issuer in O(issuer_mount); by default its default issuer.",
        sent=False,
    ),
    Field(
        "certificate",
        "Certificate that an external CA created from the returned C(csr), as PEM, followed by its chain.",
        sent=False,
    ),
    Field("default_issuer", "Name or ID of the mount's default issuer."),
    Field(
        "urls",
        (
            "Where clients find this CA. C({mount}) is replaced by the mount's path. Fields that are left out stay "
            "unchanged."
        ),
        type="dict",
        fields=URLS,
        sent=False,
    ),
    Field(
        "crl",
        "Settings of CRLs and OCSP. Fields that are left out stay unchanged.",
        type="dict",
        fields=CRL,
        sent=False,
    ),
    Field(
        "cluster",
        "This cluster's own addresses, for templates and ACME. Fields that are left out stay unchanged.",
        type="dict",
        fields=CLUSTER,
        sent=False,
    ),
    Field(
        "tidy",
        "Automatic tidy of the mount. Fields that are left out stay unchanged.",
        type="dict",
        fields=TIDY,
        sent=False,
    ),
    Field(
        "issuer",
        "Settings of the CA's own issuer. Fields that are left out stay unchanged.",
        type="dict",
        fields=ISSUER,
        sent=False,
    ),
    Field(
        "issuers",
        (
            "Settings of further issuers of the mount, such as older or imported ones. Fields that are left "
            "out stay unchanged."
        ),
        type="list",
        elements="dict",
        fields=ISSUERS,
        sent=False,
    ),
)
#: the groups of settings of the mount, by option
GROUPS: dict[str, dict[str, normalise.Normaliser]] = {
    "urls": normalisers(URLS),
    "crl": normalisers(CRL),
    "cluster": normalisers(CLUSTER),
    "tidy": normalisers(TIDY),
}
#: path of a group below ``config``, where it differs from its name
PLACES = {"tidy": "auto-tidy"}
#: attributes of the certificate, which are fixed after creation
CERTIFICATE = fixed_names(FIELDS)
#: fields that are durations
TIMES = duration_names((*CRL, *TIDY, *FIELDS))
#: the switches of tidy
TIDY_WHAT = tuple(field.name for field in TIDY if field.name.startswith("tidy_"))
#: settings of one issuer
ISSUER_SETTINGS = normalisers(ISSUER)


def with_mount(urls: Mapping[str, Any], mount: str) -> dict[str, Any]:
    """Return url settings with ``{mount}`` or ``{{mount}}`` replaced by the mount's path."""

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        return re.sub(r"\{\{\s*mount\s*\}\}|\{mount\}", mount, value) if isinstance(value, str) else value

    return {name: filled(value) for name, value in urls.items()}


def check_groups(declared: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse settings that the server would refuse; ``after``: as they are after the write. Raises InvalidInput."""
    if declared.get("crl.enable_delta") and not after.get("crl.auto_rebuild"):
        raise InvalidInput('"enable_delta" is for lists that are rebuilt', remedy='set "auto_rebuild: true" as well')
    grace, expiry = (normalise.seconds(after.get("crl." + name)) for name in ("auto_rebuild_grace_period", "expiry"))
    if after.get("crl.auto_rebuild") and grace and expiry and grace >= expiry:
        raise InvalidInput('"auto_rebuild_grace_period" is not shorter than "expiry"', remedy="correct one of the two")
    if declared.get("tidy.enabled") and not any(after.get("tidy.%s" % name) for name in TIDY_WHAT):
        raise InvalidInput(
            '"tidy" is enabled, and nothing is to be cleared up', remedy="set one of %s" % ", ".join(TIDY_WHAT)
        )
