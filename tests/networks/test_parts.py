import pytest

import kmatgen as kg

OPEN = (None, None, 1)


@pytest.mark.parametrize(
    "build",
    [
        lambda shape: kg.networks.conv_encoder(shape, 3, (4,)),
        lambda shape: kg.networks.conv_decoder(shape, 3, (4,)),
        lambda shape: kg.networks.mlp_generator(shape, 3, (8,)),
        lambda shape: kg.networks.mlp_discriminator(shape, (8,)),
        lambda shape: kg.networks.dcgan_generator(shape, latent_dim=3, filters=4),
        lambda shape: kg.networks.dcgan_discriminator(shape, filters=4),
        lambda shape: kg.networks.unet(shape, (4,)),
    ],
)
def test_sizes_left_open_are_refused(build):
    with pytest.raises(kg.InputError, match=r"none left open\. Received: \(None, None, 1\)"):
        build(OPEN)
