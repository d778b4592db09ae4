# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of the controller would end with the job that writes them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Callable

from ansible_collections.secretops.vault_eso.plugins.filter.listed import listed

#: what AWX and the platform set for a job, whose container is removed at its end
JOB_VARIABLES = ("AWX_HOST", "AWX_PRIVATE_DATA_DIR")
#: what ansible-runner sets; only inside a container it is this directory
RUNNER_VARIABLE = "AWX_ISOLATED_DATA_DIR"
RUNNER_DIRECTORY = "/runner"


def in_a_job() -> bool:
    """Return whether this is a job of AWX, or of ansible-runner in a container."""
    runner = os.environ.get(RUNNER_VARIABLE, "")
    return any(os.environ.get(name) for name in JOB_VARIABLES) or (runner + "/").startswith(RUNNER_DIRECTORY + "/")


def ephemeral(paths: Any, durable: Any = (), job: Any = "") -> list[str]:
    """Return those paths that end with the job, none outside of one.

    ``durable`` are directories that outlast it, ``job`` its number where it is known. A file that is there already came from
    somewhere, and is left alone.
    """
    if not (job or in_a_job()):
        return []
    kept = [os.path.realpath(os.path.expanduser(place)) for place in listed(durable)]

    def lasts(path: str) -> bool:
        real = os.path.realpath(os.path.expanduser(path))
        return os.path.isfile(real) or any(os.path.commonpath([real, place]) == place for place in kept)

    given: Iterable[str] = [str(path) for path in listed(paths) if path]
    return [path for path in given if not lasts(path)]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by name."""
        return {"ephemeral": ephemeral}
