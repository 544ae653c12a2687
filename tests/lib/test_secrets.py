from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, strategies

from orchestrator_site.lib.secrets import (
    HIDDEN,
    PREFIX,
    Masker,
    UnreadableSecret,
    Vault,
    decrypt_tree,
    derive_keys,
    encrypt_tree,
    hide_tree,
    keep_hidden,
    secret_values,
)

SECRET = 'p@ss"wörd/+ 1'
VAULT = Vault(derive_keys(["one" * 20]))


def test_secrets_at_any_depth_are_encrypted_and_come_back_with_their_types() -> None:
    tree = {
        "user": "ann",
        "#password": "pässword",
        "list": [{"#pin": 1234}, {"#on": True}, "plain"],
        "#many": ["first", {"inner": "second"}],
        "#empty": "",
        "#none": None,
    }
    hidden = VAULT.encrypt_tree(tree)
    assert hidden["user"] == "ann"
    assert hidden["list"][2] == "plain"
    assert (hidden["#empty"], hidden["#none"]) == ("", None)
    for text in ("pässword", "1234", "first", "second"):
        assert text not in json.dumps(hidden, ensure_ascii=False)
    assert hidden["#password"].startswith(PREFIX)
    assert VAULT.decrypt_tree(hidden) == tree


def test_cipher_text_is_left_alone_but_only_our_own() -> None:
    once = VAULT.encrypt_tree({"#a": "secret"})
    assert VAULT.encrypt_tree(once) == once
    looks_like = VAULT.encrypt_tree({"#a": "enc::not really"})
    assert looks_like != {"#a": "enc::not really"}
    assert VAULT.decrypt_tree(looks_like) == {"#a": "enc::not really"}


def test_keys_rotate_and_a_lost_key_is_told() -> None:
    old = Vault(derive_keys(["old" * 20])).encrypt_tree({"#a": "secret"})
    both = Vault(derive_keys(["new" * 20, "old" * 20]))
    assert both.decrypt_tree(old) == {"#a": "secret"}
    with pytest.raises(UnreadableSecret, match="enter it again"):
        Vault(derive_keys(["new" * 20])).decrypt_tree(old)


def test_the_installation_has_its_own_keys() -> None:
    assert decrypt_tree(encrypt_tree({"#a": "secret"})) == {"#a": "secret"}


def test_hidden_values_come_back_from_a_form_unchanged() -> None:
    stored = {"#a": "enc::1", "#b": "", "list": [{"#c": "enc::2"}], "d": "x"}
    shown = hide_tree(stored)
    assert shown == {"#a": HIDDEN, "#b": "", "list": [{"#c": HIDDEN}], "d": "x"}
    assert keep_hidden(shown, stored) == stored
    changed = {"#a": "new", "#b": HIDDEN, "list": [{"#c": HIDDEN}, {"#c": HIDDEN}], "d": HIDDEN}
    assert keep_hidden(changed, stored) == {
        "#a": "new",
        "#b": "",
        "list": [{"#c": "enc::2"}, {"#c": ""}],
        "d": HIDDEN,
    }


def test_secret_values_lists_what_is_to_be_masked() -> None:
    tree = {"a": "open", "#b": "one", "c": [{"#d": 12345}], "#e": ["two"], "#f": True}
    assert secret_values(tree) == ["one", "12345", "two"]


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET),
        quote(SECRET, safe=""),
        repr(SECRET),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_spelling_is_masked(shown: str) -> None:
    masked = Masker([SECRET]).mask(f"before {shown} after")
    assert masked in ("before [hidden] after", 'before "[hidden]" after', "before '[hidden]' after")


@given(strategies.binary(max_size=7), strategies.binary(max_size=7))
def test_base64_around_a_secret_is_masked(before: bytes, after: bytes) -> None:
    secret = "correct-horse-battery"
    text = base64.b64encode(before + secret.encode() + after).decode()
    masked = Masker([secret]).mask(text)
    assert "[hidden]" in masked
    middle = base64.b64encode(b"\0" * (-len(before) % 3) + secret.encode()).decode()[4:-4]
    assert middle not in masked


@given(
    strategies.lists(strategies.sampled_from(["secret", "sec", "ret", "cretly", " ", "s", "x\n"])),
    strategies.integers(min_value=1, max_value=5),
)
def test_a_stream_in_pieces_is_masked_like_the_whole(parts: list[str], size: int) -> None:
    text = "".join(parts)
    masker = Masker(["secret", "cretly", "secret x"])
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    streamed = "".join([*(masker.feed(piece) for piece in pieces), masker.flush()])
    assert streamed == masker.mask(text)
    assert "secret" not in streamed
    assert "cretly" not in streamed


def test_only_what_may_be_a_secret_is_kept_back() -> None:
    masker = Masker(["secret"])
    assert masker.feed("hello se") == "hello "
    assert masker.feed("ven") == "seven"
    assert masker.feed("secr") == ""
    assert masker.feed("et!") == "[hidden]!"
    assert masker.flush() == ""


def test_overlapping_secrets_leave_nothing_over() -> None:
    assert Masker(["abcd", "cdxy", "abcdef"]).mask("abcdef abcdxy") == "[hidden] [hidden]"


def test_lines_of_a_long_secret_are_masked_alone() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----"
    assert Masker([key]).mask("line MIIEvQIBADANBg.") == "line [hidden]."


def test_short_secrets_are_not_masked_and_no_secrets_change_nothing() -> None:
    assert Masker(["abc"]).mask("abc") == "abc"
    masker = Masker([])
    assert masker.mask("text") == "text"
    assert masker.feed("text") + masker.flush() == "text"


def test_results_are_masked_with_their_keys() -> None:
    masker = Masker(["secret"])
    assert masker.mask_tree({"secret": ["a secret", 1, None]}) == {
        "[hidden]": ["a [hidden]", 1, None]
    }


@pytest.mark.parametrize(
    "spell",
    [
        lambda s: json.dumps(json.dumps({"a": s})),
        lambda s: repr(json.dumps([json.dumps(s)])),
        lambda s: repr(f"""'{s}' "and more\""""),
        html.escape,
        lambda s: quote(s, safe=""),
        lambda s: re.sub("%..", lambda sign: sign[0].lower(), quote(s)),
        lambda s: s.encode().hex().upper(),
    ],
)
def test_a_secret_is_masked_as_others_spell_it(spell: Callable[[str], str]) -> None:
    secret = "o'b\"r/i\\en+ž"
    masked = Masker([secret]).mask(spell(secret))
    assert masked.count("[hidden]") == 1
    assert "en" not in masked.replace("[hidden]", "")
    assert "EE" not in masked.upper().replace("[HIDDEN]", "")


def test_what_is_to_be_encrypted_stays_and_numbers_are_masked() -> None:
    masker = Masker(["horse"]).knowing(["123456"])
    tree = {"#a": "horse", "b": [{"horse": "a horse"}, 123456, 1234567, True]}
    masked = {"b": [{"[hidden]": "a [hidden]"}, "[hidden]", 1234567, True]}
    assert masker.mask_tree(tree) == {"#a": "[hidden]", **masked}
    assert masker.mask_tree(tree, leave_secrets=True) == {"#a": "horse", **masked}
