from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from orchestrations.enums import HeldPolicy
from orchestrations.models import Calendar
from orchestrations.services.schedules import create_schedule
from tests.builders import make_empty_orchestration

pytestmark = pytest.mark.django_db
FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC)
SAID = {"name": "House", "country": "", "subdivision": "", "dates": "[]", "windows": "[]"}


def test_a_change_moves_what_is_due(admin_client: Client) -> None:
    calendar = Calendar.objects.create(name="House")
    with time_machine.travel(FRIDAY, tick=False):
        schedule = create_schedule(
            make_empty_orchestration(),
            cron="0 6 * * 6",
            timezone="UTC",
            user=None,
            calendar=calendar,
            on_held=HeldPolicy.MOVE,
        )
        assert schedule.next_fire_at == datetime(2026, 11, 28, 6, tzinfo=UTC)
        windows = '[{"begins": "2026-11-28T00:00", "ends": "2026-11-29T00:00", "name": "Move"}]'
        url = reverse("admin:orchestrations_calendar_change", args=[calendar.pk])
        sent = admin_client.post(url, SAID | {"weekdays": "[6]", "windows": windows})
    assert sent.status_code == 302
    schedule.refresh_from_db()
    assert schedule.next_fire_at == datetime(2026, 11, 28, 6, tzinfo=UTC)  # told of as held
    assert Calendar.objects.get().rules.windows[0][2] == "Move"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"country": "XX"}, "The holidays of “XX” are not known."),
        ({"weekdays": "[0, 1, 2, 3, 4, 5, 6]"}, "Write a list such as [5, 6]; not all seven days."),
        ({"dates": "[1]"}, "or begins, ends and name."),
        (
            {"windows": '[{"begins": "2026-11-28", "ends": "2026-11-27", "name": ""}]'},
            "A window must end after it begins.",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    admin_client: Client, wrong: dict[str, str], message: str
) -> None:
    url = reverse("admin:orchestrations_calendar_add")
    sent = admin_client.post(url, SAID | {"weekdays": "[6]"} | wrong)
    assert sent.status_code == 200
    assert message in sent.content.decode()
    assert not Calendar.objects.exists()
