from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from components.builtin.ex_currency import MANIFEST
from components.exceptions import RunnerError
from components.runners.inline import try_inline

Run = Callable[..., Any]
TOP = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><gesmes:subject>Reference rates
</gesmes:subject><gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
<Cube>"""
END = "</Cube></gesmes:Envelope>"


def day(when: str, **rates: str) -> str:
    cubes = "".join(f'<Cube currency="{name}" rate="{rate}"/>' for name, rate in rates.items())
    return f"<Cube time='{when}'>{cubes}</Cube>"


DAILY = TOP + day("2026-11-20", USD="1.0875", CZK="25.105") + END
HISTORY = TOP + day("2026-11-20", USD="1.0875", CZK="25.105") + day("2026-11-19", CZK="25.2") + END


def test_rates_of_the_euro_are_the_banks_own(run: Run, web: Any) -> None:
    web.says("/eurofxref/eurofxref-daily.xml", DAILY.encode())
    settings = {"currency_rates_url": f"{web.url}/eurofxref/"}
    done = run(MANIFEST, {"currency": "EUR"}, settings=settings)
    common = {"date": date(2026, 11, 20), "fromCurrency": "EUR"}
    assert done.rows("in.c-test.rates") == [
        {"id": "2026-11-20-EUR-CZK", **common, "toCurrency": "CZK", "rate": 25.105},
        {"id": "2026-11-20-EUR-USD", **common, "toCurrency": "USD", "rate": 1.0875},
    ]
    (output,) = done.outputs
    assert (output["incremental"], output["primary_key"]) == (True, ["id"])
    assert done.result == {"table": "in.c-test.rates", "rows": 2, "days": 1}


@pytest.mark.parametrize(
    ("period", "file"),
    [("90days", "eurofxref-hist-90d.xml"), ("all", "eurofxref-hist.xml")],
)
def test_rates_are_converted_to_the_source_currency(
    run: Run, web: Any, period: str, file: str
) -> None:
    web.says(f"/{file}", HISTORY.encode())
    parameters = {"currency": "CZK", "period": period}
    done = run(MANIFEST, parameters, settings={"currency_rates_url": web.url})
    rates = {row["id"]: row["rate"] for row in done.rows("in.c-test.rates")}
    assert rates == {
        "2026-11-20-CZK-EUR": 0.0398327026489,
        "2026-11-20-CZK-USD": 0.0433180641307,
        "2026-11-19-CZK-EUR": 0.0396825396825,
    }


def test_days_without_the_source_currency_are_left_out(run: Run, web: Any) -> None:
    web.says("/eurofxref-hist-90d.xml", HISTORY.encode())
    parameters = {"currency": "USD", "period": "90days"}
    done = run(MANIFEST, parameters, settings={"currency_rates_url": web.url})
    assert {row["date"] for row in done.rows("in.c-test.rates")} == {date(2026, 11, 20)}
    assert done.result["days"] == 1


def test_a_currency_without_any_rate_is_a_sentence(run: Run, web: Any) -> None:
    web.says("/eurofxref-daily.xml", DAILY.encode())
    with pytest.raises(RunnerError, match="has no rates of JPY in it"):
        run(MANIFEST, {"currency": "JPY"}, settings={"currency_rates_url": web.url})


@pytest.mark.parametrize(
    "body",
    ["<html>maintenance", "no xml", DAILY[:-10], TOP + day("2026-11-20", USD="N/A") + END],
)
def test_another_answer_is_a_sentence(run: Run, web: Any, body: str) -> None:
    web.says("/eurofxref-daily.xml", body.encode())
    with pytest.raises(RunnerError, match="not the expected XML file of rates"):
        run(MANIFEST, {"currency": "USD"}, settings={"currency_rates_url": web.url})


def test_entities_are_not_multiplied(run: Run, web: Any) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "boom">{levels}]><x>&e9;</x>'
    web.says("/eurofxref-daily.xml", bomb.encode())
    with pytest.raises(RunnerError, match="not the expected XML file"):
        run(MANIFEST, {"currency": "USD"}, settings={"currency_rates_url": web.url})


def test_the_bank_is_tested(web: Any, tmp_path: Path) -> None:
    url = web.says("/eurofxref-daily.xml", DAILY.encode())
    settings = {"currency_rates_url": web.url}
    assert try_inline(MANIFEST, {"currency": "USD"}, root=tmp_path, settings=settings) == (
        f"Reached {url}: 200 OK."
    )
    web.answers.clear()
    with pytest.raises(RunnerError, match="404 Not Found"):
        try_inline(MANIFEST, {"currency": "USD"}, root=tmp_path, settings=settings)
