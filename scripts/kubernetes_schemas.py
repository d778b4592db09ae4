# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the schemas that eso_manifests and eso_gitops judge by, where no API server can.

Usage: kubernetes_schemas.py
It starts an API server as the tests do, with the lab's CRDs. A test holds what is served there against what is written.
"""

from __future__ import annotations

import json
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "plugins" / "module_utils" / "_kubernetes" / "known_schemas.py"
OLD = ROOT / "molecule" / "lab" / "files" / "crds" / "v1beta1" / "external-secrets-0.9.20.yaml"
#: paths below /openapi/v3, and the kinds that are wanted of each (None: all that have a list of their own)
SERVED: dict[str, tuple[str, ...] | None] = {
    "apis/external-secrets.io/v1": None,
    "apis/external-secrets.io/v1alpha1": ("PushSecret",),
    "apis/generators.external-secrets.io/v1alpha1": None,
    "api/v1": ("Namespace", "ServiceAccount"),
    "apis/networking.k8s.io/v1": ("NetworkPolicy",),
    "apis/rbac.authorization.k8s.io/v1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
}
LEFT_OUT = ("GeneratorState",)
KEPT = (
    "type",
    "enum",
    "format",
    "pattern",
    "required",
    "minimum",
    "maximum",
    "nullable",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-map-keys",
)
#: what a store may have beside Vault is not looked into
PROVIDERS = ("vault", "openBao")
ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}
HEADER = '''\
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Schemas of the kinds that may stand in Git, for who has no API server to ask.

Written by scripts/kubernetes_schemas.py. Origin: what an API server publishes of Kubernetes and of the CRDs of External
Secrets Operator, of the Kubernetes authors and of the External Secrets authors (both Apache-2.0), reduced to names,
types and rules. Equal parts are kept once.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

_DATA = (
'''
FOOTER = ''')


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    """Return the schemas by group, version and kind."""
    stored = json.loads(_DATA)
    nodes: list[dict[str, Any]] = stored["nodes"]
    # parts come before the whole that they belong to
    for node in nodes:
        if "properties" in node:
            node["properties"] = {name: nodes[number] for name, number in node["properties"].items()}
        for name in ("items", "additionalProperties"):
            if name in node:
                node[name] = nodes[node[name]]
    return {name: nodes[number] for name, number in stored["kinds"].items()}


def known(group: str, version: str, kind: str) -> dict[str, Any] | None:
    """Return the schema of a kind, None where the collection has none."""
    return _table().get("%s/%s/%s" % (group, version, kind))
'''


def reduced(node: Any, resolve: Callable[[str], Any]) -> dict[str, Any]:
    """Return a schema node with what matters of it, without references."""
    if not isinstance(node, dict):
        return dict(ANYTHING)
    while "$ref" in node or len(node.get("allOf") or []) == 1:
        inner = node if "$ref" in node else node["allOf"][0]
        node = resolve(inner["$ref"]) if "$ref" in inner else inner
    found: dict[str, Any] = {key: node[key] for key in KEPT if node.get(key) not in (None, [], {})}
    if node.get("default") not in (None, {}):
        found["default"] = node["default"]
    if node.get("x-kubernetes-list-type") in ("map", "set"):
        found["x-kubernetes-list-type"] = node["x-kubernetes-list-type"]
    if node.get("x-kubernetes-validations"):
        found["x-kubernetes-validations"] = [
            {key: rule[key] for key in ("rule", "message") if key in rule} for rule in node["x-kubernetes-validations"]
        ]
    if node.get("properties"):
        found["properties"] = {name: reduced(one, resolve) for name, one in sorted(node["properties"].items())}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            found[key] = reduced(node[key], resolve)
    return found


def without_defaults(node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its defaults: those of Kubernetes' own kinds say what a missing text means in Go."""
    found = {key: value for key, value in node.items() if key != "default"}
    if "properties" in found:
        found["properties"] = {name: without_defaults(one) for name, one in found["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in found:
            found[key] = without_defaults(found[key])
    return found


def of_custom(node: dict[str, Any]) -> dict[str, Any]:
    """Return what is judged of a custom resource: its spec, of stores the providers that the collection knows."""
    spec = node.get("properties", {}).get("spec") or {"type": "object"}
    provider = spec.get("properties", {}).get("provider", {})
    if "vault" in provider.get("properties", {}) and "aws" in provider["properties"]:
        provider["properties"] = {
            name: one if name in PROVIDERS else dict(ANYTHING) for name, one in provider["properties"].items()
        }
    return {"type": "object", "properties": {"spec": spec}}


def served(get: Callable[[str], Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield group/version/kind and schema of all wanted kinds, as an API server publishes them."""
    for path, wanted in SERVED.items():
        schemas = get(f"/openapi/v3/{path}")["components"]["schemas"]

        def resolve(reference: str, schemas: dict[str, Any] = schemas) -> Any:
            return schemas[reference.rpartition("/")[2]]

        for node in schemas.values():
            for one in node.get("x-kubernetes-group-version-kind") or []:
                custom = one["group"].endswith("external-secrets.io")
                name = f"{one['group']}/{one['version']}/{one['kind']}"
                if custom and f"apis/{one['group']}/{one['version']}" != path:
                    continue
                if one["kind"] in (wanted or [one["kind"]]) and not one["kind"].endswith("List"):
                    if (wanted is None and not custom) or one["kind"] in LEFT_OUT:
                        continue
                    small = reduced(node, resolve)
                    small.get("properties", {}).pop("status", None)
                    yield name, of_custom(small) if custom else without_defaults(small)


def old() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the same of the kinds as v1beta1, which operators before 0.16 serve."""
    for crd in yaml.load_all(OLD.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        for version in crd["spec"]["versions"]:
            if version["name"] == "v1beta1":
                name = f"{crd['spec']['group']}/v1beta1/{crd['spec']['names']['kind']}"
                yield name, of_custom(reduced(version["schema"]["openAPIV3Schema"], lambda reference: {}))


def packed(kinds: dict[str, dict[str, Any]]) -> str:
    """Return schemas as one JSON text in which equal parts stand once, before the whole that they belong to."""
    nodes: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}

    def number_of(node: dict[str, Any]) -> int:
        flat = dict(node)
        if "properties" in flat:
            flat["properties"] = {name: number_of(one) for name, one in flat["properties"].items()}
        for key in ("items", "additionalProperties"):
            if key in flat:
                flat[key] = number_of(flat[key])
        text = json.dumps(flat, sort_keys=True)
        if text not in numbers:
            numbers[text] = len(nodes)
            nodes.append(flat)
        return numbers[text]

    index = {name: number_of(node) for name, node in sorted(kinds.items())}
    return json.dumps({"kinds": index, "nodes": nodes}, separators=(",", ":"), sort_keys=True)


def quoted(text: str) -> str:
    """Return a text as a literal of Python, as the formatter of the project writes it."""
    if text.count('"') <= text.count("'"):
        return json.dumps(text)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def module(get: Callable[[str], Any]) -> str:
    """Return the text of the module."""
    text = packed({**dict(old()), **dict(served(get))})
    lines = [text[start : start + 100] for start in range(0, len(text), 100)]
    return HEADER + textwrap.indent("\n".join(quoted(line) for line in lines), "    ") + "\n" + FOOTER


def main() -> None:
    """Read the schemas of a server of our own and write the module."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.kubernetes_api import start_local

    with tempfile.TemporaryDirectory() as folder:
        api = start_local(Path(folder) / "server")
        try:
            TARGET.write_text(module(lambda path: api.call("GET", path)))
        finally:
            api.stop()


if __name__ == "__main__":
    main()
