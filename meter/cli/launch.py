"""``run``, ``exec``, ``attach`` for whoever comes through the group; the launcher does it all."""

from __future__ import annotations

import click


def _command(name: str, summary: str) -> click.Command:
    @click.command(
        name,
        help=summary,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    def start(words: tuple[str, ...]) -> None:
        from meter.launch.main import main  # noqa: PLC0415

        main(name, list(words))

    return start


run_command = _command("run", "Run a command under the meter.")
exec_command = _command("exec", "Become a command, with a meter beside it.")
attach_command = _command("attach", "Meter a process that runs already.")
