"""The sample project: a small shop's data, loaded, transformed and written by one orchestration."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from components import builtin
from components.models import Component, Configuration
from components.services.configurations import Content, create_configuration
from components.services.uploads import save_upload
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import create_orchestration

NAME = "Sample project"
LOADED = "Loaded the sample project."
SAMPLES = Path(builtin.__file__).parent / "samples"
SOURCES = {"customers": "customer_id", "orders": "order_id", "products": "product_id"}
DESCRIPTION = (
    "A coffee supplier's first half of a year: three files become Storage tables, SQL joins them "
    "into monthly revenue and best customers, and the results are written as CSV files."
)
REVENUE_BY_MONTH = """\
-- What was sold, with the name of who bought it and what it was; cancelled orders brought nothing.
CREATE TEMP TABLE sales AS
SELECT
    o.order_id,
    date_trunc('month', o.ordered_at)::DATE AS month,
    c.customer_id,
    c.company,
    c.country,
    p.category,
    round(
        o.quantity * o.unit_price::DECIMAL(10, 2) * (1 - coalesce(o.discount, 0)::DECIMAL(4, 2)), 2
    ) AS revenue
FROM orders o
JOIN customers c USING (customer_id)
JOIN products p USING (product_id)
WHERE o.status NOT IN ('cancelled', 'returned');

CREATE TABLE revenue_by_month AS
SELECT
    month,
    category,
    count(DISTINCT order_id) AS orders,
    sum(revenue) AS revenue
FROM sales
GROUP BY month, category
ORDER BY month, category;
"""
BEST_CUSTOMERS = """\
CREATE TABLE best_customers AS
SELECT
    customer_id,
    company,
    country,
    count(DISTINCT order_id) AS orders,
    sum(revenue) AS revenue,
    max(month) AS last_month
FROM sales
GROUP BY customer_id, company, country
ORDER BY revenue DESC
LIMIT 20;
"""


@transaction.atomic
def load_sample_project(*, user: User | None) -> Orchestration:
    """Create the sample's configurations and its orchestration; a second call returns the first's.

    One that was moved to the trash does not count: a new one is made beside it.
    """
    # Two clicks at once wait for each other here.
    Component.objects.select_for_update().get(key="tr-sql")
    found = Orchestration.objects.filter(
        deleted_at=None, versions__number=1, versions__change=LOADED
    ).first()
    if found is not None:
        return found
    extract = [_upload(name, key, user) for name, key in SOURCES.items()]
    phases = {"Extract": extract, "Transform": [_transform(user)], "Write": [_write(user)]}
    return create_orchestration(
        name=NAME,
        user=user,
        description=DESCRIPTION,
        phases=[
            {"name": name, "tasks": [{"configuration": task.pk} for task in tasks]}
            for name, tasks in phases.items()
        ],
        change=LOADED,
    )


def _upload(name: str, key: str, user: User | None) -> Configuration:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        # The store takes the file it is given, so it is given a copy.
        copy = Path(shutil.copy(SAMPLES / f"{name}.csv", folder))
        reference = save_upload(copy.name, copy)
    return _create(
        "ex-upload",
        user,
        name=f"Sample {name}",
        description=f"The file {name}.csv of the sample project.",
        parameters={"file": reference},
        output=[{"source": name, "destination": f"in.c-sample.{name}", "primary_key": [key]}],
    )


def _transform(user: User | None) -> Configuration:
    blocks = [
        {"name": "Revenue by month", "script": REVENUE_BY_MONTH},
        {"name": "Best customers", "script": BEST_CUSTOMERS},
    ]
    tables = ("revenue_by_month", "best_customers")
    return _create(
        "tr-sql",
        user,
        name="Sample revenue",
        description="Joins orders with customers and products.",
        parameters={"blocks": blocks},
        input=[{"source": f"in.c-sample.{name}", "destination": name} for name in SOURCES],
        output=[{"source": name, "destination": f"out.c-sample.{name}"} for name in tables],
    )


def _write(user: User | None) -> Configuration:
    tables: list[dict[str, Any]] = [
        {"source": f"out.c-sample.{name}", "destination": name}
        for name in ("revenue_by_month", "best_customers")
    ]
    return _create(
        "wr-file",
        user,
        name="Sample report",
        description="Writes the results as CSV files into the folder sample of the files folder.",
        parameters={"folder": "sample", "format": "csv"},
        input=tables,
    )


def _create(component: str, user: User | None, **content: Any) -> Configuration:
    whole: Content = {**content}  # type: ignore[typeddict-item]  # the keywords above are its keys
    return create_configuration(
        Component.objects.get(key=component), user=user, change=LOADED, **whole
    )
