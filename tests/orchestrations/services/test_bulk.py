from __future__ import annotations

import pytest
from django.utils import timezone

from orchestrations.enums import StartedBy
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Orchestration, Run
from orchestrations.services.bulk import MOST, BulkAction, Refusal, act_on_all
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_configuration, make_orchestration, make_user

pytestmark = pytest.mark.django_db
GONE = 10**9


def make(name: str) -> Orchestration:
    return make_orchestration([[make_configuration("ex-http")]], name=name)


def test_they_are_switched_on_and_off() -> None:
    user, (a, b) = make_user(), (make("a"), make("b"))
    off = act_on_all([b.pk, a.pk], BulkAction.DISABLE, user=user)
    assert (off.done, off.sentence) == ([a, b], "Switched 2 orchestrations off.")
    assert list(Orchestration.objects.values_list("is_enabled", flat=True)) == [False, False]
    on = act_on_all([a.pk], BulkAction.ENABLE, user=user)
    assert on.sentence == "Switched 1 orchestration on."
    assert set(Orchestration.objects.values_list("name", "is_enabled")) == {
        ("a", True),
        ("b", False),
    }


def test_they_run_and_what_is_refused_is_named_with_its_reason() -> None:
    user, good, empty, thrown = make_user(), make("good"), make_orchestration([]), make("thrown")
    Orchestration.objects.filter(pk=empty.pk).update(name="empty")
    move_to_trash(thrown, user=user)
    ids = [thrown.pk, GONE, empty.pk, good.pk]
    result = act_on_all(ids, BulkAction.RUN, user=user)
    assert result.done == [good]
    assert result.refused == [
        Refusal("empty", "It has no active task."),
        Refusal("thrown", "This orchestration is in the trash; restore it before running it."),
        Refusal("One that was chosen", "It is not there any more."),
    ]
    assert result.sentence.startswith(
        "Started 1 orchestration. Refused: “empty”: It has no active task. Refused: “thrown”: "
    )
    runs = list(Run.objects.values_list("orchestration", "started_by", "created_by"))
    assert runs == [(good.pk, StartedBy.MANUAL, user.pk)]


def test_they_are_thrown_away_once() -> None:
    user, a, b = make_user(), make("a"), make("b")
    Orchestration.objects.filter(pk=b.pk).update(deleted_at=timezone.now())
    result = act_on_all([a.pk, b.pk], BulkAction.TRASH, user=user)
    assert (result.done, result.refused) == ([a], [Refusal("b", "It is in the trash already.")])
    assert not Orchestration.objects.filter(deleted_at=None).exists()


def test_many_refusals_are_counted() -> None:
    result = act_on_all(range(GONE, GONE + 7), BulkAction.RUN, user=make_user())
    assert result.sentence.count("Refused: ") == 5
    assert result.sentence.endswith("2 more were refused.")


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        ([], "Choose at least one orchestration."),
        (range(MOST + 1), "Choose at most 500 orchestrations at a time."),
    ],
)
def test_none_and_too_many_are_refused(ids: list[int], sentence: str) -> None:
    with pytest.raises(NotAllowed, match=sentence):
        act_on_all(ids, BulkAction.RUN, user=make_user())
