"""Spectral normalisation that leaves the kernel alone and moves only when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register

# Iterations at build, so that the first step already sees about the true singular value.
_ITERATIONS_AT_BUILD = 20
_TINY = 1e-12

_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_SUPPORTED = (
    keras.layers.Dense,
    keras.layers.Embedding,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    *_TRANSPOSED,
)


@register("layer")
class SpectralNormalization(keras.layers.Wrapper):
    """Divide a layer's kernel by its largest singular value, estimated by power iteration.

    The kernel is read as a matrix W of outputs by everything else. A saved vector u follows its first left
    singular vector; v = W^T u / |W^T u|, sigma = u^T W v, and the layer works with W / sigma. The kernel itself
    is never changed, and the gradient passes through sigma with u and v held constant.

    A call never moves u, in training or not, so that all calls of one step - real samples, generated samples,
    gradient penalty - see the same weights, and none of them changes while the generator trains. Whoever
    trains calls `update_spectral_norms` once at the start of every discriminator step.

    The precision is the wrapped layer's own; u and sigma are float32. A kernel of zeros stays as it is.

    Args:
        layer: A Dense, Conv1D / 2D / 3D, Conv1D / 2D / 3DTranspose or Embedding layer, whose call and output
            are kept.
        power_iterations: Iterations for each update, at least 1.
        **kwargs: As for any Keras layer, without `dtype`.

    Raises:
        InputError: Another layer, or no iterations.

    Source: Miyato, Kataoka, Koyama and Yoshida 2018, algorithm 1 and equation 12.
    """

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        if not isinstance(layer, _SUPPORTED):
            names = ", ".join(kind.__name__ for kind in _SUPPORTED)
            raise InputError(f"SpectralNormalization wraps one of {names}. Received: {layer!r}.")
        if power_iterations < 1:
            raise InputError(f"power_iterations is at least 1. Received: {power_iterations}.")
        # Float32 and no casting here: half precision would spoil sigma. The wrapped layer casts for itself.
        kwargs.update(dtype="float32", autocast=False)
        super().__init__(layer, **kwargs)
        self.power_iterations = power_iterations

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        outputs = self._kernel_variable.shape[self._output_axis]
        self.u = self.add_weight(shape=(outputs,), initializer=self._first_u, trainable=False, name="u")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        kernel = self._kernel_variable
        values = [(variable, keras.ops.convert_to_tensor(variable)) for variable in self.layer.variables]
        normalised = [(variable, value / self.sigma() if variable is kernel else value) for variable, value in values]
        # Inside the scope the layer reads these values for its variables, which stay untouched.
        with keras.StatelessScope(normalised):
            return self.layer(inputs)

    def sigma(self) -> tf.Tensor:
        """The estimate of the largest singular value, a float32 scalar differentiable in the kernel."""
        u = keras.ops.convert_to_tensor(self.u)
        product = tf.linalg.matvec(self._matrix(), u, transpose_a=True)
        v = tf.stop_gradient(_unit(product))
        sigma = tf.reduce_sum(v * product)
        return tf.where(sigma > _TINY, sigma, tf.ones_like(sigma))

    def update(self) -> None:
        """Take `power_iterations` power iterations from the saved u, and save the result."""
        self.u.assign(_iterate(self._matrix(), keras.ops.convert_to_tensor(self.u), self.power_iterations))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "power_iterations": self.power_iterations}
        del config["dtype"]
        return config

    @property
    def _kernel_variable(self) -> keras.Variable:
        return self.layer.embeddings if isinstance(self.layer, keras.layers.Embedding) else self.layer.kernel

    @property
    def _output_axis(self) -> int:
        # Transposed convolutions keep (*sizes, outputs, inputs).
        return -2 if isinstance(self.layer, _TRANSPOSED) else -1

    def _matrix(self) -> tf.Tensor:
        """The kernel as a matrix (outputs, everything else), in float32."""
        kernel = tf.cast(keras.ops.convert_to_tensor(self._kernel_variable), tf.float32)
        if self._output_axis == -2:
            kernel = tf.linalg.matrix_transpose(kernel)
        return tf.transpose(tf.reshape(kernel, (-1, kernel.shape[-1])))

    def _first_u(self, shape: Sequence[int], dtype: str) -> tf.Tensor:
        start = tf.random.stateless_normal(shape, seed=(0, 0))
        return tf.cast(_iterate(self._matrix(), _unit(start), _ITERATIONS_AT_BUILD), dtype)


def update_spectral_norms(network: keras.layers.Layer) -> None:
    """Update every `SpectralNormalization` inside a network, however deep, once each.

    To be called at the start of each discriminator step, before anything is computed with the network.
    """
    for layer in {id(layer): layer for layer in network._flatten_layers()}.values():
        if isinstance(layer, SpectralNormalization):
            layer.update()


def _iterate(matrix: tf.Tensor, u: tf.Tensor, times: int) -> tf.Tensor:
    for _ in range(times):
        v = _unit(tf.linalg.matvec(matrix, u, transpose_a=True))
        new = tf.linalg.matvec(matrix, v)
        # A kernel of zeros has no singular vector; keep u for when it has one.
        u = tf.where(tf.norm(new) > _TINY, _unit(new), u)
    return u


def _unit(vector: tf.Tensor) -> tf.Tensor:
    return vector / tf.maximum(tf.norm(vector), _TINY)
