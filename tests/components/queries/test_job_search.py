from __future__ import annotations

from typing import Any

import pytest

from components.queries.job_search import SearchProblem, parse_search
from components.queries.jobs import JobFilter

NOTHING: dict[str, Any] = {"text": "", "excluded_users": []}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("daily orders", {"text": "daily orders"}),
        ("status:error", {"statuses": ["error"]}),
        ("Status:Error,warning", {"statuses": ["error", "warning"]}),
        ("component:ex-http", {"component": "ex-http"}),
        ("configuration:12", {"configuration": 12}),
        ("user:ada", {"user": "ada"}),
        ('user:"ada lovelace"', {"user": "ada lovelace"}),
        ("-user:ada -user:bob", {"excluded_users": ["ada", "bob"]}),
        ("durationSeconds:>120", {"longer_than": 120.0}),
        ("duration:5m", {"longer_than": 300.0}),
        ('"status:error"', {"text": "status:error"}),
        ("https://example.com/a", {"text": "https://example.com/a"}),
        ("-status:error", {"text": "-status:error"}),
        ("a status:error b", {"statuses": ["error"], "text": "a b"}),
    ],
)
def test_a_search_means(text: str, expected: dict[str, Any]) -> None:
    assert parse_search(text) == JobFilter(**{**NOTHING, **expected})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("status:broken", "“broken” is no status; write status: with created, waiting"),
        ("status:", "is no status"),
        ("configuration:orders", "Write configuration: with the number that its address has."),
        ("configuration:" + "9" * 30, "Write configuration: with the number"),
        ("duration:long", "“long” is not a duration"),
    ],
)
def test_nonsense_is_explained(text: str, sentence: str) -> None:
    with pytest.raises(SearchProblem) as error:
        parse_search(text)
    assert sentence in str(error.value)


def test_it_is_laid_over_the_choices_beside_it() -> None:
    base = JobFilter(statuses=["success"], component="ex-http")
    assert parse_search("status:error x", base=base) == JobFilter(
        statuses=["error"], component="ex-http", text="x", excluded_users=[]
    )
