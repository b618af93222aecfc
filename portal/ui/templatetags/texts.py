"""How words stand in a line."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_E_MAIL = re.compile(r"(<[^>]*>)|\be-mail\w*", re.IGNORECASE)


@register.filter
def unbroken(text: Any) -> SafeString:
    """`text` with no line that ends after the "e-" of a mail: large words in a narrow window break there else."""
    return mark_safe(  # noqa: S308 - escaped, or markup of ours
        _E_MAIL.sub(lambda found: found[1] or f'<span class="nowrap">{found[0]}</span>', conditional_escape(text))
    )
