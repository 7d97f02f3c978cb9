"""The floor of `--help`: a Typer program with one command that does nothing."""

import typer

app = typer.Typer()


@app.command()
def run() -> None:
    """Do nothing."""


if __name__ == "__main__":
    app()
