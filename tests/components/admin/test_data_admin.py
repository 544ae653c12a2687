from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from components.enums import JobStatus, TokenScope
from components.models import ApiToken, Job, JobLog, Segment, TableVersion
from components.services.jobs import create_job
from components.services.tokens import create_token
from tests.builders import finish_job, make_configuration, make_user
from tests.storage_tables import load, values

pytestmark = pytest.mark.django_db
MODELS = ["job", "joblog", "bucket", "table", "tableversion", "segment", "apitoken"]


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user(role="Admin", name="root")
    client.force_login(user)
    return user


def address(model: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:components_{model}_{page}", args=args)


def make_all() -> dict[str, Any]:
    """One row of each model; returns its key by the model's name."""
    job = create_job(make_configuration(name="Orders"), parameters={"#key": "s3cret"})
    line = JobLog.objects.create(job=job, seq=1, at=timezone.now(), message="hello")
    version = load(values("(1, 'a')"), job=job)
    token, _ = create_token(make_user(name="ada"), name="script", scope=TokenScope.RUN)
    return {
        "job": job.pk,
        "joblog": line.pk,
        "bucket": version.table.bucket_id,
        "table": version.table_id,
        "tableversion": version.pk,
        "segment": Segment.objects.get().pk,
        "apitoken": token.pk,
    }


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("model", MODELS)
def test_rows_are_looked_at_and_never_changed(client: Client, model: str) -> None:
    keys = make_all()
    for page in (address(model), address(model) + "?q=1", address(model, "change", keys[model])):
        assert client.get(page).status_code == 200, page
    shown = client.get(address(model, "change", keys[model])).content.decode()
    assert ('name="_save"' in shown, "deletelink" in shown) == (False, False)
    codes = [
        client.get(address(model, "add")).status_code,
        client.post(address(model, "change", keys[model]), {}).status_code,
        client.post(address(model, "delete", keys[model]), {"post": "yes"}).status_code,
    ]
    assert codes == [403] * 3


@pytest.mark.usefixtures("admin")
def test_no_secret_is_shown(client: Client) -> None:
    keys = make_all()
    token, job = ApiToken.objects.get(), Job.objects.get()
    pages = "".join(
        client.get(page).content.decode()
        for model in ("job", "apitoken")
        for page in (address(model), address(model, "change", keys[model]))
    )
    assert ("script" in pages, "Orders" in pages) == (True, True)
    assert [s in pages for s in (token.digest, job.parameters["#key"], "s3cret")] == [False] * 3


def test_jobs_are_terminated(client: Client, admin: User) -> None:
    queued, ended = (create_job(make_configuration()) for _ in range(2))
    finish_job(ended)
    data = {"action": "terminate", "_selected_action": [queued.pk, ended.pk]}
    response = client.post(address("job"), data, follow=True)
    assert "Termination of 1 jobs was asked for; 1 had ended already." in (
        response.content.decode()
    )
    found = dict(Job.objects.values_list("pk", "status"))
    assert found == {queued.pk: JobStatus.CANCELLED, ended.pk: JobStatus.SUCCESS}
    assert Job.objects.get(pk=queued.pk).terminated_by == admin


def test_only_operators_are_offered_terminate(client: Client) -> None:
    user = make_user(staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(user)
    job = create_job(make_configuration())
    assert 'value="terminate"' not in client.get(address("job")).content.decode()
    client.post(address("job"), {"action": "terminate", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert job.status == JobStatus.CREATED


def test_tokens_are_revoked(client: Client, admin: User) -> None:
    make_all()
    kept, _ = create_token(admin, name="kept", scope=TokenScope.READ)
    other = ApiToken.objects.exclude(pk=kept.pk).get()
    data = {"action": "revoke", "_selected_action": [other.pk]}
    client.post(address("apitoken"), data)
    assert list(ApiToken.objects.all()) == [kept]


def test_tokens_of_others_are_not_revoked_by_those_who_only_look(client: Client) -> None:
    make_all()
    user = make_user(staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    client.force_login(user)
    data = {"action": "revoke", "_selected_action": [ApiToken.objects.get().pk]}
    client.post(address("apitoken"), data)
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("model", ["job", "table", "tableversion", "apitoken"])
def test_a_list_costs_the_same_for_any_number(
    client: Client, admin: User, count: int, model: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(count):
        job = create_job(make_configuration("ex-http"), user=admin)
        load(values("(1, 'a')"), table=f"in.c-shop.t{number}", job=job)
        create_token(admin, name=f"t{number}", scope=TokenScope.READ)
    client.get(address(model))
    with django_assert_max_num_queries(9):
        client.get(address(model))
    assert TableVersion.objects.count() == count
