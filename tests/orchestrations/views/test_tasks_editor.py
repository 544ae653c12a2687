from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import PhaseDesign
from orchestrations.services.orchestrations import save_orchestration
from tests.builders import make_configuration, make_orchestration, make_trigger, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
Rows = list[tuple[str, list[str]]]


def fields_of(html: str) -> dict[str, Any]:
    """The values that a browser would post with the form, without a button."""
    html = html.split("<template", 1)[0]
    fields: dict[str, Any] = {"row": re.findall(r'name="row" value="([^"]+)"', html)}
    fields |= dict(re.findall(r'name="((?:name|target|options)-[^"]+)" value="([^"]*)"', html))
    fields = {name: unescape(v) if isinstance(v, str) else v for name, v in fields.items()}
    on = r'name="((?:active|continue|own)-[^"]+)"[^>]*(?: checked|value="on")'
    switched = re.findall(on, html)
    fields |= dict.fromkeys(switched, "on")
    for name, value in re.findall(r'name="(needs-[^"]+)" value="([^"]*)"', html):
        fields.setdefault(name, []).append(value)
    if found := re.findall(r'name="version" value="(\d+)"', html):
        fields["version"] = found[0]
    return fields


def rows_of(html: str) -> Rows:
    """Names of phases with the names of their tasks, as shown; without the empty one at the end."""
    html = html.split("<template", 1)[0]
    found: Rows = []
    pattern = r'name="name-[^"]+" value="([^"]*)"|class="row-link"[^>]*>([^<]*)</'
    for phase, task in re.findall(pattern, html):
        if task:
            found[-1][1].append(task)
        else:
            found.append((phase, []))
    assert found[-1][0].startswith("New phase")
    return found[:-1] if not found[-1][1] else found


def saved(orchestration: Orchestration) -> list[PhaseDesign]:
    phases: list[PhaseDesign] = orchestration.versions.latest("number").definition["phases"]
    return phases


def make(*names: str) -> list[Configuration]:
    return [make_configuration("ex-http", name=name) for name in names]


def path_of(orchestration: Orchestration) -> str:
    return reverse("orchestration-tasks", args=[orchestration.pk])


def test_it_shows_what_is_saved(editor: Client) -> None:
    a, b, c = make("a", "b", "c")
    orchestration = make_orchestration([[a], [{"configuration": b.pk, "is_active": False}, c]])
    html = editor.get(path_of(orchestration)).content.decode()
    assert rows_of(html) == [("Phase 1", ["a"]), ("Phase 2", ["b", "c"])]
    fields = fields_of(html)
    assert [name for name in fields if name.startswith("active")] == ["active-t1", "active-t3"]


def test_saving_what_is_there_makes_no_version(editor: Client) -> None:
    a, b = make("a", "b")
    orchestration = make_orchestration(
        [[{"configuration": a.pk, "retries": 3, "parameters": {"x": 1}}], [b]],
        waits=[None, ["p1"]],
    )
    html = editor.get(path_of(orchestration)).content.decode()
    answer = editor.post(path_of(orchestration), fields_of(html))
    assert answer["Location"] == orchestration.get_absolute_url()
    assert orchestration.versions.count() == 1


def test_saving_tasks_that_update_what_the_trigger_waits_for_is_warned_about(
    editor: Client,
) -> None:
    """Each of its runs would start the next."""
    reads = make_configuration("ex-http", name="reads")
    writes = make_configuration(
        "tr-sql", name="writes", output=[{"source": "x", "destination": "out.c-shop.sales"}]
    )
    orchestration = make_orchestration([[reads]])
    make_trigger("out.c-shop.sales", "in.c-shop.orders", orchestration=orchestration)
    path = path_of(orchestration)
    for added, level in (([], "success"), ([f"configuration:{writes.pk}"], "warning")):
        fields = fields_of(editor.get(path).content.decode())
        for target in added:
            part = editor.post(
                path, {**fields, "action": "add-task:", "phase": "p1", "target": target}
            )
            fields = fields_of(part.content.decode())
        page = editor.post(path, fields, follow=True)
        [message] = page.context["messages"]
        assert message.level_tag == level
    assert str(message) == (
        "Saved. Its own runs update out.c-shop.sales, which start it: each run the next."
    )


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("down:t1", [("Phase 1", ["b", "a"]), ("Phase 2", ["c"])]),
        ("down:t2", [("Phase 1", ["a"]), ("Phase 2", ["b", "c"])]),
        ("up:t2", [("Phase 1", ["b", "a"]), ("Phase 2", ["c"])]),
        ("up:t3", [("Phase 1", ["a", "b", "c"]), ("Phase 2", [])]),
        ("up:t1", [("Phase 1", ["a", "b"]), ("Phase 2", ["c"])]),
        ("down:t3", [("Phase 1", ["a", "b"]), ("Phase 2", []), ("New phase", ["c"])]),
        ("remove:t1", [("Phase 1", ["b"]), ("Phase 2", ["c"])]),
        ("phase-down:p1", [("Phase 2", ["c"]), ("Phase 1", ["a", "b"])]),
        ("phase-up:p2", [("Phase 2", ["c"]), ("Phase 1", ["a", "b"])]),
        ("phase-up:p1", [("Phase 1", ["a", "b"]), ("Phase 2", ["c"])]),
        ("phase-remove:p1", [("Phase 2", ["c"])]),
        ("add-phase:", [("Phase 1", ["a", "b"]), ("Phase 2", ["c"]), ("New phase", [])]),
        ("up:nothing", [("Phase 1", ["a", "b"]), ("Phase 2", ["c"])]),
        ("nonsense", [("Phase 1", ["a", "b"]), ("Phase 2", ["c"])]),
    ],
)
def test_each_button_changes_the_rows_and_saves_nothing(
    editor: Client, action: str, expected: Rows
) -> None:
    a, b, c = make("a", "b", "c")
    orchestration = make_orchestration([[a, b], [c]])
    path = path_of(orchestration)
    fields = fields_of(editor.get(path).content.decode())
    answer = editor.post(path, {**fields, "action": action})
    assert answer.status_code == 200
    assert rows_of(answer.content.decode()) == expected
    part = editor.post(path, {**fields, "action": action}, headers=HTMX).content.decode()
    assert "<html" not in part
    assert rows_of(part) == expected
    assert orchestration.versions.count() == 1
    answer = editor.post(path, fields_of(answer.content.decode()))
    assert answer.status_code == 302
    names = dict(Configuration.objects.values_list("pk", "name"))
    assert [
        (phase["name"], [names[task["configuration"] or 0] for task in phase["tasks"]])
        for phase in saved(orchestration)
    ] == [(phase, tasks) for phase, tasks in expected if tasks]


def test_it_saves_switches_names_and_keeps_what_it_does_not_show(editor: Client) -> None:
    (a,) = make("a")
    orchestration = make_orchestration([[{"configuration": a.pk, "retries": 3, "delay": 9}]])
    path = path_of(orchestration)
    fields = fields_of(editor.get(path).content.decode())
    del fields["active-t1"]
    editor.post(path, {**fields, "name-p1": "Extract", "continue-t1": "on"})
    (phase,) = saved(orchestration)
    (task,) = phase["tasks"]
    assert phase["name"] == "Extract"
    assert (task["is_active"], task["continue_on_failure"]) == (False, True)
    assert (task["retries"], task["delay"], task["key"]) == (3, 9, "t1")
    version = orchestration.versions.latest("number")
    assert version.created_by is not None
    assert version.created_by.username == "ada"


def test_it_adds_tasks_to_a_phase_and_to_a_new_one(editor: Client) -> None:
    a, b = make("a", "b")
    orchestration = make_orchestration([[a]])
    path = path_of(orchestration)
    fields = fields_of(editor.get(path).content.decode())
    add = {"action": "add-task:", "target": f"configuration:{b.pk}"}
    html = editor.post(path, {**fields, **add, "phase": "p1"}).content.decode()
    assert rows_of(html) == [("Phase 1", ["a", "b"])]
    html = editor.post(path, {**fields_of(html), **add, "phase": "new"}).content.decode()
    assert rows_of(html) == [("Phase 1", ["a", "b"]), ("New phase", ["b"])]
    editor.post(path, fields_of(html))
    assert [len(phase["tasks"]) for phase in saved(orchestration)] == [2, 1]
    for nothing in (
        "",
        "configuration:999999",
        "orchestration:x",
        f"orchestration:{orchestration.pk}",
    ):
        answer = editor.post(path, {**fields, "action": "add-task:", "target": nothing})
        assert "Choose what the new task runs." in answer.content.decode()


def test_a_new_orchestration_is_made_with_its_tasks(editor: Client) -> None:
    (a,) = make("a")
    path = reverse("orchestration-new")
    assert editor.get(path).status_code == 200
    fields = {"name": "", "description": "Why", "action": "add-task:", "phase": "new"}
    html = editor.post(path, {**fields, "target": f"configuration:{a.pk}"}).content.decode()
    assert "Give the orchestration a name." not in html  # nothing was submitted yet
    assert ">Why</textarea>" in html
    rows = fields_of(html)
    wrong = editor.post(path, {**rows, "name": " ", "description": "Why"})
    assert wrong.status_code == 422
    assert "Give the orchestration a name." in wrong.content.decode()
    assert rows_of(wrong.content.decode()) == [("New phase", ["a"])]
    answer = editor.post(path, {**rows, "name": "Nightly", "description": "Why"})
    orchestration = Orchestration.objects.get()
    assert answer["Location"] == orchestration.get_absolute_url()
    assert (orchestration.name, orchestration.description) == ("Nightly", "Why")
    assert [task["configuration"] for task in saved(orchestration)[0]["tasks"]] == [a.pk]


def test_a_new_one_without_a_name_is_told_at_the_field(editor: Client) -> None:
    url = reverse("orchestration-new")
    answer = editor.post(url, {"name": "", "description": "Kept"}, headers=HTMX)
    assert answer.status_code == 422
    beside = answer.content.decode().split('<div id="name-fields" hx-swap-oob="innerHTML">')[1]
    assert 'id="id_name_error" class="invalid-feedback">Give the orchestration a name.<' in beside
    assert 'rows="3">Kept</textarea>' in beside
    shown = editor.post(url, {"name": "", "action": "add-phase"}, headers=HTMX)
    assert "name-fields" not in shown.content.decode()


def test_an_edit_that_came_too_late_keeps_the_rows(editor: Client) -> None:
    (a,) = make("a")
    orchestration = make_orchestration([[a]])
    path = path_of(orchestration)
    fields = fields_of(editor.get(path).content.decode())
    bobs: list[Any] = [{**saved(orchestration)[0], "name": "Bob's"}]
    save_orchestration(orchestration, user=make_user(name="bob"), expected_version=1, phases=bobs)
    answer = editor.post(path, {**fields, "name-p1": "Mine"})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Version 2 was saved by bob" in html
    assert rows_of(html) == [("Mine", ["a"])]
    assert fields_of(html)["version"] == "1"
    assert saved(orchestration)[0]["name"] == "Bob's"


def test_errors_stand_at_their_rows(editor: Client) -> None:
    (a,) = make("a")
    orchestration = make_orchestration([[a]])
    other = make_orchestration([[orchestration]])
    fields = {
        "version": "1",
        "row": ["phase:p1", "task:t1", "task:t2"],
        "name-p1": "x" * 201,
        "target-t1": "configuration:999999",
        "target-t2": f"orchestration:{other.pk}",
    }
    answer = editor.post(path_of(orchestration), fields)
    assert answer.status_code == 422
    assert "Use 200 characters or fewer." in answer.content.decode()
    answer = editor.post(path_of(orchestration), {**fields, "name-p1": "Extract"})
    html = answer.content.decode()
    assert "This configuration does not exist." in html
    assert "would run inside itself." in html
    assert orchestration.versions.count() == 1


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"row": "task:t1"},
        {"row": ["phase:", "task:"]},
        {"row": ["phase:p1", "phase:p1"]},
        {"row": ["phase:p1", "task:t1"], "target-t1": "configuration:" + "9" * 50},
        {"row": ["phase:p1", "task:t1"], "target-t1": "x"},
        {"row": ["phase:" + "k" * 400], "version": "²"},
        {"row": ["phase:p1"], "name-p1": "a\0b", "version": "1"},
    ],
)
@pytest.mark.parametrize("action", ["", "add-phase:", "down:t1"])
def test_nonsense_is_answered_and_nothing_is_lost(
    editor: Client, posted: dict[str, Any], action: str
) -> None:
    (a,) = make("a")
    orchestration = make_orchestration([[a]])
    answer = editor.post(path_of(orchestration), {**posted, "action": action})
    assert answer.status_code in {200, 302, 422}
    assert orchestration.versions.get(number=1).definition["phases"][0]["tasks"] != []


def test_removing_a_phase_frees_those_that_waited_for_it(editor: Client) -> None:
    a, b, c = make("a", "b", "c")
    orchestration = make_orchestration([[a], [b], [c]], waits=[None, [], ["p1", "p2"]])
    path = path_of(orchestration)
    fields = fields_of(editor.get(path).content.decode())
    html = editor.post(path, {**fields, "action": "phase-remove:p1"}).content.decode()
    assert editor.post(path, fields_of(html)).status_code == 302
    assert [phase["depends_on"] for phase in saved(orchestration)] == [[], ["p2"]]


def test_five_hundred_tasks_can_be_edited(editor: Client) -> None:
    configurations = make(*(f"c{n}" for n in range(500)))
    orchestration = make_orchestration([configurations])
    path = path_of(orchestration)
    with CaptureQueriesContext(connection) as asked:
        html = editor.get(path).content.decode()
    assert len(asked) < 20
    fields = fields_of(html)
    del fields["active-t7"]
    assert editor.post(path, fields).status_code == 302
    assert [t["key"] for t in saved(orchestration)[0]["tasks"] if not t["is_active"]] == ["t7"]
