from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from components.enums import JobOrigin, JobStatus, LogLevel
from components.models import Configuration, Job, JobLog
from components.queries.job_search import job_fields
from components.services import job_transitions
from components.services.jobs import create_job
from components.views.job_list import QUICK
from orchestrator_site.lib.secrets import HIDDEN, encrypt_tree
from tests.builders import finish_job, make_component, make_configuration, make_user
from tests.pages import text_of
from tests.storage_tables import KEY, load, values

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def viewer(client: Client) -> User:
    user = make_user(role="Viewer", name="vera")
    client.force_login(user)
    return user


@pytest.fixture
def operator(client: Client) -> User:
    user = make_user(role="Operator", name="olga")
    client.force_login(user)
    return user


@pytest.fixture
def configuration() -> Configuration:
    parameters = encrypt_tree({"url": "http://a", "#key": "s3cret"})
    return make_configuration(name="Orders", parameters=parameters)


@pytest.fixture
def job(configuration: Configuration) -> Job:
    return create_job(configuration, user=make_user(name="ada"))


def listed(response: Any) -> list[int]:
    """The numbers of the jobs in a list, in its order."""
    return [int(n) for n in re.findall(r'id="job-(\d+)"', response.content.decode())]


def write(job: Job, *messages: str, level: LogLevel = LogLevel.INFO) -> None:
    first = JobLog.objects.filter(job=job).count() + 1
    JobLog.objects.bulk_create(
        JobLog(job=job, seq=first + i, at=timezone.now(), level=level, message=message)
        for i, message in enumerate(messages)
    )


def messages_in(response: Any) -> list[str]:
    found = re.findall(r'<span class="log-text">(.*?)</span>', response.content.decode(), re.DOTALL)
    return [html.unescape(text) for text in found]


# The list


def test_it_lists_jobs_newest_first(client: Client, viewer: User, job: Job) -> None:
    other = create_job(make_configuration(name="Customers"), origin=JobOrigin.API)
    finish_job(other, JobStatus.ERROR, error="The address is wrong.")
    page = client.get(reverse("jobs"))
    assert listed(page) == [other.pk, job.pk]
    text = text_of(page)
    for word in ("Customers", "Error", "Orders", "Created", "ada", "API", job.component.name):
        assert word in text, word
    part = client.get(reverse("jobs"), headers=HTMX)
    assert ("<html" in part.content.decode(), listed(part)) == (False, [other.pk, job.pk])


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_costs_the_same_for_any_number(
    client: Client, viewer: User, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        create_job(make_configuration(), user=make_user())
    client.get(reverse("jobs"))
    with django_assert_num_queries(10):
        client.get(reverse("jobs"))


def test_filters_leave_what_they_say(client: Client, viewer: User) -> None:
    extractor = make_component("first", name="First")
    failed = create_job(make_configuration(extractor, name="Orders"), user=viewer)
    finish_job(failed, JobStatus.ERROR, error="No")
    theirs = create_job(make_configuration(name="Orders"), user=make_user(name="ada"))
    finish_job(theirs, JobStatus.ERROR, error="No")
    fine = create_job(make_configuration(extractor, name="Customers"), user=viewer)
    finish_job(fine)
    slow = create_job(make_configuration(name="Slow"))
    job_transitions.claim(slow.pk, worker="w")
    Job.objects.filter(pk=slow.pk).update(started_at=timezone.now() - timedelta(minutes=11))
    Job.objects.filter(pk=theirs.pk).update(created_at=timezone.now() - timedelta(days=8))

    def found(**query: str) -> list[int]:
        return listed(client.get(reverse("jobs"), query))

    assert found() == [slow.pk, fine.pk, theirs.pk, failed.pk]
    assert found(q="status:error") == [theirs.pk, failed.pk]
    assert found(q="component:first") == [fine.pk, failed.pk]
    assert found(q="orders") == [theirs.pk, failed.pk]
    assert found(q="orders -user:ada") == [failed.pk]
    assert found(q=f"configuration:{fine.configuration_id}") == [fine.pk]
    quick = {label: found(q=text) for label, text in QUICK}
    assert quick == {
        "Long running": [slow.pk],
        "My jobs": [fine.pk, failed.pk],
        "My failed": [failed.pk],
        "Failed in last 7 days": [failed.pk],
    }
    assert found(after="nonsense", before="nonsense") == found()


def test_the_search_stays_in_the_page(client: Client, viewer: User, job: Job) -> None:
    page = client.get(reverse("jobs"), {"q": "user:me"}).content.decode()
    assert re.search(r'name="q" value="user:me"', page)
    assert re.search(r'id="quick-2" href="/jobs/"[^>]*aria-current="true"', page)
    assert re.search(r'id="quick-3" href="/jobs/\?q=user%3Ame\+status%3Aerror"', page)
    assert "No such jobs" in page


def test_a_search_that_makes_no_sense_is_explained(client: Client, viewer: User, job: Job) -> None:
    asked = {"q": 'status:eror "<b>'}
    for headers in ({}, HTMX):
        page = client.get(reverse("jobs"), asked, headers=headers)
        assert (page.status_code, listed(page)) == (422, [])
        assert "“eror” is no status; there are created, waiting," in text_of(page)
        assert "At character 8." in text_of(page)
        assert 'data-search-text="status:error &quot;&lt;b&gt;"' in page.content.decode()
        assert 'hx-trigger="every ' not in page.content.decode()  # nothing to ask again for


def test_what_can_come_next_is_offered(client: Client, viewer: User) -> None:
    make_configuration(name="<b> orders")
    asked = {"q": "configuration:ord more", "at": "17"}
    page = client.get(reverse("jobs-search"), asked).content.decode()
    assert 'data-start="14" data-insert="&quot;&lt;b&gt; orders&quot; "' in page
    keys = client.get(reverse("jobs-search")).content.decode()
    assert re.findall(r'data-insert="(\w+):"', keys) == [field.name for field in job_fields()]


def test_older_jobs_are_on_the_next_page(
    client: Client, viewer: User, configuration: Configuration
) -> None:
    made = [create_job(configuration).pk for _ in range(52)][::-1]
    first = client.get(reverse("jobs"), {"q": "orders"})
    assert listed(first) == made[:50]
    older = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert older is not None
    second = client.get(reverse("jobs") + html.unescape(older[1]))
    assert listed(second) == made[50:]
    newer = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
    assert newer is not None
    assert listed(client.get(reverse("jobs") + html.unescape(newer[1]))) == made[:50]
    assert 'value="orders"' in second.content.decode()
    assert 'hx-trigger="every' not in second.content.decode()


def test_the_list_asks_again_and_is_told_of_changes_only(
    client: Client, viewer: User, job: Job
) -> None:
    page = client.get(reverse("jobs"), {"q": "orders"}).content.decode()
    assert page.count('hx-trigger="every 3s"') == 1
    assert 'hx-get="/jobs/?q=orders"' in page
    mark = re.search(r'"X-Mark": "(\w+)"', html.unescape(page))
    assert mark is not None
    headers = {**HTMX, "X-Mark": mark[1]}
    assert client.get("/jobs/?q=orders", headers=headers).status_code == 204
    finish_job(job)
    changed = client.get("/jobs/?q=orders", headers=headers)
    assert (changed.status_code, "Success" in text_of(changed)) == (200, True)
    assert 'hx-trigger="every 10s"' in changed.content.decode()


def test_an_empty_list_says_what_a_job_is(client: Client, viewer: User) -> None:
    assert "No jobs yet" in text_of(client.get(reverse("jobs")))


def test_a_waiting_job_says_why(client: Client, viewer: User, job: Job) -> None:
    second = create_job(job.configuration)  # type: ignore[arg-type]  # it has one
    job_transitions.claim(job.pk, worker="w")
    assert job_transitions.claim(second.pk, worker="w") is None
    said = f"1st in line behind job {job.pk}"
    for url in (reverse("jobs"), second.get_absolute_url()):
        assert said in text_of(client.get(url))


# The page of one


def test_the_page_of_a_job_that_succeeded(client: Client, viewer: User, job: Job) -> None:
    load(values("(1, 'a')"), job=job)
    claim = job_transitions.claim(job.pk, worker="w")
    assert claim is not None
    job_transitions.end(
        claim,
        JobStatus.SUCCESS,
        fields={
            "result": {"written": 1234},
            "peak_memory": 5_000_000,
            "tables_in": [{"table": "in.c-gone.t", "rows": 7_000, "bytes": 1_500}],
            "tables_out": [{"table": KEY, "rows": 1, "bytes": 2_500, "version": 1}],
        },
    )
    page = client.get(job.get_absolute_url())
    text = text_of(page)
    for word in ("Orders", "version 1", "ada", "peak memory 5 MB", '"written": 1234', "http://a"):
        assert word in text, word
    for word in ("in.c-gone.t deleted 7,000 1.5 kB", f"{KEY} 1 2.5 kB", "Created", "Processing"):
        assert word in text, word
    body = page.content.decode()
    assert (HIDDEN in text, "s3cret" in body) == (True, False)
    assert f'href="{reverse("table", args=[KEY])}?version=1"' in body
    assert reverse("table", args=["in.c-gone.t"]) not in body
    assert 'hx-trigger="every' not in body
    assert reverse("job-terminate", args=[job.pk]) not in body


def test_parameters_for_one_job_are_shown_without_secrets(
    client: Client, viewer: User, configuration: Configuration
) -> None:
    job = create_job(configuration, parameters={"#key": "0ther", "day": "Monday"})
    text = text_of(client.get(job.get_absolute_url()))
    assert ("For this job only" in text, "Monday" in text, "0ther" in text) == (True, True, False)
    assert str(job.parameters["#key"]) not in text


def test_the_page_of_a_job_that_failed(client: Client, viewer: User, job: Job) -> None:
    finish_job(job, JobStatus.ERROR, error="There is no table <orders>.")
    page = client.get(job.get_absolute_url())
    assert "There is no table <orders>." in text_of(page).replace("&lt;", "<")
    assert "<orders>" not in page.content.decode()


def test_a_job_outlives_its_configuration(client: Client, viewer: User, job: Job) -> None:
    finish_job(job)
    job.configuration.delete()  # type: ignore[union-attr]  # it has one
    text = text_of(client.get(job.get_absolute_url()))
    assert ("deleted since" in text, "Its configuration was deleted." in text) == (True, True)


def test_the_page_asks_again_until_the_job_ends(client: Client, operator: User, job: Job) -> None:
    page = client.get(job.get_absolute_url()).content.decode()
    assert page.count('hx-trigger="every 2s"') == 2  # the job, and its log
    mark = re.search(r'"X-Mark": "(\w+)"', html.unescape(page))
    assert mark is not None
    headers = {**HTMX, "X-Mark": mark[1]}
    assert client.get(job.get_absolute_url(), headers=headers).status_code == 204
    finish_job(job)
    part = client.get(job.get_absolute_url(), headers=headers).content.decode()
    assert "<html" not in part
    assert re.findall(r'id="(job-\w+)"', part) == [
        "job-live",
        "job-status",
        "job-stats",
        "job-actions",
    ]
    assert ("every 2s" in part, "Success" in part, "Terminate" in part) == (False, True, False)


def test_a_job_of_a_run_asks_for_its_run(
    client: Client, viewer: User, configuration: Configuration
) -> None:
    alone, part = (
        create_job(configuration),
        create_job(configuration, origin=JobOrigin.ORCHESTRATION),
    )
    asked = [
        reverse("job-run", args=[job.pk]) in client.get(job.get_absolute_url()).content.decode()
        for job in (alone, part)
    ]
    assert asked == [False, True]


@pytest.mark.parametrize("count", [1, 3])
def test_a_page_costs_the_same_for_any_log(
    client: Client, viewer: User, job: Job, count: int, django_assert_num_queries: Any
) -> None:
    finish_job(job)
    write(job, *["line"] * count)
    client.get(job.get_absolute_url())
    with django_assert_num_queries(9):
        client.get(job.get_absolute_url())


# The log


def test_the_end_of_the_log_is_on_the_page(client: Client, viewer: User, job: Job) -> None:
    finish_job(job)
    write(job, *[f"line {n}" for n in range(1, 503)])
    page = client.get(job.get_absolute_url())
    assert messages_in(page) == [f"line {n}" for n in range(3, 503)]
    url = re.search(r'hx-get="([^"]*before=[^"]*)"', page.content.decode())
    assert url is not None
    earlier = client.get(html.unescape(url[1]), headers=HTMX)
    assert messages_in(earlier) == ["line 1", "line 2"]
    assert "hx-get" not in earlier.content.decode()
    # Without htmx the same address leads to the page.
    page = client.get(html.unescape(url[1]), follow=True)
    assert messages_in(page) == ["line 1", "line 2"]


def test_new_lines_follow_until_the_job_ends(client: Client, viewer: User, job: Job) -> None:
    claim = job_transitions.claim(job.pk, worker="w")
    write(job, "one", "<b>two</b>")
    url = reverse("job-log", args=[job.pk])
    part = client.get(url, {"after": 1}, headers=HTMX)
    assert messages_in(part) == ["<b>two</b>"]
    body = html.unescape(part.content.decode())
    assert (f"{url}?level=&q=&after=2" in body, 'hx-trigger="every 2s"' in body) == (True, True)
    assert claim is not None
    job_transitions.end(claim, JobStatus.SUCCESS, fields={})
    write(job, "three")
    last = client.get(url, {"after": 2}, headers=HTMX)
    assert (messages_in(last), "hx-trigger" in last.content.decode()) == (["three"], False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["read a", "noise", "careful", "broken a"]),
        ({"level": "info"}, ["read a", "careful", "broken a"]),
        ({"level": "warning"}, ["careful", "broken a"]),
        ({"level": "error"}, ["broken a"]),
        ({"q": " A "}, ["read a", "careful", "broken a"]),
        ({"q": "a", "level": "error"}, ["broken a"]),
        ({"q": "nothing"}, []),
        ({"level": "nonsense"}, ["read a", "noise", "careful", "broken a"]),
    ],
)
def test_the_log_is_searched(
    client: Client, viewer: User, job: Job, query: dict[str, str], expected: list[str]
) -> None:
    finish_job(job)
    write(job, "read a")
    write(job, "noise", level=LogLevel.DEBUG)
    write(job, "careful", level=LogLevel.WARNING)
    write(job, "broken a", level=LogLevel.ERROR)
    part = client.get(reverse("job-log", args=[job.pk]), query, headers=HTMX)
    assert messages_in(part) == expected
    assert messages_in(client.get(part["HX-Push-Url"])) == expected  # the state is in the address
    assert ("No line fits." in text_of(part)) == (not expected)


def test_the_log_is_handed_out_as_text(client: Client, viewer: User, job: Job) -> None:
    write(job, "žluť", "second")
    response = client.get(reverse("job-log-download", args=[job.pk]))
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="job-{job.pk}.log"'
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [line.split("\t")[1:] for line in lines] == [["info", "žluť"], ["info", "second"]]


# Terminate


def test_it_asks_before_it_terminates(client: Client, operator: User, job: Job) -> None:
    url = reverse("job-terminate", args=[job.pk])
    page, part = client.get(url), client.get(url, headers=HTMX)
    assert ["<html" in p.content.decode() for p in (page, part)] == [True, False]
    assert ["Terminate the job?" in text_of(p) for p in (page, part)] == [True, True]
    job.refresh_from_db()
    assert job.terminate_at is None


def test_a_queued_job_is_cancelled(client: Client, operator: User, job: Job) -> None:
    response = client.post(reverse("job-terminate", args=[job.pk]), follow=True)
    assert f"Job {job.pk} was cancelled." in text_of(response)
    assert "Cancelled by olga" in text_of(client.get(job.get_absolute_url()))
    job.refresh_from_db()
    assert (job.status, job.terminated_by) == (JobStatus.CANCELLED, operator)


def test_a_running_job_is_told_to_stop(client: Client, operator: User, job: Job) -> None:
    job_transitions.claim(job.pk, worker="w")
    response = client.post(reverse("job-terminate", args=[job.pk]), headers=HTMX)
    assert response["HX-Redirect"] == job.get_absolute_url()
    page = text_of(client.get(job.get_absolute_url()))
    assert f"Job {job.pk} is being terminated." in page
    assert "Termination was asked for by olga" in page
    job.refresh_from_db()
    assert (job.status, job.terminated_by) == (JobStatus.TERMINATING, operator)


def test_a_job_that_ended_stays_as_it_is(client: Client, operator: User, job: Job) -> None:
    finish_job(job)
    response = client.post(reverse("job-terminate", args=[job.pk]), follow=True)
    assert f"Job {job.pk} had already ended." in text_of(response)
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCESS


# Who may


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (None, [403, 403, 403, 403, 403, 403]),
        ("Viewer", [200, 200, 302, 200, 403, 403]),
        ("Operator", [200, 200, 302, 200, 200, 302]),
        ("Editor", [200, 200, 302, 200, 200, 302]),
        ("Admin", [200, 200, 302, 200, 200, 302]),
    ],
)
def test_who_may_do_what(client: Client, job: Job, role: str | None, may: list[int]) -> None:
    client.force_login(make_user(role=role))
    urls = [reverse("jobs"), job.get_absolute_url()]
    urls += [reverse(f"job-{n}", args=[job.pk]) for n in ("log", "log-download", "terminate")]
    codes = [client.get(url).status_code for url in urls]
    assert [*codes, client.post(urls[-1]).status_code] == may
    job.refresh_from_db()
    assert (job.status == JobStatus.CANCELLED) == (may[-1] == 302)
    if may[0] == 200:
        page = client.get(create_job(make_configuration()).get_absolute_url())
        assert ("Terminate job" in text_of(page)) == (may[-1] == 302)


def test_nobody_is_sent_to_log_in(client: Client, job: Job) -> None:
    for url in (reverse("jobs"), job.get_absolute_url(), reverse("job-terminate", args=[job.pk])):
        assert client.get(url)["Location"] == f"/accounts/login/?next={url}"


def test_a_job_that_is_not_there(client: Client, operator: User) -> None:
    names = ("job", "job-log", "job-log-download", "job-terminate")
    codes = [client.get(reverse(name, args=[4711])).status_code for name in names]
    codes.append(client.post(reverse("job-terminate", args=[4711])).status_code)
    assert codes == [404] * 5


def test_reading_pages_take_no_post(client: Client, operator: User, job: Job) -> None:
    urls = [reverse("jobs"), job.get_absolute_url(), reverse("job-log", args=[job.pk])]
    assert [client.post(url).status_code for url in urls] == [405] * 3
