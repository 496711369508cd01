"""The named studies."""

from __future__ import annotations

from typing import Any

# Studies: description, preset, and for each factor what each of its labels sets, by dotted path.
STUDIES: dict[str, tuple[str, str, dict[str, dict[str, dict[str, Any]]]]] = {
    "latent": (
        "how many latent dimensions a microstructure needs: 2, 4, 8, 16, 32",
        "vae",
        {
            "latent_dim": {
                str(count): {
                    "networks.encoder.config.latent_dim": count,
                    "networks.decoder.config.latent_dim": count,
                }
                for count in (2, 4, 8, 16, 32)
            }
        },
    ),
    "layers": (
        "how many convolutions in encoder and decoder: 2, 3, 4, with 16 latent dimensions",
        "vae",
        {
            "layers": {
                str(len(encoder)): {
                    "networks.encoder.config.filters": encoder,
                    "networks.decoder.config.filters": decoder,
                }
                for encoder, decoder in (
                    ([16, 32], [32, 16]),
                    ([16, 32, 64], [64, 32, 16]),
                    ([16, 32, 64, 128], [128, 64, 32, 16]),
                )
            }
        },
    ),
}
