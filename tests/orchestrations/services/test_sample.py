from __future__ import annotations

import csv
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from django.conf import settings

from components import builtin
from components.models import Configuration, Table
from components.services.jobs import run_job
from orchestrations.enums import StartedBy
from orchestrations.models import Orchestration, Run
from orchestrations.services.orchestrations import move_to_trash
from orchestrations.services.runs import start_run
from orchestrations.services.sample import load_sample_project
from tests.builders import make_user
from tests.control import Control

SAMPLES = Path(builtin.__file__).parent / "samples"


@pytest.mark.django_db
def test_it_is_loaded_once_and_again_after_the_trash() -> None:
    user = make_user(name="ada")
    orchestration = load_sample_project(user=user)
    assert load_sample_project(user=None) == orchestration
    phases = orchestration.versions.get().definition["phases"]
    names = dict(Configuration.objects.values_list("pk", "name"))
    assert {p["name"]: [names[t["configuration"]] for t in p["tasks"]] for p in phases} == {
        "Extract": ["Sample customers", "Sample orders", "Sample products"],
        "Transform": ["Sample revenue"],
        "Write": ["Sample report"],
    }
    assert orchestration.created_by == user
    move_to_trash(orchestration, user=None)
    assert load_sample_project(user=user) != orchestration
    assert Orchestration.objects.count() == 2


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_it_runs_to_success_and_its_numbers_are_right(control: Control) -> None:
    orchestration = load_sample_project(user=None)
    run = start_run(orchestration, started_by=StartedBy.MANUAL)
    control.deliver()
    done = 0
    while done < len(control.jobs):
        run_job(control.jobs[done])
        done += 1
        control.deliver()
    assert control.states(run) == "success: success success success success success"
    assert set(Table.objects.values_list("key", "current__rows")) >= {
        ("in.c-sample.customers", 60),
        ("in.c-sample.orders", 300),
        ("in.c-sample.products", 20),
    }
    report = Path(settings.FILES_ROOT) / "sample" / "revenue_by_month.csv"
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["revenue"]) for row in rows) == expected_revenue()
    assert Run.objects.count() == 1


def expected_revenue() -> Decimal:
    """The sum over the orders that brought money, computed without SQL."""
    total = Decimal(0)
    with (SAMPLES / "orders.csv").open(newline="") as file:
        for order in csv.DictReader(file):
            if order["status"] in {"cancelled", "returned"}:
                continue
            price = Decimal(order["unit_price"]) * int(order["quantity"])
            price *= 1 - Decimal(order["discount"] or 0)
            total += price.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return total
