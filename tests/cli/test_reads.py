from __future__ import annotations

from meter.cli.reads import Handover
from meter.launch.client import NoAgentError


def test_an_agent_that_ends_between_two_questions_hands_over_to_the_file():
    class Gone:
        def document(self, run, as_of=None, currency=None):
            raise NoAgentError("no agent", "start one")

    class File:
        def document(self, run, as_of=None, currency=None):
            return {"run": {"id": run}}

        def series(self, run_id):
            return [{"device_id": "d", "run": run_id}]

    opened = []

    def open_file():
        opened.append(True)
        return File()

    handover = Handover(Gone(), open_file)
    assert handover.document("01A") == {"run": {"id": "01A"}}
    assert handover.series("01A") == [{"device_id": "d", "run": "01A"}]
    assert opened == [True]
