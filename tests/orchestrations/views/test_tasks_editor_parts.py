"""The tasks editor's dialog, options, variables, selection, grouping and order of phases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from components.enums import ComponentType
from components.models import Configuration
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.services.orchestrations import move_to_trash, save_orchestration
from orchestrator_site.lib.secrets import HIDDEN, decrypt_tree
from tests.builders import make_component, make_configuration, make_orchestration, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
Posted = dict[str, Any]


def path_of(orchestration: Orchestration) -> str:
    return reverse("orchestration-tasks", args=[orchestration.pk])


def rows(*phases: tuple[str, list[Configuration | Orchestration]], **extra: Any) -> Posted:
    """What a form of these phases posts: keys p1, p2, … and t1, t2, …."""
    posted: Posted = {"version": "1", "row": [], **extra}
    number = 0
    for place, (name, targets) in enumerate(phases, 1):
        posted["row"].append(f"phase:p{place}")
        posted[f"name-p{place}"] = name
        for target in targets:
            number += 1
            kind = type(target).__name__.lower()
            posted["row"].append(f"task:t{number}")
            posted |= {f"target-t{number}": f"{kind}:{target.pk}", f"active-t{number}": "on"}
    return posted


def shown(html: str) -> list[tuple[str, list[str]]]:
    """Phases with tasks, as the answer shows them."""
    found: list[tuple[str, list[str]]] = []
    html = html.split("<template", 1)[0]
    pattern = r'name="name-[^"]+" value="([^"]*)"|class="row-link"[^>]*>([^<]*)</'
    for phase, task in re.findall(pattern, html):
        if task:
            found[-1][1].append(task)
        else:
            found.append((phase, []))
    return [phase for phase in found if phase[1]]


def do(client: Client, path: str, posted: Posted, action: str) -> str:
    answer = client.post(path, {**posted, "action": action}, headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def latest(orchestration: Orchestration) -> OrchestrationVersion:
    return orchestration.versions.latest("number")


def task_of(orchestration: Orchestration, place: int = 0) -> Any:
    return latest(orchestration).definition["phases"][0]["tasks"][place]


# ---- Selected tasks and phases


@pytest.mark.parametrize(
    ("extra", "action", "expected"),
    [
        (
            {"pick": ["task:t1", "task:t3"], "move-to": "p2"},
            "move-picked",
            [("A", ["b"]), ("B", ["d", "a", "c"])],
        ),
        (
            {"pick": ["task:t2", "task:t4"], "move-to": "new", "move-name": "Mine"},
            "move-picked",
            [("A", ["a"]), ("B", ["c"]), ("Mine", ["b", "d"])],
        ),
        (
            {"pick": ["phase:p1", "phase:p2"]},
            "merge-picked",
            [("A", ["a", "b", "c", "d"])],
        ),
        ({"pick": ["phase:p2", "task:t1"]}, "remove-picked", [("A", ["b"])]),
        (
            {"pick": ["task:t1"], "move-to": "zz"},
            "move-picked",
            [("A", ["a", "b"]), ("B", ["c", "d"])],
        ),
        ({"move-to": "p1"}, "move-picked", [("A", ["a", "b"]), ("B", ["c", "d"])]),
        ({}, "merge-picked", [("A", ["a", "b"]), ("B", ["c", "d"])]),
    ],
)
def test_what_is_selected_is_moved_merged_or_removed(
    editor: Client, extra: Posted, action: str, expected: Any
) -> None:
    a, b, c, d = (make_configuration("ex-http", name=name) for name in "abcd")
    path = path_of(make_orchestration([[a]]))
    html = do(editor, path, rows(("A", [a, b]), ("B", [c, d]), **extra), action)
    assert shown(html) == expected


def test_to_another_phase_selects_that_task_alone(editor: Client) -> None:
    a, b = (make_configuration("ex-http", name=name) for name in "ab")
    path = path_of(make_orchestration([[a]]))
    html = do(editor, path, rows(("A", [a, b]), pick=["task:t1", "phase:p1"]), "pick:t2")
    assert re.findall(r'value="((?:task|phase):[^"]+)"[^>]* checked', html) == ["task:t2"]


def test_merged_phases_are_waited_for_as_one(editor: Client) -> None:
    a, b, c = (make_configuration("ex-http", name=name) for name in "abc")
    orchestration = make_orchestration([[a], [b], [c]], waits=[[], [], ["p2"]])
    posted = rows(("A", [a]), ("B", [b]), ("C", [c]), pick=["phase:p1", "phase:p2"])
    posted |= {"own-p1": "on", "own-p2": "on", "own-p3": "on", "needs-p3": "p2"}
    html = do(editor, path_of(orchestration), posted, "merge-picked")
    assert re.findall(r'name="needs-p3" value="([^"]+)"', html) == ["p1"]


def test_tasks_are_grouped_by_the_type_of_their_component(editor: Client) -> None:
    kinds = [ComponentType.WRITER, ComponentType.APPLICATION, ComponentType.TRANSFORMATION]
    made = [make_configuration(make_component(type_=kind), name=str(kind)) for kind in kinds]
    load = make_configuration("ex-http", name="load")
    inner = make_orchestration([[load]], name="inner")
    orchestration = make_orchestration([[load]])
    posted = rows(("A", [*made, inner]), ("B", [load]), **{"own-p2": "on"})
    html = do(editor, path_of(orchestration), posted, "group")
    assert shown(html) == [
        ("Extractors", ["load"]),
        ("Transformations", ["transformation"]),
        ("Applications", ["application"]),
        ("Writers", ["writer"]),
        ("Orchestrations", ["inner"]),
    ]
    assert 'name="own-' not in html
    page = editor.get(path_of(orchestration)).content.decode()
    assert "Extractors, Transformations, Applications, Writers, Orchestrations." in page


def test_missing_tasks_are_shown_and_grouped_last(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    gone = make_orchestration([[a]], name="gone")
    move_to_trash(gone, user=None)
    posted = rows(("A", [gone, a]))
    posted["row"].append("task:t9")
    posted["target-t9"] = "configuration:987654"
    html = do(editor, path_of(make_orchestration([[a]])), posted, "group")
    assert shown(html) == [
        ("Extractors", ["a"]),
        ("Orchestrations", ["gone"]),
        ("Missing", ["Deleted"]),
    ]
    assert html.count("missing: in the trash") == 1
    assert html.count('<span class="tag is-missing">missing</span>') == 1


@pytest.mark.parametrize(("action", "count"), [("collapse", 3), ("expand", 0)])
def test_all_phases_collapse_and_expand(editor: Client, action: str, count: int) -> None:
    a = make_configuration("ex-http")
    posted = rows(("A", [a]), ("B", [a]), ("C", []), **{"collapsed-p1": "on"})
    html = do(editor, path_of(make_orchestration([[a]])), posted, action)
    assert len(re.findall(r'name="collapsed-[^"]+" [^>]*checked', html)) == count


# ---- Options of a task


def test_a_panel_opens_alone_and_its_options_are_saved(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    orchestration = make_orchestration(
        [[{"configuration": a.pk, "parameters": {"url": "http://a", "#token": "correct horse"}}]]
    )
    path = path_of(orchestration)
    page = editor.get(path).content.decode()
    assert "correct" not in page
    [options] = re.findall(r'name="options-t1" value="([^"]+)"', page)
    posted = rows(("Phase 1", [a]), **{"options-t1": options.replace("&quot;", '"')})
    row = do(editor, path, posted, "open:t1")
    assert "<section" not in row
    assert HIDDEN in row
    assert "After a failure it is not tried again." in row
    typed = {
        **posted,
        "open-t1": "yes",
        "parameters-t1": f'{{"url": "http://b", "#token": "{HIDDEN}", "nothing": 1}}',
        "retries-t1": "3",
        "retry_delay-t1": "5m",
        "retry_backoff-t1": "1",
        "retry_match-t1": "timed out",
        "delay-t1": "30",
        "timeout-t1": "1h",
    }
    said = do(editor, path, typed, "check:t1")
    assert "The component has no parameter “nothing”." in said
    assert "3 more tries, after 5 min, 5 min, 5 min" in said
    assert editor.post(path, typed).status_code == 302
    task = task_of(orchestration)
    assert decrypt_tree(task["parameters"]) == {
        "url": "http://b",
        "#token": "correct horse",
        "nothing": 1,
    }
    assert [task[f] for f in ("retries", "retry_delay", "retry_backoff", "retry_match")] == [
        3,
        300,
        1.0,
        "timed out",
    ]
    assert (task["delay"], task["timeout"]) == (30, 3600)
    assert "set the retries of task “a” to 3" in latest(orchestration).change.lower()


def test_wrong_options_keep_the_panel_open_with_what_was_typed(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    orchestration = make_orchestration([[a]])
    path = path_of(orchestration)
    wrong = {"open-t1": "yes", "parameters-t1": "{\n  x\n}", "retries-t1": "99"}
    posted = rows(("Phase 1", [a]), **wrong)
    row = do(editor, path, posted, "close:t1")
    assert 'data-error-line="2"' in row
    assert "Use a whole number from 0 to 20." in row
    answer = editor.post(path, posted)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert 'value="99"' in html
    assert "{\n  x\n}</textarea>" in html
    assert "Nothing was saved yet." in html
    assert orchestration.versions.count() == 1


def test_an_error_of_a_closed_panel_opens_it(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    posted = rows(("Phase 1", [a]), **{"options-t1": '{"retries": 50}'})
    answer = editor.post(path_of(make_orchestration([[a]])), posted)
    assert answer.status_code == 422
    assert 'name="open-t1"' in answer.content.decode()
    assert "Use a whole number from 0 to 20." in answer.content.decode()


# ---- Variables


def test_variables_are_saved_with_the_tasks(editor: Client) -> None:
    a = make_configuration("ex-http")
    orchestration = make_orchestration([[a]], variables={"old": "1"})
    posted = rows(
        ("Phase 1", [a]),
        **{"variable-name": ["city", " ", "note"], "variable-value": ["Brno", "", "a\r\nb"]},
    )
    assert editor.post(path_of(orchestration), posted).status_code == 302
    assert latest(orchestration).definition["variables"] == {"city": "Brno", "note": "a\nb"}
    assert latest(orchestration).change == "Added variables “city”, “note”; removed variable “old”."


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["9"], "A name is a letter and then letters, digits, _, - or ., 64 characters at most."),
        (["a", "a"], "Another variable has this name."),
        ([""], "Give it a name."),
    ],
)
def test_a_wrong_variable_is_told_at_its_row(
    editor: Client, names: list[str], sentence: str
) -> None:
    a = make_configuration("ex-http")
    orchestration = make_orchestration([[a]])
    values = ["typed"] * len(names)
    posted = rows(("Phase 1", [a]), **{"variable-name": names, "variable-value": values})
    answer = editor.post(path_of(orchestration), posted)
    assert answer.status_code == 422
    assert answer.content.decode().count(sentence) == 1
    assert answer.content.decode().count(">typed</textarea>") == len(names)
    html = do(editor, path_of(orchestration), posted, "variable-remove:0")
    assert html.count(">typed</textarea>") == len(names) - 1


# ---- What phases wait for


def test_the_order_is_drawn_and_saved(editor: Client) -> None:
    a, b, c = (make_configuration("ex-http", name=name) for name in "abc")
    orchestration = make_orchestration([[a], [b], [c]])
    path = path_of(orchestration)
    posted = rows(("A", [a]), ("B", [b]), ("C", [c]), ("New phase", []))
    assert 'id="phase-order"' in do(editor, path, posted, "order")
    chosen = {**posted, "ordering": "yes", "own-p2": "on", "own-p3": "on", "needs-p3": ["p1", "p2"]}
    part = do(editor, path, chosen, "draw")
    assert part.count('class="graph-box"') == 3
    assert "<li>B, 1 task: at once</li>" in part
    assert "<li>C, 1 task: after A, B</li>" in part
    assert editor.post(path, chosen).status_code == 302
    phases = latest(orchestration).definition["phases"]
    assert [phase["depends_on"] for phase in phases] == [None, [], ["p1", "p2"]]
    page = editor.get(path).content.decode()
    assert re.findall(r'name="needs-p3" value="([^"]+)"', page) == ["p1", "p2"]


def test_a_circle_is_named_and_refused(editor: Client) -> None:
    a, b = (make_configuration("ex-http", name=name) for name in "ab")
    orchestration = make_orchestration([[a], [b]])
    posted = rows(("A", [a]), ("B", [b]), ordering="yes", **{"own-p1": "on", "needs-p1": "p2"})
    part = do(editor, path_of(orchestration), posted, "draw")
    assert "“A” waits for “B” waits for “A”. This cannot be saved." in part
    answer = editor.post(path_of(orchestration), posted)
    assert answer.status_code == 422
    assert "“B” waits for “A” waits for “B”." in answer.content.decode()
    assert orchestration.versions.count() == 1


# ---- Somebody else saved


def late(orchestration: Orchestration, **fields: Any) -> None:
    bob = make_user(name="bob")
    save_orchestration(orchestration, user=bob, expected_version=1, **fields)


def test_a_late_save_shows_theirs_and_can_replace_it(editor: Client) -> None:
    a, b = (make_configuration("ex-http", name=name) for name in "ab")
    orchestration = make_orchestration([[a]])
    late(
        orchestration, phases=[{"key": "p1", "name": "Theirs", "tasks": [{"configuration": b.pk}]}]
    )
    posted = rows(("Mine", [a]))
    answer = editor.post(path_of(orchestration), posted, headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Version 2 was saved by bob while you were editing version 1." in html
    assert "Renamed phase “Phase 1” to “Theirs”" in html
    assert "<ins>Theirs</ins>" in html
    assert "?from=1&amp;to=2" in html
    assert 'name="overwrite" value="2"' in html
    assert shown(html) == [("Mine", ["a"])]
    assert editor.post(path_of(orchestration), {**posted, "overwrite": "2"}).status_code == 302
    assert latest(orchestration).number == 3
    assert latest(orchestration).definition["phases"][0]["name"] == "Mine"


def test_who_changed_another_part_is_in_nobodys_way(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    orchestration = make_orchestration([[a]])
    late(orchestration, name="Renamed", variables={"city": "Brno"})
    answer = editor.post(path_of(orchestration), rows(("Mine", [a])))
    assert answer.status_code == 302
    definition = latest(orchestration).definition
    assert (definition["name"], definition["variables"]) == ("Renamed", {"city": "Brno"})
    assert definition["phases"][0]["name"] == "Mine"
