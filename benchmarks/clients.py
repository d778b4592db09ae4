# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection is held against, apart from other tools: clients written for nothing but these objects.

``pooled``: http.client in four threads with kept-alive connections and the fewest requests that a comparison needs.
``hvac``: the usual script, one object after another. Both read a job from stdin and print the seconds of the work,
without the start of Python.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

THREADS = 4


def pooled(job: dict[str, Any]) -> int:
    """Converge the objects of a job and return how many changed."""
    address = urlsplit(os.environ["VAULT_ADDR"])
    context = ssl.create_default_context(cafile=os.environ["VAULT_CACERT"])
    headers = {"X-Vault-Token": os.environ["VAULT_TOKEN"]}
    local = threading.local()

    def call(method: str, path: str, body: Any = None) -> Any:
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(address.hostname or "", address.port, context=context)
            local.connection = connection
        connection.request(method, "/v1/" + path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == 404:
            return None
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return json.loads(content)["data"] if content else {}

    listed = call("LIST", job["listing"]) or {"keys": []}
    names, contents = set(listed["keys"]), listed.get("key_info") if job["detailed"] else None

    def converge(item: dict[str, Any]) -> bool:
        current = None
        if contents is not None:
            current = contents.get(item["name"])
        elif item["name"] in names:
            current = call("GET", item["read"])
        if current is not None:
            # KV version 2 has its keys one level deeper
            fields = current["data"] if "metadata" in current and "data" in current else current
            if all(fields.get(key) == value for key, value in item["compare"].items()):
                return False
        call(item["method"], item["write"], item["body"])
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(converge, job["objects"]))


def plain_hvac(job: dict[str, Any]) -> int:
    """Converge the objects of a job with hvac, as most scripts do it, and return how many changed."""
    import hvac

    client = hvac.Client(
        url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"], verify=os.environ["VAULT_CACERT"]
    )
    changed = 0
    for item in job["objects"]:
        try:
            answer = client.adapter.get("/v1/" + item["read"])
            current = answer["data"]
        except hvac.exceptions.InvalidPath:
            current = None
        if current is not None:
            fields = current["data"] if "metadata" in current and "data" in current else current
            if all(fields.get(key) == value for key, value in item["compare"].items()):
                continue
        client.adapter.request(item["method"].lower(), "/v1/" + item["write"], json=item["body"])
        changed += 1
    return changed


if __name__ == "__main__":
    work = json.load(sys.stdin)
    converge_all = {"pooled": pooled, "hvac": plain_hvac}[sys.argv[1]]
    if sys.argv[1] == "hvac":
        import hvac  # noqa: F401  # not a part of the work
    start, used = time.perf_counter(), time.process_time()
    count = converge_all(work)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(json.dumps({"seconds": seconds, "processor": used, "changed": count}))
