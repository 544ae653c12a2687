from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.utils import timezone

from components.exceptions import EditConflict, NotAllowed
from components.models import ApiToken, IdempotencyKey
from components.services.idempotency import once
from tests.builders import make_user

pytestmark = pytest.mark.django_db


class Work:
    """Counts how often it was done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, Any]:
        self.times += 1
        return {"id": self.times}


@pytest.fixture
def user() -> User:
    return make_user()


def test_the_second_call_gets_the_first_answer(user: User) -> None:
    work = Work()
    answers = [once(user, key="k", request="r", work=work) for _ in range(3)]
    assert (answers, work.times) == ([{"id": 1}] * 3, 1)


def test_other_keys_and_other_people_are_other_calls(user: User) -> None:
    work = Work()
    first = once(user, key="k", request="r", work=work)
    second = once(user, key="l", request="r", work=work)
    third = once(make_user(), key="k", request="r", work=work)
    assert [first["id"], second["id"], third["id"]] == [1, 2, 3]


def test_a_key_is_for_one_request(user: User) -> None:
    work = Work()
    once(user, key="k", request="r", work=work)
    with pytest.raises(EditConflict) as error:
        once(user, key="k", request="another", work=work)
    assert (error.value.message, work.times) == (
        "This Idempotency-Key was used for another request; take a new one.",
        1,
    )


def test_a_failed_call_may_be_sent_again(user: User) -> None:
    def fail() -> dict[str, Any]:
        raise NotAllowed("Not now.")

    with pytest.raises(NotAllowed):
        once(user, key="k", request="r", work=fail)
    assert IdempotencyKey.objects.count() == 0
    assert once(user, key="k", request="r", work=Work()) == {"id": 1}


def test_an_integrity_error_of_the_work_is_its_own(user: User) -> None:
    def collide() -> dict[str, Any]:
        for _ in range(2):
            ApiToken.objects.create(user=user, name="t", digest="same")
        return {}

    with pytest.raises(IntegrityError):
        once(user, key="k", request="r", work=collide)
    assert ApiToken.objects.count() == 0


def test_a_key_is_forgotten_after_a_day(user: User) -> None:
    work = Work()
    once(user, key="k", request="r", work=work)
    with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
        assert once(user, key="k", request="other", work=work) == {"id": 2}
