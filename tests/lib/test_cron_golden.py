"""`lib/cron.py` and the brute-force oracle against one golden file, so that neither can drift."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import NamedTuple, cast

import pytest

from orchestrator_site.lib import cron
from orchestrator_site.lib.cron import Gap, Repeat
from tests.lib import cron_oracle
from tests.lib.cron_oracle import EXPRESSIONS, GOLDEN, POLICIES, ZONES, Case

LINES = 12 * 7 * 18  # expressions, policies, moments


class Line(NamedTuple):
    case: Case
    fires: list[str]


@cache
def golden() -> list[Line]:
    found = []
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        zone, moment, expression, gap, repeat, fires = line.split("\t")
        case = Case(zone, datetime.fromisoformat(moment), expression, gap, repeat)
        found.append(Line(case, fires.split()))
    return found


def ours(case: Case) -> list[str]:
    rules = cron.Rules(cast("Gap", case.gap), cast("Repeat", case.repeat))
    found = cron.occurrences_between(
        case.expression, case.zone, case.begin, case.end, 10_000, rules
    )
    notes = {
        each.at: "!held" if each.held else "!gap" if each.kind == "gap" else "" for each in found
    }
    return [f"{o.local.isoformat(timespec='minutes')}{notes[o.at]}" for o in found]


def test_the_file_has_all_expressions_zones_and_policies() -> None:
    cases = [line.case for line in golden()]
    assert len(cases) == LINES
    assert {case.expression for case in cases} == set(EXPRESSIONS)
    assert {case.zone for case in cases} == set(ZONES)
    assert {(case.gap, case.repeat) for case in cases} == set(POLICIES)
    notes = {note for line in golden() for fire in line.fires for note in fire.split("!")[1:]}
    assert notes == {"gap", "held"}


@pytest.mark.parametrize("zone", ZONES)
def test_ours_is_the_golden_answer(zone: str) -> None:
    wrong = [
        (line.case, ours(line.case), line.fires)
        for line in golden()
        if line.case.zone == zone and ours(line.case) != line.fires
    ]
    assert wrong == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_oracle_gives_the_golden_answer(expression: str) -> None:
    chosen = [line for line in golden() if line.case.expression == expression][::5]
    assert [
        [fire.replace(" ", "!") for fire in cron_oracle.answer(line.case)] for line in chosen
    ] == [line.fires for line in chosen]
