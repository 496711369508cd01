"""Tiny models, one of each family and variant, and the data that they take.

A new model is one row in `MODELS`: `tests/models/test_contracts.py` runs all contracts of `tests/checks.py` over it.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

import kmatgen as kg

SHAPE = (16, 16, 1)


class Case(NamedTuple):
    """One row: how to make a model, and how to compile it."""

    make: Callable[[], kg.GenerativeModel]
    compile: dict
    # The same model without noise and batch statistics, so that replicas can be compared with one device;
    # None where the loss itself draws random numbers.
    make_quiet: Callable[[], kg.GenerativeModel] | None
    optimizers: tuple[str, ...] = ("optimizer",)
    loss: str = "loss"
    # Number of classes of the condition that data bring.
    classes: int | None = None
    # Makes n samples, or pairs of samples and conditions, where these are no images.
    make_data: Callable | None = None
    # What else to compile with where updates are compared.
    sgd: dict | None = None

    def data(self, n=32):
        """Samples, or pairs of samples and conditions."""
        if self.make_data is not None:
            return self.make_data(n)
        return images(n) if self.classes is None else (images(n), np.arange(n) % self.classes)

    def batched(self, n=32, batch_size=8):
        """The same as batches."""
        return tf.data.Dataset.from_tensor_slices(self.data(n)).batch(batch_size)

    def with_sgd(self, rate=0.01):
        """Compile arguments for comparing updates: Adam would hide a factor in the gradients."""
        steps = {"d_steps": 2} if "d_steps" in self.compile else {}
        return {role: keras.optimizers.SGD(rate) for role in self.optimizers} | steps | (self.sgd or {})

    def condition(self, n):
        """What to ask `generate` for."""
        return None if self.classes is None else np.arange(n) % self.classes


def conv_networks(variational):
    return {
        "encoder": kg.networks.conv_encoder(SHAPE, 3, (4, 8), variational=variational),
        "decoder": kg.networks.conv_decoder(SHAPE, 3, (8, 4)),
    }


def quiet_networks(variational):
    image = keras.Input(SHAPE, name="image")
    flat = keras.layers.Flatten()(image)
    outputs = keras.layers.Dense(3, dtype="float32", name="mean")(flat)
    if variational:
        # A variance of exp(-60): the noise is far below float32's resolution.
        bias = keras.initializers.Constant(-60.0)
        log_var = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer=bias, dtype="float32")(flat)
        outputs = {"mean": outputs, "log_var": log_var}
    latent = keras.Input((3,), name="latent")
    scores = keras.layers.Dense(256, dtype="float32")(latent)
    return {
        "encoder": keras.Model(image, outputs),
        "decoder": keras.Model(latent, keras.layers.Reshape(SHAPE, dtype="float32")(scores)),
    }


def gan_networks(generator=None, **discriminator):
    return {
        "generator": kg.networks.mlp_generator(SHAPE, 3, (8,), normalization="batch", **(generator or {})),
        "discriminator": kg.networks.mlp_discriminator(SHAPE, (8,), **discriminator),
    }


def quiet_gan_networks(classes=None, head=False):
    """A generator that ignores its noise, and a critic so linear that a penalty is the same everywhere."""
    noise, sample = keras.Input((3,), name="noise"), keras.Input(SHAPE, name="sample")
    flat = keras.layers.Dense(256, activation="sigmoid", dtype="float32")(keras.layers.Rescaling(0.0)(noise))
    if classes is not None:
        given = keras.Input((), name="condition", dtype="int32")
        flat = keras.layers.Add(dtype="float32")([flat, keras.layers.Embedding(classes, 256)(given)])
        noise = {"noise": noise, "condition": given}
    generator = keras.Model(noise, keras.layers.Reshape(SHAPE, dtype="float32")(flat))
    pixels = keras.layers.Flatten()(sample)
    outputs = {"score": keras.layers.Dense(1, dtype="float32")(pixels)}
    if head:
        outputs["class_logits"] = keras.layers.Dense(classes, dtype="float32")(pixels)
    return {"generator": generator, "discriminator": keras.Model(sample, outputs)}


FOUR = {"classes": 4}


def gan_case(cls, networks=None, quiet=None, classes=None, sgd=None, **compile):
    """A row of the adversarial family."""
    networks, quiet = networks or {}, {} if quiet is None else quiet
    return Case(
        lambda: cls(**gan_networks(**networks), seed=0),
        compile,
        None if quiet is False else lambda: cls(**quiet_gan_networks(**quiet), seed=0),
        ("g_optimizer", "d_optimizer"),
        "g_loss",
        classes,
        sgd=sgd,
    )


def diffusion_networks(**options):
    return {
        "denoiser": kg.networks.unet(SHAPE, (4,), patch=2, attention=False, embedding=8, **options),
        "encoder": kg.networks.image_encoder(SHAPE),
        "decoder": kg.networks.image_decoder(SHAPE),
    }


def quiet_denoiser():
    """A denoiser that ignores its inputs, for the target "sample", whose loss then has no noise in its gradient."""
    sample, time = keras.Input(SHAPE, name="sample"), keras.Input((), name="time")
    nothing = keras.layers.Rescaling(0.0)(keras.layers.Flatten()(sample))
    flat = keras.layers.Dense(256, dtype="float32")(nothing)
    return keras.Model({"sample": sample, "time": time}, keras.layers.Reshape(SHAPE, dtype="float32")(flat))


FIELDS = {"coords": (4, 3), "lattice": (2,)}


def field_data(n):
    """Fields of something like crystals, and the conditions: which sites there are, and a property."""
    rng = np.random.default_rng(2)
    sample = {name: rng.random((n, *shape), np.float32) for name, shape in FIELDS.items()}
    mask = (np.arange(4) < 1 + np.arange(n)[:, None] % 4).astype(np.float32)
    return sample, {"mask": mask, "property": rng.normal(size=(n, 1)).astype(np.float32)}


def field_denoiser():
    sample = {name: keras.Input(shape, name=name) for name, shape in FIELDS.items()}
    condition = {"mask": keras.Input((4,), name="mask"), "property": keras.Input((1,), name="property")}
    time, known = keras.Input((1,), name="time"), keras.Input((1,), name="known")
    asked = keras.layers.Multiply()([condition["property"], known])
    flat = keras.layers.Flatten()(sample["coords"])
    x = keras.layers.Concatenate()([flat, sample["lattice"], condition["mask"], asked, time])
    x = keras.layers.Dense(16, activation="silu")(x)
    outputs = {
        "coords": keras.layers.Reshape((4, 3), dtype="float32")(keras.layers.Dense(12, dtype="float32")(x)),
        "lattice": keras.layers.Dense(2, dtype="float32")(x),
    }
    return keras.Model({"sample": sample, "time": time, "condition": condition, "known": known}, outputs)


def field_diffusion():
    return kg.Diffusion(
        field_denoiser(),
        fields={"coords": kg.diffusion.Field("periodic", mask="mask")},
        prior=kg.diffusion.EmpiricalPrior.of(field_data(8)[1]),
        steps=3,
        seed=0,
    )


def field_vae(quiet=False):
    """A conditional VAE of fields that predicts the property; quiet, without noise."""
    sample = {name: keras.Input(shape, name=name) for name, shape in FIELDS.items()}
    latent, mask = keras.Input((3,), name="latent"), keras.Input((4,), name="mask")
    told = [keras.layers.Flatten()(sample["coords"]), sample["lattice"], mask]
    x = keras.layers.Dense(8, activation="silu")(keras.layers.Concatenate()(told))
    # A variance of exp(-60): the noise is far below float32's resolution.
    bias = keras.initializers.Constant(-60.0 if quiet else 0.0)
    heads = {
        "mean": keras.layers.Dense(3, dtype="float32")(x),
        "log_var": keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer=bias, dtype="float32")(x),
    }
    y = keras.layers.Dense(8, activation="silu")(keras.layers.Concatenate()([latent, mask]))
    made = {
        "coords": keras.layers.Reshape((4, 3), dtype="float32")(keras.layers.Dense(12, dtype="float32")(y)),
        "lattice": keras.layers.Dense(2, dtype="float32")(y),
    }
    point = keras.Input((3,), name="latent")
    return kg.VAE(
        keras.Model({"sample": sample, "condition": {"mask": mask}}, heads),
        keras.Model({"latent": latent, "condition": {"mask": mask}}, made),
        fields={"coords": kg.diffusion.Field(mask="mask")},
        prior=kg.diffusion.EmpiricalPrior.of({"mask": field_data(8)[1]["mask"]}),
        property_head=keras.Model(point, {"property": keras.layers.Dense(1, dtype="float32")(point)}),
        properties={"property": {"mean": 0.5, "scale": 2.0}},
        seed=0,
    )


MODELS = {
    "vae": Case(
        lambda: kg.VAE(**conv_networks(True), seed=0),
        {"kl_weight": kg.schedules.LinearWarmup(0.1, 6), "kl_reduction": "sum"},
        lambda: kg.VAE(**quiet_networks(True), seed=0),
    ),
    "vae_fields": Case(
        field_vae,
        {"reconstruction": "mean_squared_error", "kl_weight": 0.1, "property_weight": 0.5},
        lambda: field_vae(quiet=True),
        make_data=field_data,
    ),
    "autoencoder": Case(
        lambda: kg.Autoencoder(**conv_networks(False), output_activation="linear", seed=0),
        {"reconstruction": "mean_squared_error"},
        lambda: kg.Autoencoder(**quiet_networks(False), seed=0),
    ),
    "gan": gan_case(
        kg.GAN,
        {"features": True},
        loss="relativistic_average",
        terms=[kg.FeatureMatching(0.1), kg.R1(1.0), kg.TwoPointCorrelation(0.1)],
    ),
    "wgan_gp": gan_case(kg.WGANGP, {"normalization": "layer"}, d_steps=2),
    "acgan": gan_case(kg.ACGAN, {"generator": {"condition": FOUR}, "classes": 4}, {"classes": 4, "head": True}, 4),
    "dcgan": gan_case(kg.DCGAN),
    "lsgan": gan_case(kg.LSGAN),
    # Clipped as usual the weights would show nothing of an update.
    "wgan": gan_case(kg.WGAN, sgd={"terms": [kg.WeightClipping(10.0)]}, d_steps=2),
    "sngan": gan_case(kg.SNGAN, {"normalization": "spectral"}),
    "conditional_gan": gan_case(
        kg.ConditionalGAN, {"generator": {"condition": FOUR}, "condition": FOUR}, {"classes": 4}, 4
    ),
    "infogan": gan_case(
        kg.InfoGAN,
        {"generator": {"condition": {"size": 12}}, "code_categories": 10, "code_continuous": 2},
        quiet=False,
    ),
    "ebgan": Case(
        lambda: kg.EBGAN(
            kg.networks.mlp_generator(SHAPE, 3, (8,)), kg.networks.energy_discriminator(SHAPE, 4, (4, 8)), seed=0
        ),
        {},
        lambda: kg.EBGAN(**quiet_gan_networks(), seed=0),
        ("g_optimizer", "d_optimizer"),
        "g_loss",
    ),
    "diffusion": Case(
        lambda: kg.Diffusion(**diffusion_networks(condition=FOUR), steps=3, sampler="ancestral", seed=0),
        {"condition_dropout": 0.2, "weighting": "min_snr", "time_sampling": "uniform"},
        lambda: kg.Diffusion(quiet_denoiser(), target="sample", seed=0),
        classes=4,
    ),
    "diffusion_fields": Case(
        field_diffusion, {"loss_weights": {"lattice": 2.0}, "condition_dropout": 0.2}, None, make_data=field_data
    ),
}


def two_replicas():
    """Two logical devices; without collectives, whose keys clash between the strategies of one process."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


def images(n=32):
    return np.random.default_rng(1).random((n, *SHAPE), np.float32)


def batched(n=32, batch_size=8):
    return tf.data.Dataset.from_tensor_slices(images(n)).batch(batch_size)


def compiled(case, **more):
    model = case.make()
    model.compile(**{**case.compile, **more})
    return model
