"""What people say about a file that is loaded into Storage."""

from __future__ import annotations

import csv
import re
import unicodedata
from pathlib import Path
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import TemporaryUploadedFile

from components.exceptions import ComponentsError
from components.models import Bucket, Table, TableVersion
from components.services.imports import import_file
from components.store.csv_files import DELIMITERS
from components.store.loading import FORMATS
from components.validators import TABLE_KEY

MEGABYTE = 1024 * 1024
LONGEST_PART = 100  # characters of a bucket's id and of a table's name
ENDINGS = {
    **{f".{name}": name for name in FORMATS},
    ".txt": "csv",
    ".jsonl": "ndjson",
    ".pq": "parquet",
}
BUCKET_KEY = re.compile(r"(in|out)\.c-[A-Za-z0-9_-]+")
FULL, INCREMENTAL = "full", "incremental"


class NamesField(forms.CharField):
    """Names with commas between them; one that has a comma itself stands in double quotes."""

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return ", ".join(f'"{name}"' if "," in name else name for name in value)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        names = next(csv.reader([" ".join(text.split())], skipinitialspace=True), [])
        return list(dict.fromkeys(name.strip() for name in names if name.strip()))


class UploadForm(forms.Form):
    """A file, and how it goes into a table that exists."""

    file = forms.FileField(
        allow_empty_file=True,  # the loader has a better sentence
        error_messages={"required": "Choose a file."},
        widget=forms.ClearableFileInput(
            {"accept": ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet,.gz"}
        ),
    )
    mode = forms.ChoiceField(
        label="Load",
        choices=[
            (FULL, "Full: the file replaces what the table holds"),
            (INCREMENTAL, "Incremental: the rows are added; by primary key, equal ones replaced"),
        ],
        initial=FULL,
        widget=forms.RadioSelect,
    )
    primary_key = NamesField(
        required=False,
        max_length=2000,
        help_text="Names of columns, with commas between them; leave empty for none.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    delimiter = forms.ChoiceField(
        required=False,
        choices=[("", "Found by itself"), *((d, w.capitalize()) for d, w in DELIMITERS.items())],
        help_text="Of a CSV file.",
    )

    def __init__(self, *args: Any, table: Table | None = None, **kwargs: Any) -> None:
        self.table = table
        if table and table.current:
            kwargs.setdefault("initial", {})["primary_key"] = table.current.primary_key
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = (
            "CSV, TSV, JSON, NDJSON or Parquet, plain or gzip; "
            f"at most {settings.UPLOAD_LIMIT_MB:,} MB. Text must be UTF-8."
        )

    def clean_file(self) -> TemporaryUploadedFile:
        file = cast("TemporaryUploadedFile", self.cleaned_data["file"])
        if file.size is not None and file.size > settings.UPLOAD_LIMIT_MB * MEGABYTE:
            raise ValidationError(f"The file is larger than {settings.UPLOAD_LIMIT_MB:,} MB.")
        if not self._format(file):
            raise ValidationError(
                f"“{file.name}” is of no kind that can be loaded: its name should end in .csv, "
                ".tsv, .json, .ndjson or .parquet, each also with .gz."
            )
        return file

    def key(self) -> str:
        """Return the id of the table that the file goes into."""
        assert self.table is not None  # noqa: S101  # for the type checker
        return self.table.key

    def load(self, *, user: User) -> TableVersion | None:
        """Load the file; None leaves the reason in the form."""
        data = self.cleaned_data
        file: TemporaryUploadedFile = data["file"]
        try:
            return import_file(
                self.key(),
                Path(file.temporary_file_path()),
                format=self._format(file),
                delimiter=data["delimiter"],
                incremental=data["mode"] == INCREMENTAL,
                primary_key=data["primary_key"],
                user=user,
            )
        except ComponentsError as error:
            self.add_error("file", error.message)
            return None

    @staticmethod
    def _format(file: TemporaryUploadedFile) -> str:
        """Return the format that a file's name says; empty where it says none."""
        name = (file.name or "").lower().removesuffix(".gz")
        return ENDINGS.get(Path(name).suffix, "")


class NewTableForm(UploadForm):
    """A file, and the table that is made of it."""

    bucket = forms.CharField(
        max_length=LONGEST_PART,
        help_text="Such as in.c-sales: “in” for sources, “out” for results. "
        "One that does not exist is made.",
        error_messages={"required": "Name the bucket."},
        widget=forms.TextInput(
            {"autocomplete": "off", "spellcheck": "false", "list": "storage-buckets"}
        ),
    )
    name = forms.CharField(
        label="Table name",
        required=False,
        max_length=LONGEST_PART,
        help_text="Leave empty to take the name of the file.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ["file", "bucket", "name", "primary_key", "delimiter"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["mode"]  # of a new table both are the same

    def clean_bucket(self) -> str:
        key = str(self.cleaned_data["bucket"])
        if not BUCKET_KEY.fullmatch(key):
            raise ValidationError(
                f"“{key}” is no bucket: write in.c- or out.c- and then letters, digits, - or _."
            )
        return key

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["mode"] = FULL
        if not data.get("name") and data.get("file"):
            data["name"] = name_from(data["file"].name or "")
        if not {"bucket", "name"} <= data.keys():
            return data
        key = f"{data['bucket']}.{data['name']}"
        if not TABLE_KEY.match(key):
            self.add_error("name", "Use letters, digits, - and _ only.")
        elif Table.objects.filter(key=key).exists():
            self.add_error("name", f"{key} exists already; open it to load a file into it.")
        return data

    def key(self) -> str:
        """Return the id of the new table."""
        return f"{self.cleaned_data['bucket']}.{self.cleaned_data['name']}"

    def buckets(self) -> list[str]:
        """Return the buckets to choose from."""
        return list(Bucket.objects.values_list("key", flat=True)[:300])


def name_from(file_name: str) -> str:
    """Return the table name that a file's name gives; `table` where nothing of it is left."""
    stem = Path(file_name.removesuffix(".gz")).stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[:LONGEST_PART] or "table"
