# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""The module of a kind of External Secrets Operator."""

from __future__ import annotations

from .._kubernetes.apply import Cluster
from .._kubernetes.module import KubernetesModule
from .kind import EsoKind


def converge(kind: EsoKind) -> None:
    """Be the module of one kind: converge the declared objects, wait for them, and exit with the report."""
    module = KubernetesModule(kind.options, kind.plural, kind.entry, kind.required)
    with module.client() as client:
        cluster = Cluster(client, module.params["api_version"], module.params["force_conflicts"])
        resources = [kind.make(item, cluster) for item in module.items()]
        kind.check_together(resources, {})
        if module.params["purge"]:
            for api in kind.purged(client, resources):
                resources += [
                    kind.make({**item, "purged": True}, cluster) for item in module.unmanaged(cluster, api, resources)
                ]
        module.converge(client, resources, kind.expect(client, resources))
