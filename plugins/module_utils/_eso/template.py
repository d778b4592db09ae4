# Copyright: Contributors to the secretops.vault_eso project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: what is here may change at any time. Other collections must not import it.
"""Templates of the objects that the operator writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._engine.errors import InvalidInput
from .._engine.field import Field

TEMPLATE_FIELDS = (
    Field("type", "Type of the Secret, such as V(kubernetes.io/tls)."),
    Field("engine_version", "Version of the template engine.", choices=("v2",)),
    Field(
        "merge_policy", "Whether the template's keys replace what was read or join it.", choices=("Replace", "Merge")
    ),
    Field("data", "Keys of the Secret and their templates. Use C(urlquery) in URLs and C(toJson) in JSON.", "dict"),
    Field(
        "metadata",
        "Labels, annotations and finalizers of the Secret.",
        "dict",
        fields=(
            Field("labels", "Labels.", "dict"),
            Field("annotations", "Annotations.", "dict"),
            Field(
                "finalizers",
                "Finalizers. Whatever adds them must remove them, or the Secret can never be deleted.",
                "list",
                elements="str",
            ),
        ),
    ),
    Field(
        "template_from",
        (
            "Further templates, as a manifest has them; C(values_decoding_strategy) among them needs "
            "version 2.7 of the operator."
        ),
        "list",
        elements="dict",
    ),
)
#: with it a node could join the cluster. Source: External Secrets Operator, threat model of templates
REFUSED_TYPES = ("bootstrap.kubernetes.io/token",)
NO_SUCH_TEMPLATE_FUNCTION = {
    "base64decode": "b64dec",
    "base64encode": "b64enc",
    "base64_decode": "b64dec",
    "base64_encode": "b64enc",
    "b64decode": "b64dec",
    "b64encode": "b64enc",
    "urlencode": "urlquery",
    "to_json": "toJson",
}
#: user and password in a URL, with actions of a template in them; an action without a function; one as a JSON text
_LOGIN_IN_URL = re.compile(r"://((?:\{\{.*?\}\}|[^/\s@{}?#])*)@", re.S)
_BARE = re.compile(r"\{\{-?\s*\.(\w+)\s*-?\}\}")
_QUOTED = re.compile(r"\"\{\{-?\s*\.(\w+)\s*-?\}\}\"")


def check_template(template: Mapping[str, Any]) -> None:
    """Refuse templates that cannot render. Raises InvalidInput."""
    if template.get("engineVersion") not in (None, "v2"):
        raise InvalidInput('the template engine "%s" is gone' % template["engineVersion"], remedy='write "v2"')
    if template.get("type") in REFUSED_TYPES:
        raise InvalidInput(
            'the operator makes no Secret of the type "%s"' % template["type"],
            remedy="use another type, such as Opaque",
        )
    texts = {"template.data.%s" % key: text for key, text in (template.get("data") or {}).items()}
    texts.update(
        {
            "template.templateFrom[%d].literal" % number: entry.get("literal")
            for number, entry in enumerate(template.get("templateFrom") or [])
        }
    )
    for where, text in texts.items():
        check_spliced(where, str(text or ""))
        for action in re.findall(r"\{\{(.*?)\}\}", str(text or ""), re.S):
            for word in re.findall(r"(?<![.$\"\w])[A-Za-z_]\w*", re.sub(r'"(?:\\.|[^"\\])*"', '""', action)):
                if word in NO_SUCH_TEMPLATE_FUNCTION:
                    raise InvalidInput(
                        '%s uses the function "%s", which does not exist' % (where, word),
                        remedy='write "%s"' % NO_SUCH_TEMPLATE_FUNCTION[word],
                    )


def check_spliced(where: str, text: str) -> None:
    """Refuse values that go into a URL or a document as they are. Raises InvalidInput.

    A colon, an ``@`` or a quotation mark in a password would break the one or the other.
    """
    for login in _LOGIN_IN_URL.findall(text):
        for name in _BARE.findall(login):
            raise InvalidInput(
                "%s puts the value of %s into a URL as it is" % (where, name),
                remedy='write "{{ .%s | urlquery }}", or "{{ .%s | toString }}" where it is encoded already'
                % (name, name),
            )
    if re.match(r"\s*(\{(?!\{)|\[)", text):
        for name in _QUOTED.findall(text):
            raise InvalidInput(
                "%s puts the value of %s into JSON as it is" % (where, name),
                remedy="write {{ .%s | toJson }} without the quotation marks around it" % name,
            )
