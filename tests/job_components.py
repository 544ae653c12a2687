"""Components for tests of running jobs (COMPONENT_MODULES=tests.job_components).

`test-script` does what its parameter `do` names; the functions below say what that is.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from components.builtin.contract import Context, FileOptions, Manifest, TestContext
from components.enums import ComponentType
from components.exceptions import RunnerError

SLEEPER = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {0}; time.sleep(600)"
)


def succeed(context: Context) -> dict[str, Any]:
    context.log("It begins.")
    print("printed")  # noqa: T201
    context.state["count"] = context.state.get("count", 0) + 1
    return {"given": context.parameters.get("value"), "number": float("nan"), "text": "a\0b"}


def fail(context: Context) -> None:
    raise RunnerError(f"No such place: {context.parameters.get('#secret', '')}.", permanent=True)


def break_down(context: Context) -> None:
    raise ZeroDivisionError(context.parameters.get("#secret", "") or "broken")


def leave(_: Context) -> None:
    sys.exit(3)


def crash(_: Context) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(600)


def wait_for_file(context: Context) -> dict[str, Any]:
    """Say that it began, then wait until the file `until` appears."""
    Path(context.parameters["began"]).write_text(str(os.getpid()))
    while not Path(context.parameters["until"]).exists():
        time.sleep(0.01)
    return {}


def ignore_termination(context: Context) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_file(context)


def breed(context: Context) -> None:
    """Start processes that resist: in the group, in a session of their own, orphaned; then wait."""
    folder = Path(context.parameters["pids"])
    for name, extra in (("group", "0"), ("session", "os.setsid()")):
        _start(folder / name, extra)
    if os.fork() == 0:  # its child becomes an orphan in a session of its own
        _start(folder / "orphan", "os.setsid()")
        os._exit(0)
    (folder / "child").write_text(str(os.getpid()))
    if context.parameters.get("stay", True):
        time.sleep(600)
    while len(list(folder.iterdir())) < 4:
        time.sleep(0.01)


def _start(pid_file: Path, extra: str) -> None:
    script = SLEEPER.format(f"{extra}; open({str(pid_file)!r}, 'w').write(str(os.getpid()))")
    subprocess.Popen([sys.executable, "-c", script])


def hog(_: Context) -> None:
    held = []
    while True:
        held.append(bytearray(b"x" * (16 * 1024 * 1024)))
        time.sleep(0.01)


def hog_in_a_grandchild(_: Context) -> None:
    script = "import time; held = [bytearray(b'x' * 2**20) for _ in range(400)]; time.sleep(600)"
    subprocess.run([sys.executable, "-c", script], check=True)


def long_line(_: Context) -> None:
    os.write(1, b"x" * 100_000 + b"\xff\0end\nnext")


def flood(context: Context) -> None:
    """Log without end, slowly enough to be watched."""
    while not Path(context.parameters["until"]).exists():
        print("line " * 200)  # noqa: T201
        time.sleep(0.001)


def tell_secrets(context: Context) -> dict[str, Any]:
    secret = context.parameters["#secret"]
    context.log(f"plain {secret}")
    os.write(1, b"split " + secret[:5].encode())
    time.sleep(0.05)
    os.write(1, secret[5:].encode() + b"\n")
    subprocess.run(["/bin/echo", json.dumps({"a": secret})], check=True)
    print(base64.b64encode(f"user:{secret}".encode()).decode(), file=sys.stderr)  # noqa: T201
    context.state["#token"] = secret
    return {"said": secret, "secret_environment": [k for k in os.environ if "SECRET" in k]}


def spell_secrets(context: Context) -> dict[str, Any]:
    """Let the secret out everywhere, in every spelling; then end as `then` says."""
    secret = context.parameters["#secret"]
    plain = json.dumps({"a": secret})
    spelled = [secret, plain, json.dumps(plain), quote(secret), quote_plus(secret), escape(secret)]
    spelled += [repr(secret), secret.encode().hex(), f"https://me:{quote(secret, safe='')}@host/"]
    for before in ("", "u", "us", "user:"):
        encoded = base64.b64encode(f"{before}{secret}".encode()).decode()
        spelled += [encoded, encoded.replace("+", "-").replace("/", "_")]
    spelled += [re.sub("%..", lambda sign: sign[0].lower(), quote(secret, safe=""))]
    context.log("\n".join(spelled), "warning")
    print(*spelled, sep="\n")  # noqa: T201
    logging.getLogger("some.library").warning("Refused: %s", spelled)
    if context.parameters["then"] == "fail":
        raise RunnerError(f"Refused: {' '.join(spelled)}", permanent=True)
    if context.parameters["then"] == "break":
        raise ValueError(spelled)
    context.state |= {"seen": spelled, "#token": f"new {secret}", "#given": "issued-token"}
    return {"said": spelled, secret: 1, "token": "issued-token", "pin": 987654}


def write(context: Context) -> dict[str, Any]:
    """Write a table for each of `tables`: {name: SELECT}; then end as `then` says."""
    with context.connect() as connection:
        for name, sql in context.parameters["tables"].items():
            context.write_query(
                name, connection, sql, primary_key=context.parameters.get("key", [])
            )
    if context.parameters.get("wait"):
        wait_for_file(context)
    if context.parameters.get("then") == "fail":
        raise RunnerError("Changed my mind.")
    return {}


def copy(context: Context) -> dict[str, Any]:
    """Write each input table to an output of its alias, through a sandbox."""
    with context.sandbox() as connection:
        for table in context.inputs:
            context.write_query(
                table.destination, connection, f'SELECT * FROM "{table.destination}"'
            )
    return {"columns": [[c["name"] for c in table.columns] for table in context.inputs]}


def read_upload(context: Context) -> dict[str, Any]:
    path = context.upload(context.parameters["file"])
    context.write_file(path.stem, path, FileOptions())
    return {"name": path.name}


SCRIPTS: dict[str, Callable[[Context], dict[str, Any] | None]] = {
    function.__name__: function
    for function in (
        *(succeed, fail, break_down, leave, crash, wait_for_file, ignore_termination, breed),
        *(
            hog,
            hog_in_a_grandchild,
            long_line,
            flood,
            tell_secrets,
            write,
            copy,
            read_upload,
            spell_secrets,
        ),
    )
}


def run(context: Context) -> dict[str, Any] | None:
    return SCRIPTS[context.parameters["do"]](context)


def test(context: TestContext) -> str:
    with contextlib.suppress(KeyError):
        raise RunnerError(f"Refused: {context.parameters['refuse']}.")
    if context.parameters.get("hang"):
        time.sleep(600)
    return f"Reached {context.parameters['place']} as {context.parameters.get('#secret')}."


test.__test__ = False  # type: ignore[attr-defined]  # for pytest: a function of the component

MANIFEST = Manifest(
    key="test-script",
    name="Script",
    type=ComponentType.APPLICATION,
    summary="Does what a test needs.",
    documentation="",
    schema={
        "type": "object",
        "properties": {
            "do": {"type": "string", "enum": list(SCRIPTS)},
            "value": {"type": "integer", "default": 7},
            "place": {"type": "string", "default": "here"},
        },
        "required": ["do"],
    },
    run=run,
    test=test,
)
