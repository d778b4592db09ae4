# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decisions about ExternalSecrets that need no I/O: what is refused, when to refresh, what the target looks like."""

from __future__ import annotations

import base64
import copy
import re
import time
from datetime import datetime
from typing import Any, Callable

import yaml
from eso_kube import NAME, Object, now
from eso_template import TemplateError, render
from eso_values import data_hash, owner_hash, seconds, synced_resource_version

GROUP = "external-secrets.io"
LABEL_MANAGED = "reconcile.external-secrets.io/managed"
LABEL_OWNER = "reconcile.external-secrets.io/created-by"
ANNOTATION_HASH = "reconcile.external-secrets.io/data-hash"


class Refused(Exception):
    """A state that no retry can mend: (condition message, cause)."""

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(cause)
        self.message = message


def target_name(es: Object) -> str:
    """The name of the Secret an ExternalSecret writes."""
    return (es["spec"].get("target") or {}).get("name") or es["metadata"]["name"]


def policy(es: Object, field: str) -> str:
    """creationPolicy or deletionPolicy with the default the CRD gives it."""
    default = "Owner" if field == "creationPolicy" else "Retain"
    return (es["spec"].get("target") or {}).get(field) or default


def manager_of(es: Object) -> str:
    """The field manager of what one ExternalSecret writes, so that two merging into one Secret stay apart."""
    return f"{NAME}/{es['metadata']['name']}"[:128]


def spec_problem(es: Object) -> str | None:
    """What the operator's admission webhook denies, or what is not emulated here; None when fine."""
    spec = es["spec"]
    target = spec.get("target") or {}
    creation, deletion = policy(es, "creationPolicy"), policy(es, "deletionPolicy")
    if not spec.get("data") and not spec.get("dataFrom"):
        return "either data or dataFrom should be specified"
    if deletion == "Delete" and creation in ("Merge", "None", "CreateOrMerge"):
        return (
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set "
            "creationPolicy=Owner"
        )
    if deletion == "Merge" and creation == "None":
        return "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with"
    for entry in spec.get("dataFrom") or []:
        source = entry.get("sourceRef")
        generator = bool(source and source.get("generatorRef"))
        if sum((entry.get("find") is not None, entry.get("extract") is not None, generator)) > 1:
            return "extract, find, or generatorRef cannot be set at the same time"
        if all(entry.get(field) is None for field in ("find", "extract", "sourceRef")):
            return "either extract, find, or sourceRef must be set to dataFrom"
        if source is not None and not generator and not source.get("storeRef") and not source.get("secretStoreRef"):
            return "generatorRef or storeRef must be set when using sourceRef in dataFrom"
    if deletion == "Retain":
        keys = [entry.get("secretKey") for entry in spec.get("data") or []]
        duplicate = next((key for key in keys if keys.count(key) > 1), None)
        if duplicate is not None:
            return f"duplicate secretKey found: {duplicate}"
    manifest = target.get("manifest")
    if manifest and (manifest.get("apiVersion"), manifest.get("kind")) != ("v1", "ConfigMap"):
        return "target.manifest of anything but a ConfigMap is not emulated"
    if manifest and (target.get("template") or {}).get("templateFrom"):
        return "templateFrom is not emulated for a target.manifest"
    if spec.get("syncWindows"):
        return "syncWindows are not emulated"
    template = target.get("template")
    if template:
        if (template.get("engineVersion") or "v2") != "v2":
            return f"template engineVersion {template['engineVersion']} is not emulated"
        if template.get("type") == "bootstrap.kubernetes.io/token":
            return 'template.type="bootstrap.kubernetes.io/token" is not allowed'
        for entry in template.get("templateFrom") or []:
            if (entry.get("target") or "Data").lower() not in ("data", "annotations", "labels"):
                return (
                    f'templateFrom target="{entry["target"]}" is not allowed when targeting a Secret, must be one '
                    'of "Data", "Annotations" or "Labels"'
                )
    return None


def interval(es: Object) -> float:
    """spec.refreshInterval in seconds; the CRD's default is an hour."""
    return seconds(str(es["spec"].get("refreshInterval") or "1h0m0s"))


def _refresh_time(es: Object) -> float:
    text = (es.get("status") or {}).get("refreshTime")
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def should_refresh(es: Object, clock: float | None = None) -> bool:
    """Whether the provider is asked again, by refreshPolicy, interval and syncedResourceVersion."""
    clock = time.time() if clock is None else clock
    synced = (es.get("status") or {}).get("syncedResourceVersion") or ""
    refreshed = _refresh_time(es)
    kind = es["spec"].get("refreshPolicy") or "Periodic"
    if kind == "CreatedOnce":
        return not synced or not refreshed
    if kind == "OnChange":
        return not synced or not refreshed or synced != synced_resource_version(es["metadata"])
    if interval(es) <= 0 and synced:
        return False
    if synced != synced_resource_version(es["metadata"]) or not refreshed or refreshed > clock:
        return True
    return refreshed + interval(es) < clock


def requeue_after(es: Object, clock: float | None = None) -> float | None:
    """Seconds until the next look, None for never."""
    every = interval(es)
    if every <= 0:
        return None
    refreshed = _refresh_time(es)
    since = (time.time() if clock is None else clock) - refreshed
    # one millisecond more: exactly at the interval it is not yet older than the interval
    return every if not refreshed else max(every - since + 0.001, 0.001)


def data_of(secret: Object) -> dict[str, bytes]:
    """A Secret's data as bytes."""
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


def secret_valid(secret: Object | None, es: Object) -> bool:
    """Whether the target still is what was written: it exists, has the label, and its data has the hash."""
    if policy(es, "creationPolicy") == "Orphan":
        return True
    if secret is None or (secret["metadata"].get("labels") or {}).get(LABEL_MANAGED) != "true":
        return False
    return (secret["metadata"].get("annotations") or {}).get(ANNOTATION_HASH) == data_hash(data_of(secret))


def managed_keys(secret: Object, manager: str, *field: str) -> list[str]:
    """The keys under a field path that a manager owns, from metadata.managedFields."""
    keys: list[str] = []
    for entry in secret["metadata"].get("managedFields") or []:
        if entry.get("manager") != manager:
            continue
        fields: Any = entry.get("fieldsV1") or {}
        for name in field:
            fields = fields.get(f"f:{name}") or {}
        keys += [key[2:] for key in fields if key != "."]
    return keys


def set_condition(status: Object, ready: bool, reason: str | None, message: str) -> None:
    """Set the Ready condition; lastTransitionTime changes only with the status, nothing when all is the same."""
    conditions = status.setdefault("conditions", [])
    old = next((item for item in conditions if item.get("type") == "Ready"), None)
    new: Object = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "message": message,
        "lastTransitionTime": now(),
    }
    if reason is not None:
        new["reason"] = reason
    if old:
        if old["status"] == new["status"]:
            new["lastTransitionTime"] = old["lastTransitionTime"]
        conditions.remove(old)
    conditions.append(new)


def is_ready(item: Object) -> bool:
    """Whether an object's Ready condition is True."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def selector_matches(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector matches. Raise ValueError for an unknown operator."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        key, operator, values = rule["key"], rule["operator"], rule.get("values") or []
        if operator == "In":
            matches = labels.get(key) in values and key in labels
        elif operator == "NotIn":
            matches = labels.get(key) not in values or key not in labels
        elif operator == "Exists":
            matches = key in labels
        elif operator == "DoesNotExist":
            matches = key not in labels
        else:
            raise ValueError(f'"{operator}" is not a valid label selector operator')
        if not matches:
            return False
    return True


def namespace_allowed(store: Object, namespace: Object) -> bool:
    """Whether a ClusterSecretStore's spec.conditions let a namespace use it."""
    conditions = store["spec"].get("conditions") or []
    name = namespace["metadata"]["name"]
    labels = namespace["metadata"].get("labels") or {}
    for condition in conditions:
        if condition.get("namespaceSelector") is not None and selector_matches(condition["namespaceSelector"], labels):
            return True
        if name in (condition.get("namespaces") or []):
            return True
        if any(re.search(expression, name) for expression in condition.get("namespaceRegexes") or []):
            return True
    return not conditions


# The target Secret -----------------------------------------------------------------------------------------------

TemplateSource = Callable[[str, str, str], str]  # kind (ConfigMap or Secret), name, key -> template text


def _put(secret: Object, data: dict[str, bytes], where: str, key: str, value: bytes) -> None:
    if where == "data":
        data[key] = value
    else:
        secret["metadata"].setdefault(where, {})[key] = value.decode("utf-8", "replace")


def _template_from(entry: Object, read: TemplateSource) -> list[tuple[str, str, str]]:
    """The templates of one templateFrom entry: (scope, key, text)."""
    if entry.get("literal") is not None:
        return [("KeysAndValues", "", entry["literal"])]
    found = []
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        source = entry.get(field) or {}
        for item in source.get("items") or []:
            text = read(kind, source["name"], item["key"])
            found.append((item.get("templateAs") or "Values", item["key"], text))
    return found


def _render(source: str, values: dict[str, bytes], name: str) -> bytes:
    try:
        return render(source, values)
    except TemplateError as error:
        raise TemplateError(f"could not execute template: unable to execute template at key {name}: {error}") from None


def apply_template(es: Object, secret: Object, values: dict[str, bytes], read: TemplateSource) -> None:
    """Write data, type, labels and annotations into a Secret. Raise TemplateError or what `read` raises."""
    meta, manager = secret["metadata"], manager_of(es)
    for field in ("labels", "annotations"):
        for key in managed_keys(secret, manager, "metadata", field):
            meta[field].pop(key, None)
    keep = policy(es, "creationPolicy") in ("Merge", "CreateOrMerge")
    data = data_of(secret) if keep else {}
    template = (es["spec"].get("target") or {}).get("template")
    if template is None:
        for field in ("labels", "annotations"):
            meta[field].update(es["metadata"].get(field) or {})
        data.update(values)
    else:
        wanted = template.get("metadata") or {}
        for field in ("labels", "annotations"):
            meta[field].update(wanted.get(field) or {})
        for finalizer in wanted.get("finalizers") or []:
            if finalizer not in meta.setdefault("finalizers", []):
                meta["finalizers"].append(finalizer)
        if template.get("type"):
            secret["type"] = template["type"]
        if template.get("mergePolicy") == "Merge" or not (template.get("data") or template.get("templateFrom")):
            data.update(values)
        for entry in template.get("templateFrom") or []:
            where = (entry.get("target") or "Data").lower()
            for scope, key, text in _template_from(entry, read):
                rendered = _render(text, values, key or "literal")
                if scope == "Values":
                    _put(secret, data, where, key, rendered)
                    continue
                try:
                    pairs = yaml.safe_load(rendered.decode("utf-8", "replace")) or {}
                except yaml.YAMLError:
                    raise TemplateError("could not unmarshal template to 'map[string]string': not YAML") from None
                if not isinstance(pairs, dict) or not all(isinstance(pairs[name], str) for name in pairs):
                    raise TemplateError(
                        "could not unmarshal template to 'map[string]string': every value must be a string"
                    )
                for name, value in pairs.items():
                    _put(secret, data, where, str(name), value.encode())
        for key, text in (template.get("data") or {}).items():
            data[key] = _render(text, values, key)
        for field in ("labels", "annotations"):
            for key, text in (wanted.get(field) or {}).items():
                _put(secret, data, field, key, _render(text, values, key))
    secret["data"] = {key: base64.b64encode(value).decode() for key, value in data.items()}


def apply_ownership(es: Object, secret: Object) -> None:
    """Set or drop the owner reference and the owner label. Raise Refused when another controller owns the Secret."""
    meta = secret["metadata"]
    owners = meta.get("ownerReferences") or []
    controller: Object | None = next((owner for owner in owners if owner.get("controller")), None)
    is_es = (
        controller is not None
        and controller["kind"] == "ExternalSecret"
        and controller["apiVersion"].split("/")[0] == GROUP
    )
    if controller is not None and is_es and controller["name"] != es["metadata"]["name"]:
        raise Refused(
            "target is owned by another ExternalSecret",
            f"unable to mutate secret {meta['name']}: secret is owned by another ExternalSecret: {controller['name']}",
        )
    mine = {
        "apiVersion": es["apiVersion"],
        "kind": "ExternalSecret",
        "name": es["metadata"]["name"],
        "uid": es["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    if policy(es, "creationPolicy") == "Owner":
        if controller is not None and not is_es:
            raise Refused(
                "failed to take ownership of target secret",
                f"unable to mutate secret {meta['name']}: could not set controller reference on secret: Object "
                f"{meta.get('namespace')}/{meta['name']} is already owned by another {controller['kind']} "
                f"controller {controller['name']}",
            )
        meta["ownerReferences"] = [owner for owner in owners if owner is not controller] + [mine]
        meta["labels"][LABEL_OWNER] = owner_hash(es["metadata"]["namespace"], es["metadata"]["name"])
    else:
        if is_es:
            meta["ownerReferences"] = [owner for owner in owners if owner is not controller]
        meta["labels"].pop(LABEL_OWNER, None)


def generic(es: Object, existing: Object | None, values: dict[str, bytes]) -> Object:
    """The target ConfigMap as it should be. Raise TemplateError. Source: applyTemplateToManifest of the operator."""
    merged = existing is not None and policy(es, "creationPolicy") in ("Merge", "CreateOrMerge")
    template = (es["spec"].get("target") or {}).get("template")
    wanted: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": target_name(es), "namespace": es["metadata"]["namespace"]},
        "data": {},
    }
    if existing is not None:
        if merged:
            wanted["data"] = dict(existing.get("data") or {})
        wanted["metadata"].update({field: existing["metadata"][field] for field in ("resourceVersion", "uid")})
    source = es["metadata"] if template is None else template.get("metadata") or {}
    meta = wanted["metadata"]
    for field in ("labels", "annotations"):
        meta[field] = {**((existing or {}).get("metadata", {}).get(field) or {} if merged else {})}
        meta[field].update(source.get(field) or {})
    if template is None:
        wanted["data"] = {key: value.decode("utf-8", "replace") for key, value in values.items()}
    else:
        for key, text in (template.get("data") or {}).items():
            wanted["data"][key] = _render(text, values, key).decode("utf-8", "replace")
    apply_ownership(es, wanted)
    meta["labels"][LABEL_MANAGED] = "true"
    meta["annotations"][ANNOTATION_HASH] = data_hash({key: text.encode() for key, text in wanted["data"].items()})
    return wanted


def mutate(es: Object, existing: Object | None, values: dict[str, bytes], read: TemplateSource) -> Object:
    """The target Secret as it should be: managed keys, template, ownership, hash, in this order."""
    if existing is None:
        secret: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": target_name(es), "namespace": es["metadata"]["namespace"]},
        }
    else:
        secret = copy.deepcopy(existing)
    meta = secret["metadata"]
    for field in ("labels", "annotations"):
        meta[field] = dict(meta.get(field) or {})
    secret["data"] = dict(secret.get("data") or {})
    immutable = bool((es["spec"].get("target") or {}).get("immutable"))
    if immutable:
        secret["immutable"] = True
    if existing is None or not immutable:
        for key in managed_keys(secret, manager_of(es), "data"):
            secret["data"].pop(key, None)
        apply_template(es, secret, values, read)
    apply_ownership(es, secret)
    meta["labels"][LABEL_MANAGED] = "true"
    meta["annotations"][ANNOTATION_HASH] = data_hash(data_of(secret))
    if existing is not None:  # an absent map and an empty one are the same to the API server
        for holder, was, field in ((meta, existing["metadata"], "ownerReferences"), (secret, existing, "data")):
            if not holder.get(field) and field not in was:
                holder.pop(field, None)
    return secret
