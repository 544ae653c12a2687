"""Variables of a job: `{{ name }}` in parameters and mappings is replaced by a text.

Only names that the job was given are replaced: `{{ x }}` of anybody else, such as a component's own
syntax, stays as it is, and so does everything where a job has no variables. Secrets stay too: they
are cipher text here, and come to the component exactly as they were typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")


def rendered(tree: Any, variables: Mapping[str, str]) -> Any:
    """Return a copy of JSON with the placeholders in all its texts replaced, once; keys are kept.

    It is values that are replaced, not written JSON, so that no text can break out of its place.
    """
    if not variables:
        return tree
    if isinstance(tree, dict):
        return {key: rendered(value, variables) for key, value in tree.items()}
    if isinstance(tree, list):
        return [rendered(item, variables) for item in tree]
    if not isinstance(tree, str):
        return tree
    return PLACEHOLDER.sub(lambda found: variables.get(found[1], found[0]), tree)
