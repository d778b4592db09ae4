# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection says of a spec, and what a current API server says of the same: specs by chance."""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from kubernetes.client.exceptions import ApiException

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.errors import InvalidInput
from ansible_collections.secretops.vault_eso.plugins.module_utils._eso.kinds import KINDS
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes import schema
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.apply import Cluster
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.module import CONNECTION_SPEC
from ansible_collections.secretops.vault_eso.plugins.module_utils._kubernetes.options import connect
from support.kubernetes_api import KubeApi, LocalKubeApi, load_crds
from support.random_specs import Maker, Writer
from support.system import ROOT

#: raise both for a search: another seed makes other specs
SEED = os.environ.get("RANDOM_SPECS_SEED", "1")
EACH = int(os.environ.get("RANDOM_SPECS_EACH", "12"))


#: a server looks at no list where a text of some format stands, and the operator cannot read it
STRICTER = re.compile(r"must be text, not a list$")


@pytest.fixture(scope="module")
def current(kube_api: KubeApi) -> KubeApi:
    """An API server that publishes schemas and knows CEL."""
    try:
        kube_api.call("GET", "/openapi/v3")
    except ApiException:
        pytest.skip("the API server is from before 1.24")
    return kube_api


def published(api: KubeApi) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the CRDs and the schemas of their specs as the server publishes them."""
    documents: dict[str, Any] = {}
    for crd in load_crds():
        group, version = crd["spec"]["group"], crd["spec"]["versions"][0]["name"]
        path = f"/openapi/v3/apis/{group}/{version}"
        documents[path] = documents.get(path) or api.call("GET", path)["components"]["schemas"]
        wanted = {"group": group, "kind": crd["spec"]["names"]["kind"], "version": version}
        (found,) = [one for one in documents[path].values() if wanted in one.get("x-kubernetes-group-version-kind", [])]
        yield crd, found["properties"].get("spec", {"type": "object"})


def judged(api: KubeApi, crd: dict[str, Any], spec: Any) -> str:
    """Return why the server refuses a spec, "" when it takes it."""
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]["name"]
    group = f"{crd['spec']['group']}/{version}"
    space = "namespaces/default/" if crd["spec"]["scope"] == "Namespaced" else ""
    body = {"apiVersion": group, "kind": names["kind"], "metadata": {"name": "random"}, "spec": spec}
    return judged_manifest(api, f"/apis/{group}/{space}{names['plural']}", body)


def test_what_is_said_of_a_spec_is_what_the_server_says(current: KubeApi) -> None:
    wrong, taken, refused = [], 0, 0
    for crd, of_spec in published(current):
        kind = crd["spec"]["names"]["kind"]
        if kind == "GeneratorState":
            # the operator's own record, which nobody declares
            continue
        maker = Maker(f"{SEED}-{kind}")
        for _number in range(EACH):
            right = maker.value(of_spec)
            for spec in (right, maker.spoiled(right)):
                said = [f"{one.path} {one.what}" for one in schema.problems(of_spec, spec, ("spec",))]
                answer = judged(current, crd, spec)
                taken, refused = taken + (not answer), refused + bool(answer)
                if bool(said) != bool(answer) and not (said and STRICTER.search(said[0])):
                    wrong.append(f"{kind} {json.dumps(spec)}\n  we say: {said}\n  the server says: {answer}")
    assert not wrong, "\n".join([f"{len(wrong)} of {taken + refused}", *wrong[:20]])
    assert taken > refused / 5, "else this shows little"
    assert refused > taken / 5, "else this shows little"


def test_every_cel_rule_of_the_definitions_is_known(current: KubeApi) -> None:
    unknown = {
        rule["rule"]
        for _crd, of_spec in published(current)
        for node in nodes(of_spec)
        for rule in node.get("x-kubernetes-validations") or []
        if rule["rule"] not in schema.RULES
    }
    assert not unknown, "write them into RULES: API servers before 1.25 do not judge by them, and Git asks none"


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a schema."""
    yield node
    for inner in [*(node.get("properties") or {}).values(), node.get("items"), node.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from nodes(inner)


def test_the_collections_copy_of_the_schemas_is_what_a_server_publishes(current: KubeApi) -> None:
    if not isinstance(current, LocalKubeApi) or os.environ.get("KUBEBUILDER_ASSETS"):
        pytest.skip("the copy is of the API server and the CRDs of the lab")
    script = runpy.run_path(str(ROOT / "scripts" / "kubernetes_schemas.py"), run_name="read")
    text = script["module"](lambda path: current.call("GET", path))
    assert text == script["TARGET"].read_text(), "run scripts/kubernetes_schemas.py"


AUTH = {"token_secret_ref": {"name": "token", "key": "token", "namespace": "default"}}
VAULT = {"server": "https://vault.example.com:8200", "auth": AUTH}
EXTERNAL = {"store": {"name": "vault"}, "data_from": [{"extract": {"key": "app"}}]}
REMOTE = {"remote_key": "app", "property": "a"}
PUSHED = {
    "store_refs": [{"name": "vault"}],
    "selector": {"secret": {"name": "app"}},
    "data": [{"match": {"secret_key": "a", "remote_ref": REMOTE}}],
}
#: what is right of an entry, by the option of its kind; some of it is replaced
RIGHT: dict[str, dict[str, Any]] = {
    "stores": VAULT,
    "external_secrets": EXTERNAL,
    "cluster_external_secrets": {"namespaces": ["default"], "external_secret": EXTERNAL},
    "push_secrets": PUSHED,
    "generators": {"kind": "UUID"},
}
#: what is refused although the API server takes it: why, and parts of the sentences
STRICTER_OPTIONS: dict[str, str] = {
    "the operator cannot read it, and then none of the kind": "is not a duration of the API",
    "the operator's webhook refuses it": "neither data nor data_from|give exactly one of extract, find|contradicts"
    "|conditions are for a Cluster|exactly one of the two|caProvider (lacks key|may not|needs)|may not; move",
    "the operator would take one and say nothing": "auth methods are given|no auth method is given",
    "the operator cannot work with it": "is not a URL|tls needs|auth.* lacks|has (both|neither)|begins with a slash"
    "|no path is given|is not a path of Vault|provider.vault|is not a regular expression|cannot hold"
    "|different .* are wanted|is not a key of a Secret|is no schedule",
    "the operator ignores it": "sync_windows are for periodic|the operator ignores|are not sent with|answers to POST"
    "|check-and-set|declared twice|written twice|no store is given|nothing would be pushed|has no key",
}


def test_options_that_are_taken_make_what_the_server_takes(current: KubeApi) -> None:
    client = connect(dict.fromkeys(CONNECTION_SPEC) | {"kubeconfig": current.kubeconfig, "timeout": 30})
    wrong, taken, refused = [], 0, 0
    stricter = "|".join(STRICTER_OPTIONS.values())
    for kind in KINDS:
        spec, always = kind.entry, RIGHT[kind.plural]
        writer = Writer(f"{SEED}-{kind.plural}")
        skipped = ("name", "namespace", "spec", "labels", "annotations", "adopt")
        wanted = {name: option for name, option in spec.items() if name not in skipped}
        validator = ArgumentSpecValidator({**spec, "state": {"type": "str", "default": "present"}})
        for _number in range(EACH * 5):
            given = {**always, **writer.options(wanted), "name": "random"}
            cluster_wide = str(given.get("kind")).startswith("Cluster") or not kind.apis[0].namespaced
            space = {} if cluster_wide else {"namespace": "default"}
            checked = validator.validate({**given, **space})
            assert not checked.error_messages, checked.error_messages
            item, said, manifest = checked.validated_parameters, "", None
            try:
                one = kind.make({**item, "state": "present"}, Cluster(client))
                manifest = one.manifest
                one.check()
                one.validate()
            except InvalidInput as error:
                said = str(error)
            if manifest is None:
                continue
            answer = judged_manifest(current, one.path().rpartition("/")[0], manifest)
            taken, refused = taken + (not said), refused + bool(said)
            if not said and answer:
                wrong.append(f"{kind.plural} {json.dumps(given)}\n  the server says: {answer}")
            elif said and not answer and not re.search(stricter, said):
                wrong.append(f"{kind.plural} {json.dumps(given)}\n  we say: {said}")
    client.close()
    assert not wrong, "\n".join([f"{len(wrong)} of {taken} taken, {refused} refused", *wrong[:20]])
    assert taken > refused / 3, (taken, refused)
    assert refused > taken / 3, (taken, refused)


def judged_manifest(api: KubeApi, collection: str, manifest: dict[str, Any]) -> str:
    try:
        api.call("POST", f"{collection}?dryRun=All&fieldValidation=Strict", manifest)
    except ApiException as error:
        assert error.status in (400, 422), error
        return str(json.loads(error.body)["message"])
    return ""
