"""`avma-pack demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avma_pack.cli import output
from avma_pack.cli.output import OutputOption
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
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Write what is true of each machine to a new JSON file."),
    ] = None,
    output_format: OutputOption = "table",
) -> None:
    """Roll the pack out to an Azure tenant inside this process, and show what its machines answer. Needs no Azure.

    Example: avma-pack demo --machines 2000 --seed 7
    """
    import tempfile

    try:
        from avma_pack import demo as demonstration
    except ModuleNotFoundError as error:
        raise UsageError(
            f"The embedded tenant needs {error.name}, which is not installed.",
            next_step='Install it with `pip install "avma-pack[demo]"`.',
        ) from error
    output.note(f"Starting a tenant; machines: {machines:,}.")
    with tempfile.TemporaryDirectory() as folder, demonstration.start(machines, seed) as tenant:
        if truth:
            _write_truth(truth, tenant)
        acts = []
        for title, answers in demonstration.run(Path(folder), tenant, output.note):
            if output_format == "json":
                acts.append(_as_data(title, answers))
            else:
                _show(title, answers)
        if output_format == "json":
            output.print_json({"acts": acts})
        if keep:
            _keep(tenant)


def _write_truth(file: Path, tenant: Tenant) -> None:
    from avma_pack import files

    files.write_file(file, files.json_bytes({"machines": tenant.truth()}))
    output.note(f"{file}: what is true of each machine.")


def _as_data(title: str, answers: Answers) -> dict[str, Any]:
    return {
        "act": title,
        "machines": answers.machines,
        "findings": [
            {"status": status, "finding": finding, "machines": count}
            for (finding, status), count in sorted(answers.findings.items())
        ],
        "didNotReport": [{"why": why, "machines": count} for why, count in sorted(answers.silent.items())],
        "blockers": [{"blocker": name, "machines": count} for name, count in sorted(answers.blockers.items())],
    }


def _show(title: str, answers: Answers) -> None:
    rows = [
        *((status, finding, f"{count:,}") for (finding, status), count in sorted(answers.findings.items())),
        *(("did not report", f"the machine {why}", f"{count:,}") for why, count in sorted(answers.silent.items())),
    ]
    output.print_table(("Answer", "Why", "Machines"), rows, title=f"{title}; Windows machines: {answers.machines:,}")
    if answers.blockers:
        blockers = [(name, f"{count:,}") for name, count in sorted(answers.blockers.items())]
        output.print_table(("Why", "Machines"), blockers, title=f"{title}: what stands in the way of remediation")


def _keep(tenant: Tenant) -> None:
    """Serve until Ctrl-C; a second of real time is a minute of the tenant's."""
    import datetime as dt
    import time

    from avma_pack import demo as demonstration

    output.note(f"{demonstration.describe(tenant)} Ctrl-C ends it.")
    try:
        while True:
            time.sleep(1)
            tenant.pass_time(dt.timedelta(minutes=1))
    except KeyboardInterrupt:
        output.note("The tenant is gone.")
