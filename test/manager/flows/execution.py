"""Running code."""

import asyncio
import time
import uuid

from lab import Lab
from lab.api import text

from . import flow


@flow()
async def execute(lab: Lab) -> None:
    """State is kept from run to run; output, standard error and the traceback come back in order"""
    async with lab.api.session() as session:
        assert await session.output("x = 6 * 7") == ""
        assert await session.output("print(x)") == "42\n"
        result = await session.run_through("import sys; print('out'); print('err', file=sys.stderr); 1/0")
        assert text(result, "stdout") == "out\n", result
        errors = text(result, "stderr")
        assert errors.startswith("err\n") and "ZeroDivisionError" in errors, result
        assert await session.output("print(x + 1)") == "43\n"
        # Through the client's own call too, whose run ids the Manager doesn't read.
        result = await session.compute.execute(uuid.uuid4().hex[:16], "print('plain')", mode="query")
        assert result["status"] == "finished" and text(result, "stdout") == "plain\n", result


@flow()
async def continuation(lab: Lab) -> None:
    """A long run is continued by its id until it has ended, and loses no output"""
    async with lab.api.session() as session:
        code = "import time\nfor i in range(8):\n    print(i, flush=True)\n    time.sleep(0.5)"
        result = await session.run_through(code)
        assert result["status"] == "finished", result
        assert text(result, "stdout") == "".join(f"{i}\n" for i in range(8)), result


@flow()
async def user_input(lab: Lab) -> None:
    """A program that asks gets what the user answers"""
    async with lab.api.session() as session:
        run_id = uuid.uuid4().hex[:16]
        result = await session.run("name = input('name? '); print('hello', name)", run_id=run_id)
        end = time.monotonic() + 20
        while result["status"] == "continued" and time.monotonic() < end:
            result = await session.run("", mode="continue", run_id=run_id)
        assert result["status"] == "waiting-input", result
        console = list(result["console"] or [])
        result = await session.run("Ada", mode="input", run_id=run_id)
        while result["status"] == "continued" and time.monotonic() < end:
            console += result["console"] or []
            result = await session.run("", mode="continue", run_id=run_id)
        console += result["console"] or []
        assert result["status"] == "finished", result
        assert "hello Ada\n" in text({"console": console}, "stdout"), console


@flow()
async def interrupt(lab: Lab) -> None:
    """An interrupted run ends at once, and the session goes on"""
    async with lab.api.session() as session:
        run_id = uuid.uuid4().hex[:16]
        result = await session.run("import time\ntime.sleep(120)", run_id=run_id)
        assert result["status"] == "continued", result
        began = time.monotonic()
        await session.compute.interrupt()
        while result["status"] == "continued" and time.monotonic() < began + 20:
            result = await session.run("", mode="continue", run_id=run_id)
        assert result["status"] == "finished" and time.monotonic() - began < 15, result
        assert await session.output("print('after')") == "after\n"


@flow(reference="an HTML result fails the call and blocks the kernel")
async def rich_results(lab: Lab) -> None:
    """A result with HTML comes back, and the next run works"""
    async with lab.api.session() as session:
        result = await session.run_through("from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))", 20)
        assert result["status"] == "finished", result
        assert "<b>bold</b>" in str(result["console"]), result
        assert await asyncio.wait_for(session.output("print('next')"), 20) == "next\n"


@flow(reference="completion always answers nothing")
async def completion(lab: Lab) -> None:
    """Completion suggests names that are there"""
    async with lab.api.session() as session:
        await session.output("a_long_name = 1")
        answer = await session.compute.complete("a_long", {"row": 0, "col": 6, "line": "a_long", "post": ""})
        assert "a_long_name" in str(answer), answer


@flow()
async def batch_run(lab: Lab) -> None:
    """A batch run inside an interactive session: uploaded sources, build and exec commands"""
    async with lab.api.session() as session:
        await session.shell("echo 'print(6 * 7)' > main.py")
        run_id = uuid.uuid4().hex[:16]
        options = {"clean": None, "build": "", "buildLog": False, "exec": "python3 main.py"}
        result = await session.run("", mode="batch", run_id=run_id, options=options)
        console = list(result["console"] or [])
        end = time.monotonic() + 30
        while result["status"] != "finished" and time.monotonic() < end:
            result = await session.run("", mode="continue", run_id=run_id)
            console += result["console"] or []
        assert result["status"] == "finished" and result["exitCode"] == 0, result
        assert "42" in text({"console": console}, "stdout"), console
