"""The command line. TensorFlow is imported by the commands that need it, so that `--help` answers at once.

A module for each kind of command; here are the program and its way of failing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from kmatgen import __version__
from kmatgen.cli.describe import data, presets
from kmatgen.cli.evaluate import compare, evaluate
from kmatgen.cli.serve import export, sample
from kmatgen.cli.study import study
from kmatgen.cli.train import train
from kmatgen.errors import InputError, TrainingError, is_out_of_memory

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def main(arguments: list[str] | None = None) -> None:
    """Run a command; bad input ends with one sentence and exit code 2."""
    run_or_explain(lambda: commands.main(arguments, prog_name="kmatgen", standalone_mode=False))


def run_or_explain(program: Callable[[], Any]) -> None:
    """Run a program; bad input or a training gone wrong ends it with one sentence, no traceback, and exit code 2."""
    try:
        program()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (InputError, TrainingError) as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.strerror}: this file or folder cannot be used. Received: {error.filename}.")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        said = str(error).strip().partition("\n")[0].rstrip(".")
        _fail(f"There is not enough memory; smaller or fewer samples, networks or batches need less. Received: {said}.")
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted.", err=True)
        sys.exit(130)


def _fail(sentence: str) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(2)


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="kmatgen")
def commands() -> None:
    """Train, judge and ship generative models of materials.

    \b
    kmatgen data micrographs/                            what is in a folder
    kmatgen train vae --data micrographs/ --size 64      train on it
    kmatgen sample runs/vae -n 64 --out samples/         draw samples
    kmatgen evaluate runs/vae                            are the samples as real ones are
    kmatgen compare runs/vae runs/wgan_gp_64             which model is better
    kmatgen export runs/vae                              SavedModel for TensorFlow alone
    kmatgen study latent --data micrographs/ --seeds 3   compare models over seeds
    """


for command in (data, presets, train, sample, evaluate, compare, export, study):
    commands.add_command(command)
