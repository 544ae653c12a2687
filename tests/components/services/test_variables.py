from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from components.enums import JobOrigin
from components.models import Job
from components.services.job_specs import build_spec
from components.services.jobs import JobRequest, create_job, create_jobs
from components.services.variables import rendered
from orchestrator_site.lib.secrets import encrypt_tree
from tests.builders import make_configuration

GIVEN = {"city": "Brno", "since.day-1": "2026-11-01", "_x": "{{ city }}"}
TEXTS = {
    "{{ city }}": "Brno",
    "{{city}}": "Brno",
    "{{  city\t}}": "Brno",
    "in {{ city }} since {{since.day-1}}.": "in Brno since 2026-11-01.",
    "{{{ city }}}": "{Brno}",
    "{{ City }}": "{{ City }}",
    "{{ data }} of {{ city }}": "{{ data }} of Brno",
    "{{ city": "{{ city",
    "{{ ci ty }}": "{{ ci ty }}",
    "{{}}": "{{}}",
    "{ { city } }": "{ { city } }",
    "{{ _x }}": "{{ city }}",  # what was put in is not looked at again
    "": "",
}


@pytest.mark.parametrize(("text", "becomes"), TEXTS.items())
def test_texts(text: str, becomes: str) -> None:
    assert rendered(text, GIVEN) == becomes


def test_only_texts_that_are_values_are_touched() -> None:
    tree = {"{{ city }}": ["{{ city }}", 1, None, True, 2.5, {"a": {"b": "{{ city }}"}}], "c": {}}
    before = json.dumps(tree)
    assert rendered(tree, GIVEN) == {
        "{{ city }}": ["Brno", 1, None, True, 2.5, {"a": {"b": "Brno"}}],
        "c": {},
    }
    assert json.dumps(tree) == before
    assert rendered(tree, {}) == tree


def test_a_number_stays_a_text() -> None:
    assert rendered({"limit": "{{ n }}"}, {"n": "12"}) == {"limit": "12"}


SCALARS = some.none() | some.booleans() | some.integers() | some.text()
TREES = some.recursive(
    SCALARS, lambda leaf: some.lists(leaf) | some.dictionaries(some.text(), leaf), max_leaves=10
)


def shape(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: shape(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [shape(item) for item in tree]
    return type(tree).__name__


@given(TREES, some.text())
def test_no_value_breaks_out_of_its_place(tree: Any, value: str) -> None:
    where = {"a": ["{{ x }}", tree]}
    done = rendered(where, {"x": value})
    assert done["a"][0] == value
    assert shape(done) == shape(where)
    assert json.loads(json.dumps(done)) == done


@given(TREES)
def test_names_that_are_not_given_leave_all_as_it_is(tree: Any) -> None:
    assert rendered(tree, {"nobody-uses-this": "x"}) == tree or "nobody-uses-this" in str(tree)


@pytest.mark.django_db
def test_the_orders_of_a_job_have_its_variables_in_place() -> None:
    parameters = {
        "url": "https://{{ city }}.example/{{ data }}",
        "#password": "{{ city }}",
        "headers": [{"name": "X-City", "value": "{{ city }}"}],
    }
    configuration = make_configuration(
        "ex-http",
        parameters=encrypt_tree(parameters),
        output=[{"source": "a", "destination": "in.c-{{ city }}.orders", "incremental": True}],
    )
    own = {"note": "{{ city }}"}
    [job] = create_jobs(
        [JobRequest(configuration, parameters=own, variables={"city": 'a"b'})],
        origin=JobOrigin.ORCHESTRATION,
    )
    job = Job.objects.select_related("component").get(pk=job.pk)
    spec = build_spec(job, configuration)
    secret = spec.parameters.pop("#password")
    assert spec.parameters == {
        "url": 'https://a"b.example/{{ data }}',
        "headers": [{"name": "X-City", "value": 'a"b'}],
        "note": 'a"b',
    }
    assert secret == configuration.parameters["#password"]  # a secret is what was typed
    assert spec.output_mapping == [
        {"source": "a", "destination": 'in.c-a"b.orders', "incremental": True}
    ]


@pytest.mark.django_db
def test_a_job_by_hand_has_no_variables() -> None:
    configuration = make_configuration("ex-http", parameters={"url": "{{ city }}"})
    job = Job.objects.select_related("component").get(pk=create_job(configuration).pk)
    assert job.variables == {}
    assert build_spec(job, configuration).parameters == {"url": "{{ city }}"}
