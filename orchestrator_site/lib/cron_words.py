"""Cron expressions in words: 24-hour plain English without cron jargon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from cronsim import CronSim

from orchestrator_site.lib.cron_expression import Cron
from orchestrator_site.lib.every import Every
from orchestrator_site.lib.sentences import joined

MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", CronSim.LAST: "last"}

HOUR = 60
ALL_HOURS = tuple(range(24))
ALL_DAYS = frozenset(range(1, 32))
MOST_TIMES = 6
SHORTEST_RUN = 3


def describe_cron(cron: Cron | Every) -> str:
    """Say when the expression fires, in the zone's wall-clock time, without naming the zone."""
    if isinstance(cron, Every):
        return _interval(cron)
    days = _days(cron)
    if len(cron.times) <= MOST_TIMES:
        return f"{_capital(days)} at {joined(_clock(time) for time in cron.times)}"
    rhythm = _rhythm(cron)
    return _capital(rhythm if days == "every day" else f"{rhythm}, {days}")


def _interval(every: Every) -> str:
    anchor = every.anchor
    since = f"{anchor.day} {MONTH_NAMES[anchor.month - 1]} {anchor.year} {anchor:%H:%M}"
    return f"Every {_times(every.count, every.unit[:-1])} from {since}"


def _rhythm(cron: Cron) -> str:
    """Say many times of a day by what is regular in them."""
    step = _step(cron.minutes)
    if cron.hours == ALL_HOURS:
        return _through_the_day(cron.minutes, step)
    if step and (
        len(cron.hours) == 1 or (_is_round(cron.minutes, step) and _step(cron.hours) == 1)
    ):
        return f"every {_times(step, 'minute')} {_from_first_to_last(cron)}"
    if step and _is_round(cron.minutes, step):
        return f"every {_times(step, 'minute')} in {_hour_list(cron.hours)}"
    hours = _step(cron.hours)
    if hours and len(cron.minutes) == 1:
        return f"every {_times(hours, 'hour')} {_from_first_to_last(cron)}"
    return f"{_at_minutes(cron.minutes)} of {_hour_list(cron.hours)}"


def _through_the_day(minutes: tuple[int, ...], step: int | None) -> str:
    if minutes == (0,):
        return "every hour on the hour"
    if step is None or minutes[-1] + step < HOUR or len(minutes) < SHORTEST_RUN:
        even = minutes == (0, HOUR // 2)
        return f"every {HOUR // 2} minutes" if even else f"every hour {_at_minutes(minutes)}"
    every = f"every {_times(step, 'minute')}"
    if minutes[0] > 0:
        return f"{every} from minute {minutes[0]} of each hour"
    return every if _is_round(minutes, step) else f"{every} from the start of each hour"


def _from_first_to_last(cron: Cron) -> str:
    return f"from {_clock(cron.times[0])} to {_clock(cron.times[-1])}"


def _at_minutes(minutes: tuple[int, ...]) -> str:
    noun = "minute" if len(minutes) == 1 else "minutes"
    return f"at {noun} {_numbers(minutes)}"


def _hour_list(hours: tuple[int, ...]) -> str:
    noun = "hour" if len(hours) == 1 else "hours"
    return f"the {noun} {joined(_stretches(hours, lambda hour: f'{hour:02}'))}"


def _days(cron: Cron) -> str:
    """Say the days so that it reads both first and after a comma."""
    months = "" if len(cron.months) == len(MONTH_NAMES) else _month_list(cron)
    if not cron.both_days:
        return _either(cron, months)
    every_weekday = cron.weekdays.issuperset(range(7))
    if not cron.days >= ALL_DAYS:
        only = "" if every_weekday else f" falling on {joined(_weekday_words(cron), 'or')}"
        return f"{_on_dates(cron, months)}{only}"
    if every_weekday:
        return f"every day in {months}" if months else "every day"
    return _on_weekdays(cron, months)


def _either(cron: Cron, months: str) -> str:
    """Day and weekday both chosen: cron takes the days that fit one or the other."""
    if not months:
        return f"on {_dates(cron)} of every month and {_weekdays(cron)}"
    return f"on {_dates(cron)} and {_weekdays(cron)} in {months}"


def _on_weekdays(cron: Cron, months: str) -> str:
    if any(isinstance(item, tuple) for item in cron.weekdays):
        return f"{_weekdays(cron)} of {months or 'every month'}"
    return f"{_weekdays(cron)} in {months}" if months else _weekdays(cron)


def _on_dates(cron: Cron, months: str) -> str:
    if not months:
        return f"on {_dates(cron)} of every month"
    if len(cron.months) == 1 and len(cron.days) == 1 and min(cron.days) > 0:
        return f"every year on {min(cron.days)} {months}"
    return f"every year on {_dates(cron)} of {months}"


def _dates(cron: Cron) -> str:
    plain = tuple(sorted(day for day in cron.days if day > 0))
    words = []
    if plain:
        words.append(f"day {plain[0]}" if len(plain) == 1 else f"days {_numbers(plain)}")
    if CronSim.LAST_WEEKDAY in cron.days:
        words.append("the last working day (Monday to Friday)")
    if CronSim.LAST in cron.days:
        words.append("the last day")
    return joined(words)


def _weekdays(cron: Cron) -> str:
    words = _weekday_words(cron)
    stretch = any(" to " in word for word in words)
    counted = any(isinstance(item, tuple) for item in cron.weekdays)
    prefix = "on " if counted else "" if stretch else "every "
    return f"{prefix}{joined(words)}"


def _weekday_words(cron: Cron) -> list[str]:
    """Name the weekdays from Monday to Sunday, then those of one week of the month only."""
    plain = sorted(_from_monday(day) for day in cron.weekdays if isinstance(day, int))
    counted = sorted(
        (item for item in cron.weekdays if isinstance(item, tuple)),
        key=lambda item: (item[1] if item[1] > 0 else len(ORDINALS), _from_monday(item[0])),
    )
    nth = [f"the {ORDINALS[week]} {WEEKDAY_NAMES[day]}" for day, week in counted]
    return [*_stretches(plain, lambda day: WEEKDAY_NAMES[(day + 1) % 7]), *nth]


def _from_monday(day: int) -> int:
    return (day - 1) % 7


def _month_list(cron: Cron) -> str:
    return joined(_stretches(sorted(cron.months), lambda month: MONTH_NAMES[month - 1]))


def _numbers(values: Sequence[int]) -> str:
    return joined(_stretches(values, str))


def _stretches(values: Sequence[int], name: Callable[[int], str]) -> list[str]:
    """Name ascending values one by one, three or more neighbours as “first to last”."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    words = []
    for run in runs:
        if len(run) < SHORTEST_RUN:
            words += [name(value) for value in run]
        else:
            words.append(f"{name(run[0])} to {name(run[-1])}")
    return words


def _step(values: Sequence[int]) -> int | None:
    """Return the distance between neighbours where it is always the same."""
    steps = {later - earlier for earlier, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def _is_round(minutes: Sequence[int], step: int) -> bool:
    """Tell whether the minutes go on over the full hour without a shorter or longer pause."""
    return minutes[0] + HOUR - minutes[-1] == step


def _times(number: int, unit: str) -> str:
    return unit if number == 1 else f"{number} {unit}s"


def _clock(minute_of_day: int) -> str:
    hour, minute = divmod(minute_of_day, HOUR)
    return f"{hour:02}:{minute:02}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
