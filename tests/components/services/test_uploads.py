from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from components import tasks
from components.models import Component, Job
from components.runners.base import JobSpec, StoreSettings
from components.runners.workbench import StoreWorkbench
from components.services.configurations import create_configuration, update_configuration
from components.services.job_specs import store_settings
from components.services.jobs import create_job
from components.services.uploads import file_name, safe_name, save_upload, sweep_uploads
from components.services.uploads import uploads_store as store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_store(settings: LazySettings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/storage"


def save(tmp_path: Path, name: str = "a.csv", text: str = "a\n1\n") -> str:
    local = tmp_path / "given"
    local.write_text(text)
    return save_upload(name, local)


def test_a_job_reads_what_the_page_stored_under_its_own_name(tmp_path: Path) -> None:
    reference = save(tmp_path, "Büdget 1.csv", "a,b\n1,2\n")
    where: StoreSettings = store_settings()
    work = tmp_path / "work"
    work.mkdir()
    spec = JobSpec(
        component="ex-upload",
        action="run",
        parameters={},
        work=str(work),
        store=where,
        memory_mb=256,
        settings={},
    )
    bench = StoreWorkbench(spec, lambda *_: None, lambda *_: None)
    found = bench.upload(reference)
    assert (found.name, found.read_text()) == ("Büdget 1.csv", "a,b\n1,2\n")
    assert file_name(reference) == "Büdget 1.csv"
    assert not (tmp_path / "given").exists()


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("orders.csv", "orders.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\orders.csv", "orders.csv"),
        (".\x00\u202e.hidden ", "hidden"),
        ("", "file"),
        ("..", "file"),
        ("ž" * 300 + ".csv", "ž" * 98 + ".csv"),
        ("no-ending", "no-ending"),
    ],
)
def test_names_are_safe_everywhere(given: str, stored: str) -> None:
    assert safe_name(given) == stored


def test_the_sweeper_leaves_what_a_version_or_a_job_names_and_what_is_young(tmp_path: Path) -> None:
    upload = Component.objects.get(key="ex-upload")
    first, second, other, young = (save(tmp_path, f"{n}.csv") for n in range(4))
    made = create_configuration(upload, user=None, name="Budget", parameters={"file": first})
    update_configuration(made, user=None, parameters={"file": second})
    by_job = save(tmp_path)
    create_job(made, parameters={"file": by_job})
    root = Path(tmp_path, "storage-uploads")
    long_ago = (timezone.now() - timedelta(hours=25)).timestamp()
    for reference in (first, second, other, by_job):
        os.utime(root / reference.rpartition("/")[0], (long_ago, long_ago))

    assert sweep_uploads() == 1
    left = {file.path for file in store().files()}
    assert left == {r.rpartition("/")[0] for r in (first, second, young, by_job)}

    Job.objects.all().delete()
    tasks.sweep_storage()
    assert by_job.rpartition("/")[0] not in {file.path for file in store().files()}
    assert sweep_uploads() == 0
