"""What a gradient penalty asks of a layer: right second derivatives."""

import keras
import tensorflow as tf


def _call(layer, x):
    normalises_batches = isinstance(layer, keras.layers.BatchNormalization)
    return layer(x, training=True) if normalises_batches else layer(x)


def penalty(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        # Cubed, since along a layer's own inputs the missing part of a wrong second derivative would vanish.
        total = tf.reduce_sum(tf.sin(_call(layer, x**3)))
    return tf.reduce_sum(tape.gradient(total, x) ** 2)


def slope_and_difference(layer, x):
    """The length of a gradient penalty's gradient, and the difference quotient along that gradient."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = penalty(layer, x)
    gradient = tape.gradient(value, x)
    slope = float(tf.norm(gradient))
    step = 1e-2 * gradient / slope
    return slope, float(penalty(layer, x + step) - penalty(layer, x - step)) / 2e-2
