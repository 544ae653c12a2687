from __future__ import annotations

import itertools
import random

import pytest

from orchestrations.insights.phase_graph import HEIGHT, WIDTH, Box, Drawing, Node, draw
from orchestrations.validators import circles

Waits = dict[str, list[str]]


def drawn(waits: Waits) -> Drawing:
    nodes = [Node(key, f"Phase {key}", 1) for key in waits]
    return draw(nodes, waits, circles(waits))


def places(drawing: Drawing) -> dict[str, tuple[int, int]]:
    return {box.node.key: (box.x, box.y) for box in drawing.boxes}


def overlap(one: Box, other: Box) -> bool:
    return abs(one.x - other.x) < WIDTH and abs(one.y - other.y) < HEIGHT


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw([], {}) == Drawing(0, 0)


def test_few_layers_stand_abreast() -> None:
    drawing = drawn({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})
    at = places(drawing)
    assert at["a"][0] < at["b"][0] == at["c"][0] < at["d"][0]
    assert at["b"][1] != at["c"][1]
    assert at["a"][1] == at["d"][1]
    assert len(drawing.lines) == 4


def test_a_long_chain_goes_down() -> None:
    keys = [str(n) for n in range(60)]
    drawing = drawn({key: keys[max(n - 1, 0) : n] for n, key in enumerate(keys)})
    at = places(drawing)
    assert len({x for x, _ in at.values()}) == 1
    heights = [at[key][1] for key in keys]
    assert heights == sorted(set(heights))
    assert drawing.width < 220


def test_circles_are_marked_and_drawn_all_the_same() -> None:
    drawing = drawn({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"]})
    assert {box.node.key for box in drawing.boxes if box.in_circle} == {"a", "b", "c"}
    assert [line.in_circle for line in drawing.lines].count(True) == 3
    assert [line.is_backwards for line in drawing.lines].count(True) == 1


def test_a_phase_that_waits_for_itself_is_marked() -> None:
    drawing = drawn({"a": ["a"]})
    assert [box.in_circle for box in drawing.boxes] == [True]
    assert drawing.lines == []


def test_long_names_are_cut() -> None:
    [box] = draw([Node("a", "A name that is much too long", 1)], {"a": []}).boxes
    assert box.label == "A name that is much t…"


@pytest.mark.parametrize("seed", range(20))
def test_boxes_of_any_graph_stand_apart_and_after_what_they_wait_for(seed: int) -> None:
    chance = random.Random(seed)
    keys = [str(n) for n in range(chance.randint(2, 60))]
    waits = {
        key: chance.sample(keys[:n], min(n, chance.randint(0, 3))) for n, key in enumerate(keys)
    }
    drawing = drawn(waits)
    assert not [pair for pair in itertools.combinations(drawing.boxes, 2) if overlap(*pair)]
    at = places(drawing)
    pairs = [(at[need], at[key]) for key, needs in waits.items() for need in needs]
    to_the_right = all(one[0] + WIDTH < other[0] for one, other in pairs)
    downwards = all(one[1] + HEIGHT < other[1] for one, other in pairs)
    assert to_the_right or downwards
    assert all(0 <= b.x <= drawing.width - WIDTH for b in drawing.boxes)
    assert all(0 <= b.y <= drawing.height - HEIGHT for b in drawing.boxes)
