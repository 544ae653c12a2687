"""ECB currency rates: the European Central Bank's reference rates, seen from one currency."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Context as Precision
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx

from components.builtin import ex_http, fields, web
from components.builtin.contract import Context, Manifest, TestContext
from components.enums import ComponentType
from components.exceptions import RunnerError
from orchestrator_site.lib.duck import literal

EURO = "EUR"
CURRENCIES = {
    "EUR": "Euro",
    "AUD": "Australian dollar",
    "BRL": "Brazilian real",
    "CAD": "Canadian dollar",
    "CHF": "Swiss franc",
    "CNY": "Chinese yuan renminbi",
    "CZK": "Czech koruna",
    "DKK": "Danish krone",
    "GBP": "Pound sterling",
    "HKD": "Hong Kong dollar",
    "HUF": "Hungarian forint",
    "IDR": "Indonesian rupiah",
    "ILS": "Israeli shekel",
    "INR": "Indian rupee",
    "ISK": "Icelandic króna",
    "JPY": "Japanese yen",
    "KRW": "South Korean won",
    "MXN": "Mexican peso",
    "MYR": "Malaysian ringgit",
    "NOK": "Norwegian krone",
    "NZD": "New Zealand dollar",
    "PHP": "Philippine peso",
    "PLN": "Polish zloty",
    "RON": "Romanian leu",
    "SEK": "Swedish krona",
    "SGD": "Singapore dollar",
    "THB": "Thai baht",
    "TRY": "Turkish lira",
    "USD": "US dollar",
    "ZAR": "South African rand",
}
FILES = {
    "daily": "eurofxref-daily.xml",
    "90days": "eurofxref-hist-90d.xml",
    "all": "eurofxref-hist.xml",
}
PERIODS = {"daily": "Latest day", "90days": "Last 90 days", "all": "All days since 4 January 1999"}
DIGITS = Precision(prec=12)  # significant ones of a converted rate; the bank gives at most eight
COLUMNS = (
    "{'id': 'VARCHAR', 'date': 'DATE', 'fromCurrency': 'VARCHAR', 'toCurrency': 'VARCHAR', "
    "'rate': 'DOUBLE'}"
)

Day = tuple[str, dict[str, Decimal]]  # ISO date, what one euro is worth in each currency


def run(context: Context) -> dict[str, Any]:
    """Fetch the bank's file and write `rates`."""
    currency = context.parameters.get("currency", EURO)
    source = context.work / "rates.xml"
    request = _request(context.settings, context.parameters.get("period", "daily"))

    def consume(response: httpx.Response) -> None:
        ex_http.check_success(request, response)
        ex_http.save(response, source, context)

    web.perform(request, consume, context.log)
    target = context.work / "rates.csv"
    days, rows = _convert(source, target, currency)
    if not rows:
        raise RunnerError(
            f"The file of {request.shown} has no rates of {currency} in it.", permanent=True
        )
    with context.connect() as connection:
        sql = f"SELECT * FROM read_csv({literal(str(target))}, header=false, columns={COLUMNS})"  # noqa: S608  # a path of ours
        written = context.write_query(
            "rates", connection, sql, primary_key=["id"], incremental=True
        )
    context.log(f"Loaded {rows:,} rates of {days:,} days into {written['table']}.")
    return {"table": written["table"], "rows": rows, "days": days}


def _request(settings: dict[str, Any], period: str) -> web.Request:
    url = f"{settings['currency_rates_url'].rstrip('/')}/{FILES[period]}"
    return web.request_of({"url": url})


def _convert(source: Path, target: Path, currency: str) -> tuple[int, int]:
    """Write the rates as seen from `currency` to a CSV file; return how many days and rows."""
    days = rows = 0
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for date, rates in read_days(source):
            base = rates.get(currency)
            if not base:
                continue  # the bank did not quote it on that day
            days += 1
            for other in sorted(rates.keys() - {currency}):
                rate = DIGITS.divide(rates[other], base)
                writer.writerow((f"{date}-{currency}-{other}", date, currency, other, f"{rate:f}"))
                rows += 1
    return days, rows


def read_days(path: Path) -> Iterator[Day]:
    """Yield each day of the bank's XML file; raises RunnerError where it is not such a file."""
    try:
        # expat refuses entities that multiply, and resolves none from outside.
        for _, element in ET.iterparse(path):  # noqa: S314
            date = element.get("time")
            if date:
                yield date, {EURO: Decimal(1), **_rates(element)}
                element.clear()
    except (ET.ParseError, DecimalException, KeyError) as error:
        raise RunnerError(
            "The bank's answer is not the expected XML file of rates.", permanent=True
        ) from error


def _rates(day: ET.Element) -> dict[str, Decimal]:
    return {rate.attrib["currency"]: Decimal(rate.attrib["rate"]) for rate in day}


def test(context: TestContext) -> str:
    """Ask the bank for the latest day's file."""
    request = _request(context.settings, "daily")

    def consume(response: httpx.Response) -> str:
        ex_http.check_success(request, response)
        return f"Reached {request.shown}: {web.status_text(response)}."

    return web.perform(request, consume, lambda _message, _level: None)


MANIFEST = Manifest(
    key="ex-currency",
    name="ECB currency rates",
    type=ComponentType.EXTRACTOR,
    summary="Loads the reference exchange rates of the European Central Bank.",
    documentation=fields.documentation("ex-currency"),
    schema=fields.document(
        {
            "currency": fields.choice(
                "Source currency",
                {code: f"{code}, {name}" for code, name in CURRENCIES.items()},
                EURO,
                "The rates tell what one unit of it is worth in every other currency.",
            ),
            "period": fields.choice("Period", PERIODS, "daily"),
        },
        ["currency"],
    ),
    run=run,
    test=test,
    icon="currency-euro",
    has_output=True,
)
