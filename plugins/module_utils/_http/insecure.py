# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Warnings about insecure connections; Ansible's display shows each once a run."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Iterable, Mapping

from . import rules


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def warnings_of(urls: Iterable[str], validate_certs: bool, files: Mapping[str, object]) -> list[str]:
    """Return the warnings for a connection.

    ``files``: paths of files with a secret, by option; None and other values are skipped.
    """
    # the client refuses texts that are not an address
    hosts = [(rules.shown(url), one.host) for url, one in ((url, rules.origin(url)) for url in urls) if one is not None]
    found = [
        "%s: http sends credentials and secrets unencrypted; use https" % url
        for url, host in hosts
        if url.lower().startswith("http://") and not _is_loopback(host)
    ]
    if not validate_certs:
        found += [
            "certificates are not checked (validate_certs), so that anybody on the way to %s can be the server; "
            'set "ca_cert"' % url
            for url, host in hosts
            if url.lower().startswith("https://")
        ]
    for option, path in files.items():
        if not isinstance(path, str):
            continue
        try:
            state = os.stat(os.path.expanduser(path))
        except (OSError, ValueError):
            # whoever reads it tells
            continue
        if stat.S_ISREG(state.st_mode) and state.st_mode & 0o077:
            found.append(
                'option "%s": others can use %s (mode %04o); chmod 600 it' % (option, path, state.st_mode & 0o777)
            )
    return found
