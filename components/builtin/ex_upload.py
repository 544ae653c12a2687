"""Upload: a table from a file that was given in the page."""

from __future__ import annotations

from typing import Any

from components.builtin import fields, tabular
from components.builtin.contract import Context, Manifest, text_parameter
from components.enums import ComponentType


def run(context: Context) -> dict[str, Any]:
    """Load the file."""
    reference = text_parameter(context.parameters, "file")
    path = context.upload(reference)
    return {**tabular.load(context, path, path.name), "bytes": path.stat().st_size}


MANIFEST = Manifest(
    key="ex-upload",
    name="File upload",
    type=ComponentType.EXTRACTOR,
    summary="Loads a CSV, TSV, JSON, NDJSON or Parquet file from your computer.",
    documentation=fields.documentation("ex-upload"),
    schema=fields.document(
        {
            "file": fields.text("File", format="upload", minLength=1),
            **tabular.FORMAT,
            **tabular.WRITING,
            **tabular.READING,
        },
        ["file"],
    ),
    run=run,
    icon="upload",
    has_output=True,
)
