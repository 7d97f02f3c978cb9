"""The command line: each command parses, calls a stage, shows the result and returns an exit code.

Nothing heavy is imported here or at the top of a command's module, so that `--help` and completion are quick.
"""

from __future__ import annotations

import signal
import sys

from avma_pack.cli import output
from avma_pack.cli.app import app
from avma_pack.errors import AvmaPackError, ExitCode

__all__ = ["app", "main"]


def main() -> None:
    """Run `avma-pack`; the only place where an exception becomes a message and an exit code."""
    output.prepare()
    # A pipeline that is cancelled ends like a Ctrl-C: what is half done is undone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except SystemExit as done:
        if done.code == ExitCode.INTERRUPTED:
            output.note("Interrupted. What was written before is there, whole.")
        raise
    except AvmaPackError as error:
        _show_traceback()
        output.error(str(error), error.next_step)
        sys.exit(error.exit_code)
    except Exception as error:  # the last resort of the program: what arrives here is a bug of ours
        _show_traceback()
        output.error(
            f"avma-pack itself failed: {type(error).__name__}: {error}",
            "This is a bug. Run `avma-pack --debug` with the same command and report what it prints.",
        )
        sys.exit(ExitCode.BUG)


def _show_traceback() -> None:
    if "--debug" in sys.argv:
        import traceback

        traceback.print_exc()
