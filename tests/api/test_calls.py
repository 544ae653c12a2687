from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from components.enums import JobStatus, TokenScope
from components.models import ApiToken, Configuration, Job, Table
from components.services.tokens import create_token
from orchestrations.models import Orchestration, Run, Schedule, Task
from orchestrator_site.lib.secrets import HIDDEN, decrypt_tree
from tests.builders import make_user

pytestmark = pytest.mark.django_db


class Api:
    """Calls with an Editor's token."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.user = make_user(role="Editor")
        self.token, self.text = create_token(self.user, name="tests", scope=TokenScope.WRITE)

    def __call__(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str
    ) -> Any:
        answer = self.client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else self.client._encode_json(body, "application/json"),  # type: ignore[attr-defined]  # noqa: SLF001
            content_type="application/json",
            headers={"authorization": f"Bearer {self.text}", **headers},
        )
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else None


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


def http_configuration(api: Api, **fields: Any) -> Any:
    body = {
        "component": "ex-http",
        "name": "Orders",
        "parameters": {"url": "http://127.0.0.1/a.csv"},
    }
    return api("POST", "/configurations", body | fields, status=201)


def test_components_are_listed_with_their_schema(api: Api) -> None:
    found = {row["key"]: row for row in api("GET", "/components")}
    assert found["ex-http"]["type"] == "extractor"
    assert "url" in found["ex-http"]["parameters_schema"]["properties"]


def test_a_configuration_is_made_changed_and_restored(api: Api) -> None:
    made = http_configuration(api)
    assert (made["name"], made["version"], made["component"]) == ("Orders", 1, "ex-http")
    path = f"/configurations/{made['id']}"
    changed = api("PATCH", path, {"name": "All orders", "version": 1})
    assert (changed["name"], changed["version"]) == ("All orders", 2)
    assert [v["number"] for v in api("GET", f"{path}/versions")] == [2, 1]
    restored = api("POST", f"{path}/restore", {"version": 1})
    assert (restored["name"], restored["version"]) == ("Orders", 3)
    api("DELETE", path, status=204)
    api("GET", path, status=404)
    assert api("POST", f"{path}/restore", {})["id"] == made["id"]
    assert api("GET", path)["name"] == "Orders"


def test_an_older_version_is_not_overwritten(api: Api) -> None:
    made = http_configuration(api)
    path = f"/configurations/{made['id']}"
    api("PATCH", path, {"name": "First", "version": 1})
    error = api("PATCH", path, {"name": "Second", "version": 1}, status=409)["error"]
    assert error["code"] == "conflict"
    assert Configuration.objects.get(pk=made["id"]).name == "First"


def test_wrong_fields_are_named(api: Api) -> None:
    body = {"component": "ex-http", "name": " ", "parameters": {"url": 5}}
    error = api("POST", "/configurations", body, status=422)["error"]
    assert (error["code"], set(error["fields"])) == ("invalid", {"name", "parameters.url"})
    error = api("POST", "/configurations", {"component": "ex-http"}, status=422)["error"]
    assert set(error["fields"]) == {"name"}
    error = api("POST", "/configurations", {**body, "component": "no"}, status=422)["error"]
    assert error["message"] == "There is no component “no”."


def test_secrets_are_never_answered_and_the_marker_keeps_them(api: Api) -> None:
    parameters = {
        "url": "http://127.0.0.1/a.csv",
        "authentication": {"type": "bearer", "#token": "s3cret-value"},
    }
    made = http_configuration(api, parameters=parameters)
    path = f"/configurations/{made['id']}"
    assert made["parameters"]["authentication"]["#token"] == HIDDEN
    api("PATCH", path, {"parameters": made["parameters"] | {"url": "http://127.0.0.1/b.csv"}})
    stored = Configuration.objects.get(pk=made["id"]).parameters
    assert "s3cret-value" not in str(stored)
    assert decrypt_tree(stored)["authentication"]["#token"] == "s3cret-value"
    for address in (path, f"{path}/versions", "/configurations"):
        assert "s3cret-value" not in str(api("GET", address))
        assert "enc::" not in str(api("GET", address))


def test_a_job_is_started_once_for_each_key(api: Api) -> None:
    path = f"/configurations/{http_configuration(api)['id']}/jobs"
    first = api("POST", path, {}, status=202, **{"idempotency-key": "a"})
    again = api("POST", path, {}, status=202, **{"idempotency-key": "a"})
    other = api("POST", path, {}, status=202, **{"idempotency-key": "b"})
    assert first == again
    assert other["id"] != first["id"]
    assert Job.objects.count() == 2
    error = api("POST", path, {"parameters": {"x": 1}}, status=409, **{"idempotency-key": "a"})
    assert error["error"]["code"] == "conflict"
    assert Job.objects.count() == 2


def test_jobs_are_paged_filtered_and_terminated(api: Api) -> None:
    path = f"/configurations/{http_configuration(api)['id']}/jobs"
    ids = [api("POST", path, status=202)["id"] for _ in range(3)]
    page = api("GET", "/jobs?limit=2")
    assert [row["id"] for row in page["items"]] == ids[:0:-1]
    rest = api("GET", f"/jobs?limit=2&after={page['next']}")
    assert ([row["id"] for row in rest["items"]], rest["next"]) == (ids[:1], None)
    assert api("POST", f"/jobs/{ids[0]}/terminate", status=202)["status"] == "cancelled"
    assert [r["id"] for r in api("GET", "/jobs?status=cancelled")["items"]] == ids[:1]
    assert api("GET", f"/jobs/{ids[0]}")["origin"] == "api"
    assert api("GET", f"/jobs/{ids[0]}/log") == {"items": [], "next": 0}
    assert Job.objects.get(pk=ids[1]).status == JobStatus.CREATED


def test_automate_makes_an_orchestration_with_a_schedule(api: Api) -> None:
    made = http_configuration(api)
    body = {"cron": "0 6 * * 1-5", "timezone": "Europe/Prague"}
    done = api("POST", f"/configurations/{made['id']}/automate", body, status=201)
    assert done["name"] == "Automated Orders"
    assert [t["configuration"] for p in done["phases"] for t in p["tasks"]] == [made["id"]]
    schedule = Schedule.objects.get(orchestration=done["id"])
    assert (schedule.cron, schedule.timezone) == ("0 6 * * 1-5", "Europe/Prague")
    wrong = api(
        "POST", f"/configurations/{made['id']}/automate", {"cron": "61 * * * *"}, status=422
    )
    assert set(wrong["error"]["fields"]) == {"cron"}
    assert Orchestration.objects.count() == 1


def test_secrets_of_tasks_are_hidden_and_kept(api: Api) -> None:
    task = {"configuration": http_configuration(api)["id"], "parameters": {"#key": "correct horse"}}
    body = {"name": "Shop", "variables": {"day": "1"}, "phases": [{"name": "E", "tasks": [task]}]}
    made = api("POST", "/orchestrations", body, status=201)
    [shown] = made["phases"][0]["tasks"]
    assert shown["parameters"] == {"#key": HIDDEN}
    again = {key: made[key] for key in ("name", "phases", "version")}
    assert api("PUT", f"/orchestrations/{made['id']}", again)["version"] == 1
    shown["retries"] = 2
    assert api("PUT", f"/orchestrations/{made['id']}", again)["variables"] == {"day": "1"}
    [stored] = Task.objects.all()
    assert (stored.retries, decrypt_tree(stored.parameters)) == (2, {"#key": "correct horse"})


def test_an_orchestration_is_made_saved_and_run(api: Api) -> None:
    configuration = http_configuration(api)["id"]
    body = {"name": "Shop", "phases": [{"name": "E", "tasks": [{"configuration": configuration}]}]}
    made = api("POST", "/orchestrations", body, status=201)
    path = f"/orchestrations/{made['id']}"
    assert api("PUT", path, body | {"name": "Shops", "version": 1})["version"] == 2
    assert api("PUT", path, body | {"version": 1}, status=409)["error"]["code"] == "conflict"
    assert [r["name"] for r in api("GET", "/orchestrations?search=shop")["items"]] == ["Shops"]
    run = api("POST", f"{path}/runs", {}, status=202)
    assert (run["status"], run["started_by"], run["version"]) == ("created", "api", 2)
    assert (run["created_by"], run["token"]) == (api.user.get_username(), "tests")
    assert [r["id"] for r in api("GET", f"{path}/runs")["items"]] == [run["id"]]
    assert api("GET", f"/runs/{run['id']}")["tasks"] == []
    assert api("POST", f"{path}/runs", {"tasks": ["no"]}, status=422)["error"]["code"] == "invalid"
    assert api("POST", f"/runs/{run['id']}/terminate", status=202)["status"] == "cancelled"
    api("POST", f"/runs/{run['id']}/terminate", status=409)
    assert Run.objects.count() == 1
    api("DELETE", path, status=204)
    api("GET", path, status=404)


def test_schedules_are_made_changed_and_removed(api: Api) -> None:
    made = api("POST", "/orchestrations", {"name": "Shop"}, status=201)
    path = f"/orchestrations/{made['id']}/schedules"
    body = {"cron": "0  6 * * MON", "timezone": "Europe/Prague", "overlap": "skip"}
    schedule = api("POST", path, body, status=201)
    assert (schedule["cron"], schedule["words"]) == (
        "0 6 * * MON",
        "Every Monday at 06:00, Europe/Prague",
    )
    one = f"/schedules/{schedule['id']}"
    off = api("PATCH", one, {"is_enabled": False, "name": "Mondays"})
    assert (off["is_enabled"], off["name"], off["next_fire_at"]) == (False, "Mondays", None)
    assert set(api("PATCH", one, {"cron": "x"}, status=422)["error"]["fields"]) == {"cron"}
    unsaid = dict.fromkeys(("cron", "timezone", "name", "misfire_limit", "overlap"))
    assert api("PATCH", one, unsaid) == off
    assert api("GET", f"{one}/slots") == {"items": [], "next": None}
    api("DELETE", one, status=204)
    assert api("GET", path) == []


def test_a_preview_tells_what_a_clock_change_does(api: Api) -> None:
    body = {
        "cron": "30 2 * * *",
        "timezone": "Europe/Prague",
        "n": 2,
        "after": "2027-03-27T12:00:00Z",
    }
    found = api("POST", "/schedules/preview", body)
    assert found["words"] == "Every day at 02:30, Europe/Prague"
    assert [(o["at"], o["kind"]) for o in found["occurrences"]] == [
        ("2027-03-28T01:00:00Z", "gap"),
        ("2027-03-29T00:30:00Z", "normal"),
    ]
    api("POST", "/schedules/preview", body | {"n": 101}, status=422)


def test_a_file_is_imported_and_read_back(api: Api, client: Client) -> None:
    def load(text: bytes, **fields: str) -> Any:
        file = SimpleUploadedFile("a.csv", text)
        return client.post(
            "/api/v1/tables/in.c-shop.orders/import",
            {"file": file, **fields},
            headers={"authorization": f"Bearer {api.text}"},
        )

    answer = load(b"id,name\n1,a\n2,b\n", primary_key="id")
    assert answer.status_code == 201, answer.content
    assert (answer.json()["rows"], answer.json()["primary_key"]) == (2, ["id"])
    rows = api("GET", "/tables/in.c-shop.orders/rows?limit=1")
    assert (rows["rows"], rows["total"]) == ([["1", "a"]], 2)
    bad = load(b"id,name\n1,a,x\n")
    assert bad.status_code == 422
    assert "line 2" in bad.json()["error"]["message"].lower()
    assert Table.objects.get().current.number == 1  # type: ignore[union-attr]
    got = client.get(
        "/api/v1/tables/in.c-shop.orders/rows?format=csv",
        headers={"authorization": f"Bearer {api.text}"},
    )
    assert b"".join(got.streaming_content) == b"id,name\n1,a\n2,b\n"  # type: ignore[attr-defined]
    assert [b["key"] for b in api("GET", "/buckets")] == ["in.c-shop"]
    assert [t["key"] for t in api("GET", "/tables?bucket=in.c-shop")["items"]] == [
        "in.c-shop.orders"
    ]
    api("GET", "/tables/in.c-shop.no", status=404)


def test_expired_and_inactive_tokens_are_refused(api: Api) -> None:
    api("GET", "/jobs")
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    api("GET", "/jobs", status=401)
    ApiToken.objects.update(expires_at=None)
    assert ApiToken.objects.get().last_used_at is not None
    api.user.is_active = False
    api.user.save()
    api("GET", "/jobs", status=401)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("PUT", "/jobs", 405, "method_not_allowed"),
        ("GET", "/jobs/999999", 404, "not_found"),
        ("GET", "/jobs?limit=0", 422, "invalid"),
        ("GET", "/jobs?status=odd", 422, "invalid"),
        ("POST", "/schedules/preview", 422, "invalid"),
    ],
)
def test_every_error_has_the_same_form(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    error = api(method, path, status=status)["error"]
    assert (error["code"], set(error)) == (code, {"code", "message", "fields"})
    assert error["message"] != ""


def test_the_documentation_is_for_those_who_are_logged_in(client: Client) -> None:
    assert client.get("/api/v1/docs").status_code == 302
    client.force_login(make_user(role="Viewer"))
    page = client.get("/api/v1/docs").content.decode()
    assert "https://" not in page
    examples = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    assert examples["ScheduleIn"]["example"]["cron"] == "0 6 * * 1-5"


def test_jobs_and_runs_are_searched(api: Api) -> None:
    made = http_configuration(api)
    job = api("POST", f"/configurations/{made['id']}/jobs", {}, status=202)["id"]

    def found(path: str) -> list[int]:
        return [row["id"] for row in api("GET", path)["items"]]

    assert found("/jobs?query=status:created%20user:me") == [job]
    assert found("/jobs?query=-status:created") == []
    automate = f"/configurations/{made['id']}/automate"
    orchestration = api("POST", automate, {"cron": "1 * * * *"}, status=201)["id"]
    run = api("POST", f"/orchestrations/{orchestration}/runs", {}, status=202)["id"]
    other = api("POST", f"/orchestrations/{orchestration}/runs", {}, status=202)["id"]
    assert found("/runs?query=startedBy:api&limit=1") == [other]
    assert found(f"/runs?after={other}") == [run]
    assert found("/runs?query=startedBy:manual") == []


@pytest.mark.parametrize("path", ["/jobs", "/runs"])
def test_a_search_that_makes_no_sense_is_422(api: Api, path: str) -> None:
    error = api("GET", f"{path}?query=x%20stauts:error%20id:y", status=422)["error"]
    assert (error["code"], error["message"]) == ("invalid", "The search makes no sense.")
    assert error["fields"]["query"].startswith("“stauts” is no key; the keys are status, ")
    assert error["fields"]["query"].endswith(
        "“y” is no number; write it like id:>100. (At character 19.)"
    )
    assert list(api("GET", f"{path}?query={'x' * 1001}", status=422)["error"]["fields"]) == [
        "query"
    ]
