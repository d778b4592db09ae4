# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Data as YAML text that stays the same for the same data, and that people read and compare."""

from __future__ import annotations

import re
import traceback
from typing import Any

try:
    import yaml

    YAML_ERROR = None
except ImportError:
    YAML_ERROR = traceback.format_exc()

#: text that some reader of YAML takes for a number or a truth value, though the writer does not
_AMBIGUOUS = re.compile(
    r"[-+]?(\.?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+)|[yYnN]|[-+.]?(inf|nan)"
)
#: text that Ansible would take for a template of its own
_TEMPLATE = re.compile(r"\{[{%#]")


class Template(str):
    """Text that Ansible is to fill in."""


def dump(value: Any, sort_keys: bool = True, variables: bool = False) -> str:
    """Return data as YAML: unfolded lines, multi-line texts as blocks.

    ``variables``: it is for a file of variables, so that text with the signs of a template is tagged ``!unsafe``,
    unless it is a `Template`.
    """

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    def text(dumper: Any, data: Any) -> Any:
        content = str(data)
        style = "|" if "\n" in content else ('"' if _AMBIGUOUS.fullmatch(content) else None)
        template = isinstance(data, Template)
        unsafe = variables and not template and _TEMPLATE.search(content)
        tag = "!unsafe" if unsafe else "tag:yaml.org,2002:str"
        return dumper.represent_scalar(tag, content, style=style or ('"' if unsafe or template else None))

    Dumper.add_representer(str, text)
    Dumper.add_multi_representer(str, text)
    Dumper.add_multi_representer(dict, lambda dumper, data: dumper.represent_dict(dict(data).items()))
    return str(
        yaml.dump(
            value, Dumper=Dumper, sort_keys=sort_keys, default_flow_style=False, allow_unicode=True, width=1_000_000
        )
    )
