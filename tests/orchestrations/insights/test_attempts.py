from __future__ import annotations

from orchestrations.insights.attempts import Gap, Line, Pair, side_by_side


def lines(*texts: str) -> list[Line]:
    return [Line("info", text) for text in texts]


def shown(left: list[Line], right: list[Line]) -> list[object]:
    found: list[object] = []
    for row in side_by_side(left, right):
        if isinstance(row, Gap):
            found.append(row.count)
            continue
        found.append((row.left and row.left.text, row.right and row.right.text, row.differs))
    return found


def test_nothing_was_written() -> None:
    assert side_by_side([], []) == []


def test_lines_that_differ_in_numbers_only_are_equal() -> None:
    assert shown(lines("Took 3 s"), lines("Took 41.5 s")) == [("Took 3 s", "Took 41.5 s", False)]


def test_a_difference_stands_between_its_neighbours() -> None:
    same = [f"line {word}" for word in "abcdefgh"]
    left = lines(*same, "failed", *same)
    right = lines(*same, "worked", "really", *same)
    assert shown(left, right) == [
        6,
        ("line g", "line g", False),
        ("line h", "line h", False),
        ("failed", "worked", True),
        (None, "really", True),
        ("line a", "line a", False),
        ("line b", "line b", False),
        6,
    ]


def test_a_level_makes_a_difference() -> None:
    pairs = side_by_side([Line("info", "Done")], [Line("error", "Done")])
    assert pairs == [Pair(Line("info", "Done"), Line("error", "Done"), differs=True)]


def test_one_that_wrote_nothing() -> None:
    assert shown(lines("a", "b"), []) == [("a", None, True), ("b", None, True)]
