from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

PAGE = "http://testserver/jobs/?q=status%3Aerror"
BACK = "/accounts/login/?next=/jobs/%3Fq%3Dstatus%253Aerror"
HTMX = {"HX-Request": "true", "Referer": PAGE}


def test_a_page_leads_to_the_login_and_back_to_itself(client: Client) -> None:
    response = client.get("/jobs/?q=status%3Aerror")
    assert (response.status_code, response["Location"]) == (302, BACK)


def test_what_was_posted_leads_back_to_the_page_that_posted_it(client: Client) -> None:
    response = client.post("/configurations/1/copy/", headers={"Referer": PAGE})
    assert (response.status_code, response["Location"]) == (302, BACK)


@pytest.mark.parametrize("method", ["get", "post"])
def test_htmx_goes_to_the_login_instead_of_swapping_it_in(client: Client, method: str) -> None:
    response = getattr(client, method)("/configurations/1/automate/", headers=HTMX)
    assert (response.status_code, response["HX-Redirect"], response.content) == (200, BACK, b"")


@pytest.mark.parametrize("referer", ["", "https://elsewhere.test/jobs/", "http://testserver"])
def test_without_a_page_of_ours_it_leads_to_the_first_one(client: Client, referer: str) -> None:
    response = client.post("/configurations/1/copy/", headers={"Referer": referer})
    assert response["Location"] == "/accounts/login/?next=/"
