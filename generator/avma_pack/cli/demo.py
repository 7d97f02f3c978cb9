"""`avma-pack demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from avma_pack.cli import output
from avma_pack.errors import UsageError

if TYPE_CHECKING:
    from avma_pack.demo import Answers
    from avma_pack.tenant import Tenant


def demo(
    machines: Annotated[int, typer.Option("--machines", min=1, max=100_000, help="How many machines there are.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same machines.")] = 0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the tenant running afterwards, for the Azure CLI or an SDK.")
    ] = False,
) -> None:
    """Roll the pack out to an Azure tenant inside this process, and show what its machines answer. Needs no Azure.

    Example: avma-pack demo --machines 2000 --seed 7
    """
    import tempfile
    from pathlib import Path

    try:
        from avma_pack import demo as demonstration
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The embedded tenant needs {error.name}, which is not installed.",
            next_step='Install it with `pip install "avma-pack[demo]"`.',
        ) from error
    output.note(f"Starting a tenant with {machines:,} machines.")
    with tempfile.TemporaryDirectory() as folder, demonstration.start(machines, seed) as tenant:
        for title, answers in demonstration.run(Path(folder), tenant, output.note):
            _show(title, answers)
        if keep:
            _keep(tenant)


def _show(title: str, answers: Answers) -> None:
    rows = [
        *((status, finding, f"{count:,}") for (finding, status), count in sorted(answers.findings.items())),
        *(("did not report", f"the machine {why}", f"{count:,}") for why, count in sorted(answers.silent.items())),
    ]
    output.print_table(("Answer", "Why", "Machines"), rows, title=f"{title}: {answers.machines:,} Windows machines")
    if answers.blockers:
        blockers = [(name, f"{count:,}") for name, count in sorted(answers.blockers.items())]
        output.print_table(("Why", "Machines"), blockers, title=f"{title}: what stands in the way of remediation")


def _keep(tenant: Tenant) -> None:
    """Serve until Ctrl-C; a second of real time is a minute of the tenant's."""
    import datetime as dt
    import time

    from avma_pack import demo as demonstration

    output.note(f"{demonstration.describe(tenant)} Ctrl-C ends it.")
    while True:
        time.sleep(1)
        tenant.pass_time(dt.timedelta(minutes=1))
