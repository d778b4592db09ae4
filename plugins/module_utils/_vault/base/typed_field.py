# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Fields of kinds with several types of objects, each with some of the fields. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._engine.field import Field


@dataclass(frozen=True)
class TypedField(Field):
    """A field of some types of objects."""

    #: the types that have it; empty for all
    of: Sequence[str] = ()
