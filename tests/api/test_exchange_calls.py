from __future__ import annotations

import pytest

from orchestrations.models import Orchestration
from orchestrator_site.lib.differences import STEP
from tests.api.test_calls import Api, api
from tests.builders import make_component
from tests.orchestrations.services.exchange.conftest import exported, project

__all__ = ["api", "project"]
pytestmark = pytest.mark.django_db
PLACE = f"Parameters{STEP}#token"
SMALL = """\
version: 1
configurations:
  orders:
    component: ex-test
    name: Orders
    parameters:
      "#token": "${secret:configurations/orders/#token}"
"""


@pytest.mark.usefixtures("project")
def test_the_export_is_the_text_without_secrets(api: Api) -> None:
    headers = {"authorization": f"Bearer {api.text}"}
    answer = api.client.get("/api/v1/export", headers=headers)
    assert answer["Content-Type"] == "application/yaml; charset=utf-8"
    assert answer.content.decode() == exported()
    part = api.client.get("/api/v1/export?only=orchestrations/inner", headers=headers)
    assert "  inner:\n" in part.content.decode()
    assert "nightly" not in part.content.decode()
    assert api("GET", "/export?only=jobs", status=422)["error"]["message"].startswith("“jobs”")


def test_a_project_is_planned_and_applied_by_who_calls(api: Api) -> None:
    make_component("ex-test")
    body = {"yaml": {"a.yaml": SMALL}, "secrets": {"configurations/orders/#token": "t0ken"}}
    planned = api("POST", "/plan", body)
    assert planned == {
        "summary": "1 to create.",
        "text": f"+ configuration orders “Orders”\n    {PLACE}: a secret\n\n1 to create.",
        "changes": [
            {
                "kind": "configuration",
                "key": "orders",
                "name": "Orders",
                "action": "create",
                "lines": [f"{PLACE}: a secret"],
            }
        ],
    }
    assert api("GET", "/configurations")["items"] == []
    assert api("POST", "/apply", body) == planned
    [made] = api("GET", "/configurations")["items"]
    assert api("GET", f"/configurations/{made['id']}/versions")[0]["created_by"] == (
        api.user.get_username()
    )
    assert api("POST", "/apply", body)["summary"] == "Nothing to do."


def test_what_is_wrong_is_said_by_file_line_and_place(api: Api) -> None:
    make_component("ex-test")
    answer = api("POST", "/apply", {"yaml": SMALL}, status=422)
    assert answer["error"]["fields"] == {
        "project.yaml:7 configurations.orders.parameters.#token": "There is no secret "
        "configurations/orders/#token; give it in a file of secrets."
    }
    stolen = SMALL.replace("${secret:configurations/orders/#token}", "${env:SECRET_KEY}")
    answer = api("POST", "/plan", {"yaml": stolen}, status=422)
    assert answer["error"]["message"] == (
        "project.yaml:7 configurations.orders.parameters.#token: "
        "The environment is read by `manage.py apply` only."
    )


@pytest.mark.usefixtures("project")
def test_what_no_file_names_goes_only_when_asked(api: Api) -> None:
    assert api("POST", "/apply", {"yaml": ""})["changes"] == []
    done = api("POST", "/apply", {"yaml": "", "prune": True})
    assert done["summary"] == "4 to move to the trash."
    assert not Orchestration.objects.filter(deleted_at=None).exists()
