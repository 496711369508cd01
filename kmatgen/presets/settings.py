"""The settings of a training run and their defaults, as Python data."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

# Stands in `networks`, `model` and `compile` for what only the data know: the `condition` that they bring, its number
# of `classes`, the `threshold` by which their phase fraction is measured, the `decoder` back to crystals. What is not
# called as the argument stands behind a colon: `"data:decoder"`.
FROM_DATA = "data"

DEFAULTS: Config = {
    "preset": "",
    "seed": 0,
    "precision": "float32",
    # One of kmatgen.distribute.STRATEGIES
    "strategy": "auto",
    "data": {
        # "polycrystal", "phases", "digits", "digits:FOLDER", "tfds:NAME", "prototypes", a folder of micrographs, a
        # folder of crystals or a csv table of them
        "source": "polycrystal",
        "size": 64,
        "channels": None,
        "test_fraction": 0.1,
        # What samples are generated for: null, "class", or "phase_fraction", the fraction of pixels above a threshold.
        "condition": None,
        # None: Otsu's for all training samples together.
        "phase_threshold": None,
        "polycrystal": {
            "n": 1000,
            # None: from 3/8 to 5/8 of the size.
            "grain_size": None,
            "spread": 0.3,
            "elongation": [1.0, 1.5],
            "colouring": "ipf",
        },
        "phases": {
            "n": 2000,
            "dimensions": 2,
            # Range of the second phase's fraction; for three phases a list of two ranges.
            "fractions": [0.2, 0.6],
            # None: a twelfth of the size.
            "correlation_length": None,
        },
        # Images are cut into tiles, or where these are more than most_patches, into about so many crops an epoch, at
        # other places each time. stride (pixels from tile to tile) or per_image (crops of an image) choose one of them.
        "micrographs": {
            "most_patches": 2048,
            "stride": None,
            "per_image": None,
            "scale": "auto",
            "augment": [],
            "crop_data_bar": True,
            "metadata": None,
            # For data.condition=class: the column of metadata.csv with the class. None: the subfolder is the class.
            "class_column": None,
            "strict": False,
        },
        "crystals": {
            "column": None,
            # None: as given where all have the same number of sites, else "niggli".
            "cell": None,
            # Larger cells are refused; the cost of a step grows with the square of the largest in a batch.
            "max_sites": 24,
            # What crystals are generated for: "space_group", "composition", "chemical_system", property columns.
            "conditions": [],
            # Property columns that a VAE predicts from its latent points.
            "properties": [],
            # Arguments of kmatgen.representations.PointCloud.
            "representation": {},
            "strict": False,
        },
    },
    "model": {"class_name": "vae", "config": {}},
    "networks": {},
    "compile": {},
    # passes: over the data in one epoch; more for small data, since each epoch ends with a checkpoint.
    # ema: decay of the averaged weights that a model is sampled and exported with, such as 0.999. None: raw weights.
    # minutes: training ends after the epoch in which so many are over. None: after `epochs`.
    # evaluate_every, evaluate_n, evaluate: samples are judged every so many epochs, so many of them, by these metrics
    # (0: never); the model with the least `monitor` is kept as the best.
    "fit": {
        "epochs": 30,
        "batch_size": 32,
        "minutes": None,
        "passes": 1,
        "sample_every": 10,
        "ema": None,
        "evaluate_every": 5,
        "evaluate_n": 256,
        "evaluate": ["mmd", "kid", "two_point"],
        "monitor": "val_mmd",
    },
}

# Numbers that can be left out, and the least value of others: by dotted path or by their last name.
MAY_BE_NULL = ("data.micrographs.most_patches", "clipnorm")
LEAST = {
    "seed": 0,
    "learning_rate": 0.0,
    "weight_decay": 0.0,
    "blocks": 1,
    "data.size": 1,
    "data.test_fraction": 0.0,
    "data.polycrystal.n": 1,
    "data.phases.n": 1,
    "fit.epochs": 1,
    "fit.batch_size": 1,
    "fit.passes": 1,
    "fit.sample_every": 1,
    "fit.evaluate_every": 0,
    "fit.evaluate_n": 2,
}
