# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print export lines for a shell that works with the demo: eval "$(make -s demo-env)".

The token is the operator's, not root's, from a login of its own; it never stands in an argument list.
"""

from __future__ import annotations

import os
import shlex

from demo_common import LAB, ROOT, ending_clearly, operator_login, read_demo


def main() -> None:
    """Log in and print."""
    demo = read_demo()
    client = operator_login(demo)
    values = {"VAULT_ESO_LAB": LAB, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    for prefix in ("VAULT", "BAO"):
        values.update({f"{prefix}_ADDR": client.url, f"{prefix}_CACERT": demo.ca_cert, f"{prefix}_TOKEN": client.token})
    kubeconfig = next((one["kubeconfig"] for one in demo.kubernetes.values() if one.get("kubeconfig")), "")
    if kubeconfig:
        values["KUBECONFIG"] = kubeconfig
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")
    venv = str(ROOT / ".venv" / "bin")
    # make has put it into its own PATH already; the shell that asks may not have it
    if venv not in os.environ.get("CALLER_PATH", "").split(":"):
        print(f'export PATH={shlex.quote(venv)}:"$PATH"')


if __name__ == "__main__":
    with ending_clearly():
        main()
