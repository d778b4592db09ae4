#!/usr/bin/env python3
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reduce custom resource definitions to those that the lab and the tests use, without descriptions.

Usage: reduce_crds.py FILE VERSION [PRODUCT] > crds/PRODUCT-VERSION.yaml
The product is external-secrets, whose file is deploy/crds/bundle.yaml, or another one of PRODUCTS.
For a version of it before 0.16 the file goes into crds/v1beta1, those of other products into crds/others: only the
tests look there.
"""

from __future__ import annotations

import sys
from typing import Any

import yaml

KINDS = {
    "SecretStore",
    "ClusterSecretStore",
    "ExternalSecret",
    "ClusterExternalSecret",
    "PushSecret",
    "ClusterPushSecret",
    "ACRAccessToken",
    "BeyondtrustWorkloadCredentialsDynamicSecret",
    "CloudsmithAccessToken",
    "ClusterGenerator",
    "ECRAuthorizationToken",
    "Fake",
    "GCRAccessToken",
    "GithubAccessToken",
    "GitlabDeployToken",
    "Grafana",
    "MFA",
    "Password",
    "QuayAccessToken",
    "SSHKey",
    "STSSessionToken",
    "UUID",
    "VaultDynamicSecret",
    "Webhook",
    # without it the operator fills no Secret, whether anything is generated or not
    "GeneratorState",
}
#: those that 0.9 has of them
EARLIER = {
    "SecretStore",
    "ClusterSecretStore",
    "ExternalSecret",
    "ClusterExternalSecret",
    "PushSecret",
    "VaultDynamicSecret",
    "Password",
}
#: name, origin, whose it is, and the kinds that are kept
PRODUCTS: dict[str, tuple[str, str, str, set[str]]] = {
    "external-secrets": (
        "External Secrets Operator",
        "external-secrets/external-secrets, deploy/crds/bundle.yaml",
        "the External Secrets authors",
        KINDS,
    ),
    "flux-helm-controller": (
        "Flux's helm-controller",
        "fluxcd/helm-controller, config/crd/bases",
        "the Flux authors",
        {"HelmRelease"},
    ),
    "flux-kustomize-controller": (
        "Flux's kustomize-controller",
        "fluxcd/kustomize-controller, config/crd/bases",
        "the Flux authors",
        {"Kustomization"},
    ),
    "flux-source-controller": (
        "Flux's source-controller",
        "fluxcd/source-controller, config/crd/bases",
        "the Flux authors",
        {"GitRepository", "HelmRepository", "OCIRepository"},
    ),
    "prometheus-operator": (
        "the Prometheus operator",
        "prometheus-operator/prometheus-operator, example/prometheus-operator-crd",
        "the prometheus-operator authors",
        {"ServiceMonitor", "PrometheusRule"},
    ),
}
HEADER = """\
# Custom resource definitions of {product} {version}, for the lab.
# Origin: https://github.com/{origin}
# Copyright: {authors}
# Licence: Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0). SPDX-License-Identifier: Apache-2.0
# Changed: reduced by reduce_crds.py to some kinds, to the versions that are served, and without descriptions.
"""


def without_descriptions(schema: Any, is_properties: bool = False) -> Any:
    """A schema without its descriptions; a property that is called description stays."""
    if isinstance(schema, list):
        return [without_descriptions(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_descriptions(value, key == "properties" and not is_properties)
        for key, value in schema.items()
        if is_properties or key != "description" or not isinstance(value, str)
    }


def reduced(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition as the lab needs it."""
    spec = dict(definition["spec"])
    spec["versions"] = [version for version in spec["versions"] if version["served"]]
    spec.pop("conversion", None)  # the lab has no conversion webhook
    metadata = {"name": definition["metadata"]["name"], "labels": definition["metadata"].get("labels", {})}
    return {
        "apiVersion": definition["apiVersion"],
        "kind": definition["kind"],
        "metadata": metadata,
        "spec": without_descriptions(spec),
    }


def main() -> None:
    """Read the bundle, write the reduced one."""
    path, version = sys.argv[1:3]
    name = sys.argv[3] if len(sys.argv) > 3 else "external-secrets"
    product, origin, authors, kinds = PRODUCTS[name]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(path, encoding="utf-8") as stream:
        definitions = [entry for entry in yaml.load_all(stream, Loader=loader) if entry]
    wanted = EARLIER if version.startswith("0.9.") else kinds
    kept = [reduced(entry) for entry in definitions if entry["spec"]["names"]["kind"] in wanted]
    missing = wanted - {entry["spec"]["names"]["kind"] for entry in kept}
    if missing:
        sys.exit(f"{path} does not define {', '.join(sorted(missing))}")
    sys.stdout.write(HEADER.format(product=product, version=version, origin=origin, authors=authors))
    yaml.safe_dump_all(kept, sys.stdout, explicit_start=True, sort_keys=True, width=160)


if __name__ == "__main__":
    main()
