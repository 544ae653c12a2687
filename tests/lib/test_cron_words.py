from __future__ import annotations

import pytest

from orchestrator_site.lib import cron


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0,5,10,15,20,25,30,35,40,45,50,55 * * * *", "Every 5 minutes"),
        ("*/30 * * * *", "Every 30 minutes"),
        ("0 * * * *", "Every hour on the hour"),
        ("*/90 * * * *", "Every hour on the hour"),
        ("1 * * * *", "Every hour at minute 1"),
        ("1,31 * * * *", "Every hour at minutes 1 and 31"),
        ("0,20 * * * *", "Every hour at minutes 0 and 20"),
        ("1-5 * * * *", "Every hour at minutes 1 to 5"),
        ("1,2,8,9,10 * * * *", "Every hour at minutes 1, 2 and 8 to 10"),
        ("2-59/5 * * * *", "Every 5 minutes from minute 2 of each hour"),
        ("*/7 * * * *", "Every 7 minutes from the start of each hour"),
        ("0 0 * * *", "Every day at 00:00"),
        ("0 12 * * *", "Every day at 12:00"),
        ("0 5,17 * * *", "Every day at 05:00 and 17:00"),
        ("1 */6 * * *", "Every day at 00:01, 06:01, 12:01 and 18:01"),
        ("0,30 2,3 * * *", "Every day at 02:00, 02:30, 03:00 and 03:30"),
        ("0 */2 * * *", "Every 2 hours from 00:00 to 22:00"),
        ("0 9-17 * * *", "Every hour from 09:00 to 17:00"),
        ("* 2 * * *", "Every minute from 02:00 to 02:59"),
        ("0-29 2 * * *", "Every minute from 02:00 to 02:29"),
        ("*/15 9-17 * * *", "Every 15 minutes from 09:00 to 17:45"),
        ("5-59/15 9-17 * * *", "Every 15 minutes from 09:05 to 17:50"),
        ("*/10 1,5,9 * * *", "Every 10 minutes in the hours 01, 05 and 09"),
        ("0,20 9-17 * * *", "At minutes 0 and 20 of the hours 09 to 17"),
        (
            "7 1,5,9,10,12,13,20 * * *",
            "At minute 7 of the hours 01, 05, 09, 10, 12, 13 and 20",
        ),
        ("0-9,30 2 * * *", "At minutes 0 to 9 and 30 of the hour 02"),
        ("30 6 * * 1,5", "Every Monday and Friday at 06:30"),
        ("30 6 * * 1-5", "Monday to Friday at 06:30"),
        ("0 0 * * 0,6", "Every Saturday and Sunday at 00:00"),
        ("0 0 * * 5-7", "Friday to Sunday at 00:00"),
        ("0 0 * * 1-3,6", "Monday to Wednesday and Saturday at 00:00"),
        ("0 0 * * 0-6", "Every day at 00:00"),
        ("@weekly", "Every Sunday at 00:00"),
        ("*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:45, Monday to Friday"),
        ("*/5 * * * 1", "Every 5 minutes, every Monday"),
        ("0 0 1 * *", "On day 1 of every month at 00:00"),
        ("0 0 1,15 * *", "On days 1 and 15 of every month at 00:00"),
        ("0 0 1-7 * *", "On days 1 to 7 of every month at 00:00"),
        ("0 0 1-31 * *", "Every day at 00:00"),
        ("0 0 L * *", "On the last day of every month at 00:00"),
        ("0 0 15,L * *", "On day 15 and the last day of every month at 00:00"),
        (
            "0 0 LW * *",
            "On the last working day (Monday to Friday) of every month at 00:00",
        ),
        ("*/5 * 1 * *", "Every 5 minutes, on day 1 of every month"),
        ("0 0 29 2 *", "Every year on 29 February at 00:00"),
        ("0 0 1,15 1,7 *", "Every year on days 1 and 15 of January and July at 00:00"),
        ("0 0 1 1,7 *", "Every year on day 1 of January and July at 00:00"),
        ("0 0 L 2 *", "Every year on the last day of February at 00:00"),
        ("0 0 * 1 *", "Every day in January at 00:00"),
        ("0 0 * 6-8,12 *", "Every day in June to August and December at 00:00"),
        ("0 0 * 1 1", "Every Monday in January at 00:00"),
        ("0 6 * * 1#2", "On the second Monday of every month at 06:00"),
        ("0 6 * * 5L,1#1", "On the first Monday and the last Friday of every month at 06:00"),
        ("0 6 * 12 7#5", "On the fifth Sunday of December at 06:00"),
        ("0 0 13 * 5", "On day 13 of every month and every Friday at 00:00"),
        ("0 0 13 6 5", "On day 13 and every Friday in June at 00:00"),
        ("0 0 13 * 5L", "On day 13 of every month and on the last Friday at 00:00"),
        ("0 0 */10 * 1", "On days 1, 11, 21 and 31 of every month falling on Monday at 00:00"),
        (
            "0 0 */10 * 1,2",
            "On days 1, 11, 21 and 31 of every month falling on Monday or Tuesday at 00:00",
        ),
    ],
)
def test_the_words(expression: str, words: str) -> None:
    assert cron.describe(expression, "UTC") == f"{words}, UTC"


def test_the_zone_is_named() -> None:
    assert cron.describe("30 6 * * MON,FRI", "Europe/Prague") == (
        "Every Monday and Friday at 06:30, Europe/Prague"
    )


def test_an_expression_that_is_refused_has_no_words() -> None:
    with pytest.raises(cron.CronError):
        cron.describe("61 * * * *", "UTC")
