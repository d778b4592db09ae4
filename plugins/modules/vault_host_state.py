#!/usr/bin/python
# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: vault_host_state
short_description: Read what the role vault_server compares on a host
version_added: 0.1.0
description:
  - Reads in one go what a host has of a Vault server, so that the role C(vault_server) runs only the tasks that have something to do.
  - Runs on the host and needs nothing there but Python 3.9. Reads, and never writes.
  - No secret is in the result. Contents of files are compared by their digest, and a configuration is returned as digests of its values.
  - It is made for the role C(vault_server); what it returns may change with the role.
author: secretops.vault_eso contributors (@secretops)
options:
  files:
    description: Paths on the host whose type, owner and mode are returned. Links are followed to a directory only.
    type: list
    elements: path
    default: []
  contents:
    description: What files on the host are to contain. The contents stay on the controller; only their digests travel.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path on the host; one of O(files).
        type: path
        required: true
        aliases: [dest]
      content:
        description: The contents as text.
        type: str
      src:
        description: A file on the controller with the contents.
        type: path
      sha256:
        description: The digest of the contents. The action of this module puts it in the place of the other two.
        type: str
  user:
    description: The account that runs the server.
    type: str
  group:
    description: Its group.
    type: str
  writable:
    description: Directories that O(user) has to be able to write to.
    type: list
    elements: path
    default: []
  commands:
    description: Commands that the host has to have, as absolute paths.
    type: list
    elements: path
    default: []
  swap:
    description: Whether to look for swap.
    type: bool
    default: false
  authority:
    description: A certificate authority on the controller, which the action of this module looks at.
    type: dict
    suboptions:
      directory:
        description: The directory with C(ca.crt) and C(ca.key).
        type: path
        required: true
      passphrase:
        description: The passphrase of the key.
        type: str
  certificate:
    description: The server's certificate on the host.
    type: path
  key:
    description: Its private key on the host, which is only tried on the certificate.
    type: path
  names:
    description: Names and addresses by which clients reach the server; the certificate is tried for each, as a client does.
    type: list
    elements: str
    default: []
  names_ca:
    description: The file on the host with the CAs that these clients trust; empty means that the issuers are not looked at.
    type: path
  provided:
    description: A certificate on the controller that is to be copied, which the action of this module looks at.
    type: dict
    suboptions:
      certificate:
        description: The file with the certificate, its issuers after it.
        type: path
        required: true
      key:
        description: The file with its private key.
        type: path
        required: true
      ca:
        description: The file with the CAs that clients trust; empty means that the issuers are not looked at.
        type: path
      names:
        description: As O(names).
        type: list
        elements: str
        default: []
  peers:
    description: Addresses of servers whose certificate is looked at where the files of O(authority) are not all there.
    type: list
    elements: str
    default: []
  presented:
    description: Addresses of servers whose certificate is looked at in any case.
    type: list
    elements: str
    default: []
  binary:
    description: The server's binary on the host.
    type: path
  checksum:
    description: Whether to compute the digest of O(binary).
    type: bool
    default: false
  unit:
    description: The name of the systemd service, without its suffix.
    type: str
  started:
    description: The file with the configuration that the process was started with.
    type: path
  loaded:
    description: The file with the configuration that the process last read.
    type: path
  times:
    description: Files of which it matters when they last changed.
    type: list
    elements: path
    default: []
  url:
    description: The address at which the server is asked for its health.
    type: str
  port:
    description: The port that is declared for the listener. A server that was started with another is asked there, in O(url) and O(listener).
    type: int
  ca:
    description: The CA certificate on the host that O(url) is checked with; empty means what the host trusts.
    type: path
  listener:
    description: The address at which the server listens, where it is asked for its certificate.
    type: str
  served:
    description: The file with the certificate that the server is to present at O(listener).
    type: path
  timeout:
    description: Seconds to wait for the answer.
    type: int
    default: 5
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Read what runs
  secretops.vault_eso.vault_host_state:
    unit: openbao
    binary: /usr/local/bin/bao
    started: /run/openbao/started.json
    loaded: /run/openbao/loaded.json
    url: https://127.0.0.1:8200
    ca: /etc/openbao/tls/ca.crt
  become: true
  register: host
"""

RETURN = r"""
systemd:
  description: Whether the host runs systemd.
  returned: always
  type: bool
  sample: true
clock:
  description: The host's time, in seconds since 1970.
  returned: always
  type: int
  sample: 1767225600
files:
  description: For each path C(type) (C(file), C(directory), C(link), C(other) or C(missing)), C(owner), C(group), C(mode) and, where
    contents were given, whether they are the C(same).
  returned: when O(files) is given
  type: dict
  sample: {/etc/openbao/openbao.json: {type: file, owner: root, group: openbao, mode: "0640", same: true}}
user:
  description: C(group), C(home) and C(shell) of the account; empty when there is none.
  returned: when O(user) is given
  type: dict
  sample: {group: openbao, home: /etc/openbao, shell: /usr/sbin/nologin}
group:
  description: Whether the group is there.
  returned: when O(user) is given
  type: bool
  sample: true
unwritable:
  description: Those of O(writable) that the account cannot write to.
  returned: when O(writable) is given
  type: list
  elements: str
  sample: []
disks:
  description: For each of O(writable), or the nearest directory above it, a number of its file system as C(device) and the bytes C(free) there.
  returned: when O(writable) is given
  type: dict
  sample: {/var/log/openbao: {device: 2049, free: 1073741824}}
missing_commands:
  description: Those of O(commands) that are missing.
  returned: when O(commands) is given
  type: list
  elements: str
  sample: []
swap:
  description: Whether swap is C(active), whether C(/etc/fstab) turns it on C(at_boot), and whether the host is a C(container).
  returned: when O(swap) is true
  type: dict
  sample: {active: false, at_boot: false, container: false}
authority:
  description: The certificate of the authority in C(pem), whether it C(has_key), and its C(files) as above.
  returned: when O(authority) is given
  type: dict
  sample: {pem: "-----BEGIN CERTIFICATE-----...", has_key: true, files: {}}
certificate:
  description: The certificates of the file in C(pem), whether the first C(has_key), and if not whether the C(key) is of an C(other)
    certificate, C(encrypted) or C(unreadable). C(refused) says for which C(name) a client would refuse it, with the C(code) and
    C(message) of OpenSSL.
  returned: when O(certificate) is given
  type: dict
  sample: {pem: "-----BEGIN CERTIFICATE-----...", has_key: true, key: "", refused: []}
provided:
  description: The same of the files on the controller.
  returned: when O(provided) is given
  type: dict
  sample: {pem: "-----BEGIN CERTIFICATE-----...", has_key: true, key: "", refused: []}
peers:
  description: The certificates of other servers, in PEM, of those that could be reached.
  returned: when O(peers) is given and files of O(authority) are missing
  type: dict
  sample: {}
presented:
  description: The same of O(presented).
  returned: when O(presented) is given
  type: dict
  sample: {}
binary:
  description: Whether the binary C(exists), its C(version) as it says it, and its C(sha256).
  returned: when O(binary) is given
  type: dict
  sample: {exists: true, version: OpenBao v2.7.2, sha256: ""}
unit:
  description: What systemd says of the service, C(load), C(active), C(file), C(pid) and C(needs_daemon_reload).
  returned: when O(unit) is given
  type: dict
  sample: {load: loaded, active: active, file: enabled, pid: 42, needs_daemon_reload: false}
other_binary:
  description: Whether the process runs another binary than the installed one.
  returned: when the service runs
  type: bool
  sample: false
times:
  description: When the files that are there last changed, in seconds since 1970.
  returned: when the service runs
  type: dict
  sample: {/etc/openbao/openbao.env: 1767225600.5}
started:
  description: For each key of the configuration at the start a digest of its value and of the part that only a start reads; empty when unknown.
  returned: when the service runs
  type: dict
  sample: {}
loaded:
  description: The same of the configuration that was last read.
  returned: when the service runs
  type: dict
  sample: {}
port:
  description: The port on which the server listens, as it was told when it started; O(port) where that is unknown.
  returned: when the service runs
  type: int
  sample: 8200
new_port:
  description: O(port), where the server will listen after its restart; 0 where it is the port on which it listens now.
  returned: when the service runs
  type: int
  sample: 0
url:
  description: The address at which the server was asked.
  returned: when the service runs
  type: str
  sample: https://127.0.0.1:8200
refused:
  description: Why the server's certificate is refused, by the C(code) and C(message) of OpenSSL.
  returned: when O(url) gives no answer for that reason
  type: dict
  sample: {code: 10, message: certificate has expired}
serves_another:
  description: Whether the server presents another certificate than the one in O(served); V(false) where that cannot be told.
  returned: when the service runs and O(listener) is given
  type: bool
  sample: false
health:
  description: The HTTP status of the server's answer to C(/v1/sys/health), -1 when it does not answer.
  returned: when the service runs
  type: int
  sample: 200
seal:
  description: The C(type) of the server's seal, and whether it is C(initialized), as the server says it; empty when it does not answer.
  returned: when the service runs
  type: dict
  sample: {type: shamir, initialized: true}
"""

from ansible_collections.secretops.vault_eso.plugins.module_utils._engine.module import Module
from ansible_collections.secretops.vault_eso.plugins.module_utils._host import state

CONTENT = {
    "path": {"type": "path", "required": True, "aliases": ["dest"]},
    "content": {"type": "str", "no_log": True},
    "src": {"type": "path"},
    "sha256": {"type": "str", "no_log": True},
}
AUTHORITY = {"directory": {"type": "path", "required": True}, "passphrase": {"type": "str", "no_log": True}}
PROVIDED = {
    "certificate": {"type": "path", "required": True},
    "key": {"type": "path", "required": True, "no_log": False},
    "ca": {"type": "path"},
    "names": {"type": "list", "elements": "str", "default": []},
}
SPEC = {
    "files": {"type": "list", "elements": "path", "default": []},
    "contents": {"type": "list", "elements": "dict", "default": [], "options": CONTENT},
    "user": {"type": "str"},
    "group": {"type": "str"},
    "writable": {"type": "list", "elements": "path", "default": []},
    "commands": {"type": "list", "elements": "path", "default": []},
    "swap": {"type": "bool", "default": False},
    "authority": {"type": "dict", "options": AUTHORITY},
    "certificate": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "names": {"type": "list", "elements": "str", "default": []},
    "names_ca": {"type": "path"},
    "provided": {"type": "dict", "options": PROVIDED},
    "peers": {"type": "list", "elements": "str", "default": []},
    "presented": {"type": "list", "elements": "str", "default": []},
    "binary": {"type": "path"},
    "checksum": {"type": "bool", "default": False},
    "unit": {"type": "str"},
    "started": {"type": "path"},
    "loaded": {"type": "path"},
    "times": {"type": "list", "elements": "path", "default": []},
    "url": {"type": "str"},
    "port": {"type": "int"},
    "ca": {"type": "path"},
    "listener": {"type": "str"},
    "served": {"type": "path"},
    "timeout": {"type": "int", "default": 5},
}
TOGETHER = [
    ("user", "group"),
    ("certificate", "key"),
    ("unit", "started", "loaded", "url"),
    ("listener", "served"),
]


def main() -> None:
    module = Module(SPEC, required_together=TOGETHER, required_by={"unit": ["binary"]})
    module.ansible.exit_json(changed=False, **state.read(module.params))


if __name__ == "__main__":
    main()
