# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The fields of the certificate authority of a PKI mount. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...._engine import normalise
from ...._engine.errors import InvalidInput
from ...._engine.field import Field, duration_names, fixed_names, normalisers
from ...base.normalisers import default, lower


def issuer_usage(value: Any) -> list[str]:
    """Return what an issuer may do; reading is always among it."""
    return sorted({*normalise.strings(value), "read-only"})


URLS: Sequence[Field] = (
    Field("issuing_certificates", "Addresses of the authority's certificate.", type="list", elements="str"),
    Field("crl_distribution_points", "Addresses of the revocation list.", type="list", elements="str"),
    Field("ocsp_servers", "Addresses of OCSP servers.", type="list", elements="str"),
    Field(
        "enable_templating",
        (
            "Whether the server replaces its own templates in the addresses, such as C(cluster_aia_path) and "
            "C(issuer_id) in double braces."
        ),
        type="bool",
    ),
)
CRL: Sequence[Field] = (
    Field("expiry", "How long a list is valid, a duration.", normaliser=normalise.seconds),
    Field("disable", "Whether no list is made.", type="bool"),
    Field(
        "auto_rebuild", "Whether the list is made anew before it expires, rather than at each revocation.", type="bool"
    ),
    Field(
        "auto_rebuild_grace_period",
        "How long before its expiry the list is made anew, a duration.",
        normaliser=normalise.seconds,
    ),
    Field("enable_delta", "Whether delta lists are made.", type="bool"),
    Field("delta_rebuild_interval", "How often delta lists are made, a duration.", normaliser=normalise.seconds),
    Field("ocsp_disable", "Whether OCSP is off.", type="bool"),
    Field("ocsp_expiry", "How long an OCSP answer is valid, a duration.", normaliser=normalise.seconds),
    Field("allow_expired_cert_revocation", "Whether expired certificates can be revoked.", type="bool"),
)
CLUSTER: Sequence[Field] = (
    Field("path", "Address of the mount on this cluster, such as V(https://vault.example.com:8200/v1/pki)."),
    Field("aia_path", "Address of the mount for unencrypted downloads of certificates and lists."),
)
TIDY: Sequence[Field] = (
    Field(
        "enabled", "Whether it clears up by itself. At least one of the C(tidy_) options must be set then.", type="bool"
    ),
    Field("interval_duration", "How often, a duration.", normaliser=normalise.seconds),
    Field("tidy_cert_store", "Whether expired certificates are removed.", type="bool"),
    Field("tidy_revoked_certs", "Whether revoked certificates are removed when they have expired.", type="bool"),
    Field("tidy_invalid_certs", "Whether entries that are no certificates are removed (OpenBao).", type="bool"),
    Field(
        "tidy_revoked_cert_issuer_associations",
        "Whether revoked certificates without issuer are joined with theirs.",
        type="bool",
    ),
    Field("tidy_expired_issuers", "Whether expired issuers are removed.", type="bool"),
    Field("tidy_move_legacy_ca_bundle", "Whether the store of versions before 1.11 is moved away.", type="bool"),
    Field("tidy_acme", "Whether expired ACME accounts, orders and authorizations are removed.", type="bool"),
    Field("safety_buffer", "How long certificates stay after their expiry, a duration.", normaliser=normalise.seconds),
    Field(
        "revoked_safety_buffer",
        "How long revoked certificates stay after their expiry, a duration (OpenBao).",
        normaliser=normalise.seconds,
    ),
    Field(
        "issuer_safety_buffer", "How long issuers stay after their expiry, a duration.", normaliser=normalise.seconds
    ),
    Field(
        "acme_account_safety_buffer",
        "How long ACME accounts stay without orders, a duration.",
        normaliser=normalise.seconds,
    ),
    Field(
        "pause_duration",
        "Pause between two certificates, a duration, so that others get their turn.",
        normaliser=normalise.seconds,
    ),
    Field("page_size", "How many certificates are listed at once (OpenBao).", type="int"),
    Field("maintain_stored_certificate_counts", "Whether the numbers of certificates are kept.", type="bool"),
    Field("publish_stored_certificate_count_metrics", "Whether these numbers are among the metrics.", type="bool"),
)
#: settings of one issuer
ISSUER: Sequence[Field] = (
    Field(
        "leaf_not_after_behavior",
        (
            "What becomes of a certificate that would outlive its issuer - refused (V(err)), shortened "
            "(V(truncate)) or issued (V(permit))."
        ),
        choices=("err", "truncate", "permit", "always_enforce_err"),
        normaliser=default("err"),
    ),
    Field(
        "usage",
        "What the issuer may be used for, all of it; V(read-only) is always among it.",
        type="list",
        elements="str",
        choices=("read-only", "issuing-certificates", "crl-signing", "ocsp-signing"),
        normaliser=issuer_usage,
    ),
    Field(
        "manual_chain",
        (
            "Names or ids of the issuers that make up the chain, from this issuer up; an empty list lets the "
            "server build it."
        ),
        type="list",
        elements="str",
        normaliser=normalise.strings,
    ),
    Field(
        "revocation_signature_algorithm",
        "Algorithm by which revocation lists are signed, such as V(SHA256WithRSA) or V(ECDSAWithSHA384).",
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
        "enable_aia_url_templating", "Whether the server replaces its own templates in these addresses.", type="bool"
    ),
)
#: further issuers
ISSUERS: Sequence[Field] = (
    Field("ref", "Name or id of the issuer.", required=True),
    Field("issuer_name", "Name that the issuer is to have."),
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
        "Whether the authority signs itself or is signed by another one.",
        choices=("root", "intermediate"),
        default="root",
        sent=False,
    ),
    Field("common_name", "Name of the authority. Needed unless it is to be absent.", fixed=True),
    Field(
        "issuer_name",
        (
            "Name of the issuer inside the mount. An issuer that has another name is renamed when it is the only "
            "one, unless O(new_issuer) is set."
        ),
    ),
    Field(
        "new_issuer",
        (
            (
                "Make one more issuer, a new generation of the authority, when the mount has issuers and none of them "
                "is called O(issuer_name)."
            ),
            (
                "It becomes the default issuer, unless O(default_issuer) names another one. The older ones stay, so "
                "that what they signed is still trusted and revoked; their O(issuers) settings can take the right to "
                "issue from them."
            ),
            "The new one has a new key, unless O(key_name) names one that exists.",
        ),
        type="bool",
        default=False,
        sent=False,
    ),
    Field("key_name", "Name of the key inside the mount."),
    Field("key_type", "Type of the key, V(rsa) without it.", choices=("rsa", "ec", "ed25519"), fixed=True),
    Field("key_bits", "Size of the key; without it or V(0) 2048 for V(rsa), 256 for V(ec).", type="int", fixed=True),
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
        "max_path_length", "How many authorities may stand below this one; V(-1) for no limit.", type="int", fixed=True
    ),
    Field(
        "permitted_dns_domains",
        "Domains for which certificates may be issued below this authority.",
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
        "Name or id of the issuer in O(issuer_mount) that signs; its default issuer without it.",
        sent=False,
    ),
    Field(
        "certificate",
        "Certificate that an external authority made from the returned C(csr), as PEM, with its chain after it.",
        sent=False,
    ),
    Field("default_issuer", "Name or id of the issuer that is to be the mount's default one."),
    Field(
        "urls",
        (
            "Where clients find this authority. C({mount}) is replaced by the mount's path. What is not given stays "
            "as it is."
        ),
        type="dict",
        fields=URLS,
        sent=False,
    ),
    Field(
        "crl", "How the revocation list is made. What is not given stays as it is.", type="dict", fields=CRL, sent=False
    ),
    Field(
        "cluster",
        "This cluster's own addresses, for templates and ACME. What is not given stays as it is.",
        type="dict",
        fields=CLUSTER,
        sent=False,
    ),
    Field(
        "tidy",
        "What the server clears up by itself, and how often. What is not given stays as it is.",
        type="dict",
        fields=TIDY,
        sent=False,
    ),
    Field(
        "issuer",
        "Settings of the authority's own issuer. What is not given stays as it is.",
        type="dict",
        fields=ISSUER,
        sent=False,
    ),
    Field(
        "issuers",
        (
            "Settings of further issuers of the mount, such as those of before or of an imported chain. What is not "
            "given stays as it is."
        ),
        type="list",
        elements="dict",
        fields=ISSUERS,
        sent=False,
    ),
)
#: the groups of settings that are of the mount, by the option that holds them
GROUPS: dict[str, dict[str, normalise.Normaliser]] = {
    "urls": normalisers(URLS),
    "crl": normalisers(CRL),
    "cluster": normalisers(CLUSTER),
    "tidy": normalisers(TIDY),
}
#: where a group stands below ``config``, when not under its own name
PLACES = {"tidy": "auto-tidy"}
#: what goes into the certificate, and is fixed by that
CERTIFICATE = fixed_names(FIELDS)
#: fields that are times
TIMES = duration_names((*CRL, *TIDY, *FIELDS))
#: what can be cleared up
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
    """Refuse what the server would refuse of the settings, ``after`` they are written. Raises InvalidInput."""
    if declared.get("crl.enable_delta") and not after.get("crl.auto_rebuild"):
        raise InvalidInput('"enable_delta" is for lists that are rebuilt', remedy='set "auto_rebuild: true" as well')
    grace, expiry = (normalise.seconds(after.get("crl." + name)) for name in ("auto_rebuild_grace_period", "expiry"))
    if after.get("crl.auto_rebuild") and grace and expiry and grace >= expiry:
        raise InvalidInput('"auto_rebuild_grace_period" is not shorter than "expiry"', remedy="correct one of the two")
    if declared.get("tidy.enabled") and not any(after.get("tidy.%s" % name) for name in TIDY_WHAT):
        raise InvalidInput(
            '"tidy" is enabled, and nothing is to be cleared up', remedy="set one of %s" % ", ".join(TIDY_WHAT)
        )
