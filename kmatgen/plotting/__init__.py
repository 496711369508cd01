"""Pictures, written as PNG files: grids of images, curves of a training, distributions, evaluations."""

from kmatgen.plotting.anomalies import heat_maps, roc_curves
from kmatgen.plotting.distributions import asked_figure, distributions_figure
from kmatgen.plotting.evaluations import band_curves, density_curves
from kmatgen.plotting.images import image_grid, pair_grid, to_picture, to_uint8, traversal_points
from kmatgen.plotting.nearest import nearest_training_figure
from kmatgen.plotting.training import adversarial_curves, loss_curves, training_figure

__all__ = [
    "adversarial_curves",
    "asked_figure",
    "band_curves",
    "density_curves",
    "distributions_figure",
    "heat_maps",
    "image_grid",
    "loss_curves",
    "nearest_training_figure",
    "pair_grid",
    "roc_curves",
    "to_picture",
    "to_uint8",
    "training_figure",
    "traversal_points",
]
