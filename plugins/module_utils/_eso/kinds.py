# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""All kinds of External Secrets Operator that can be declared, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Sequence

from .cluster_external_secret import ClusterExternalSecrets
from .external_secret import ExternalSecrets
from .generator import Generators
from .kind import EsoKind
from .push_secret import PushSecrets
from .store import Stores

KINDS: Sequence[EsoKind] = (Stores(), Generators(), ExternalSecrets(), ClusterExternalSecrets(), PushSecrets())
