"""What a diffusion model is composed of: noise schedules, targets, corruptions of fields, samplers."""

from kmatgen.diffusion.corruption import Gaussian, Periodic
from kmatgen.diffusion.fields import Field
from kmatgen.diffusion.prior import EmpiricalPrior
from kmatgen.diffusion.samplers import DDIM, Ancestral
from kmatgen.diffusion.schedules import Cosine, Linear, LogSNR, NicholCosine

__all__ = [
    "DDIM",
    "Ancestral",
    "Cosine",
    "EmpiricalPrior",
    "Field",
    "Gaussian",
    "Linear",
    "LogSNR",
    "NicholCosine",
    "Periodic",
]
