"""Local structure order parameters: how much the neighbours of an atom look like a tetrahedron, an octahedron, ...

The parameters are those of Zimmermann and Jain, RSC Advances 10 (2020) 6063, as pymatgen implements them atom by atom;
here they are evaluated for many atoms with equal numbers of neighbours at once. Their constants are read from pymatgen.

Of each pair of neighbours j, k the first is put to the north pole, the second on the prime meridian; then `theta` is
the polar angle of a neighbour and `phi` its azimuth. A motif scores every (j, k) with Gaussians of the angles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

Parameters = Mapping[str | int, float]
_ALONG_THE_AXIS = 1e-12  # length of the part of a unit vector across the polar axis below which it has no azimuth


class Motif(NamedTuple):
    """One order parameter.

    Attributes:
        name: As in pymatgen, for instance `"octahedral"`.
        kind: The function that computes it, for instance `"oct_max"`.
        parameters: Constants of that function.
    """

    name: str
    kind: str
    parameters: Parameters


class Angles(NamedTuple):
    """Angles among the neighbours of `n` atoms, and which of them count.

    Attributes:
        theta: `(n, j, k)` angle between neighbours j and k, as a share of 180 degrees.
        phi: `(n, j, k, m)` azimuth of m if j is the pole and k on the meridian, in radians from 0 to pi.
        pair: `(n, j, k)`: j and k are different.
        meridian: `(n, j, k, m)`: three different neighbours, k off the axis of j.
        azimuth: `(n, j, k, m)`: as `meridian`, and m is off the axis, too.
    """

    theta: np.ndarray
    phi: np.ndarray
    pair: np.ndarray
    meridian: np.ndarray
    azimuth: np.ndarray

    @property
    def theta_k(self) -> np.ndarray:
        """`(n, j, k, 1)`."""
        return self.theta[..., None]

    @property
    def theta_m(self) -> np.ndarray:
        """`(n, j, 1, m)`."""
        return self.theta[:, :, None, :]


@cache
def motifs() -> dict[int, tuple[Motif, ...]]:
    """The motifs looked for at each number of neighbours: 37 order parameters in all, for 1 to 12 neighbours."""
    chosen, defaults = _pymatgen_constants()
    found: dict[int, list[Motif]] = {1: [Motif("sgl_bd", "sgl_bd", {})]}
    for number, named in chosen.items():
        found[number] = [
            Motif(name, entry[0], dict(entry[1]) if len(entry) > 1 else dict(defaults[entry[0]]))
            for name, entry in named.items()
        ]
    for number in (9, 10, 11, 12):
        found.setdefault(number, []).extend(Motif(f"q{degree}", "steinhardt", {"l": degree}) for degree in (2, 4, 6))
    return {number: tuple(found[number]) for number in sorted(found)}


def _pymatgen_constants() -> tuple[dict, dict]:
    try:
        from pymatgen.core.local_env import CN_OPT_PARAMS, DEFAULT_OP_PARAMS
    except ImportError:  # pymatgen until 2025.10
        from pymatgen.analysis.local_env import CN_OPT_PARAMS, DEFAULT_OP_PARAMS
    return CN_OPT_PARAMS, DEFAULT_OP_PARAMS


def local_order(directions: np.ndarray) -> np.ndarray:
    """All order parameters of atoms that have the same number of neighbours.

    Args:
        directions: `(n, neighbours, 3)` unit vectors from atoms to their neighbours, 1 to 12 of them.

    Returns:
        `(n, motifs)` in the order of `motifs()[neighbours]`, 0 where one is not defined.
    """
    number = directions.shape[1]
    angles = _angles(directions)
    return np.stack([_KINDS[motif.kind](angles, motif.parameters) for motif in motifs()[number]], axis=-1)


def _angles(directions: np.ndarray) -> Angles:
    number = directions.shape[1]
    cosines = np.clip(directions @ np.swapaxes(directions, 1, 2), -1.0, 1.0)
    across = directions[:, None] - cosines[..., None] * directions[:, :, None]  # (n, pole, neighbour, 3)
    lengths = np.linalg.norm(across, axis=-1)
    off_axis = lengths >= _ALONG_THE_AXIS
    across /= np.where(off_axis, lengths, 1.0)[..., None]
    phi = np.arccos(np.clip(across @ np.swapaxes(across, 2, 3), -1.0, 1.0))
    differ = ~np.eye(number, dtype=bool)
    three = differ[:, :, None] & differ[:, None, :] & differ[None]
    meridian = three & off_axis[..., None]
    return Angles(np.arccos(cosines) / np.pi, phi, differ, meridian, meridian & off_axis[:, :, None])


def _bell(values: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * values * values)


def _azimuthal(angles: Angles, parameters: Parameters) -> np.ndarray:
    return np.cos(parameters["fac_AA"] * angles.phi) ** parameters["exp_cos_AA"]


def _best(
    angles: Angles, pair: np.ndarray, weight: np.ndarray | float, *triples: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """The largest mean score over all choices of pole j and meridian k.

    Args:
        angles: Of the neighbours.
        pair: `(n, j, k)` score of the pair.
        weight: `(n, j, k)` how much it counts.
        *triples: `(n, j, k, m)` scores of third neighbours, and where they count.
    """
    total, count = pair * weight, weight * np.ones_like(pair)
    for score, where in triples:
        total += np.where(where, score, 0.0).sum(axis=-1)
        count += where.sum(axis=-1)
    means = np.divide(total, count, out=np.zeros_like(total), where=angles.pair & (count > 0))
    return means.max(axis=(1, 2))


def _single_bond(angles: Angles, parameters: Parameters) -> np.ndarray:
    return np.ones(len(angles.theta))


def _bent(angles: Angles, parameters: Parameters) -> np.ndarray:
    scores = _bell(parameters["IGW_TA"] * (angles.theta - parameters["TA"]))
    return scores[:, angles.pair].mean(axis=1)


def _one_angle(angles: Angles, parameters: Parameters) -> np.ndarray:
    """All others at one angle from the pole, and evenly around it: trigonal, tetrahedral, pyramidal, T-shaped."""
    target = parameters.get("TA", 0.5)
    width = parameters["IGW_TA"] if "TA" in parameters else parameters["IGW_EP"]
    third = _bell(width * (angles.theta_m - target)) * _azimuthal(angles, parameters)
    return _best(angles, _bell(width * (angles.theta - target)), 1.0, (third, angles.azimuth))


def _pentagonal_plane(angles: Angles, parameters: Parameters) -> np.ndarray:
    near = np.where(angles.theta <= parameters["TA"], 0.4, 0.8)
    scores = _bell(parameters["IGW_TA"] * (angles.theta - near))
    third = scores[:, :, None, :] * np.cos(angles.phi) ** 2
    return _best(angles, scores, 1.0, (third, angles.azimuth))


def _two_poles(angles: Angles, parameters: Parameters) -> np.ndarray:
    """One neighbour opposite to the pole, the others around the equator: planes, octahedra, bipyramids, see-saws."""
    south = parameters["min_SPP"] / np.pi
    equatorial = _bell(parameters["IGW_EP"] * (angles.theta - 0.5))
    return _with_south_pole(angles, parameters, equatorial, angles.azimuth & (angles.theta_k < south))


def _see_saw(angles: Angles, parameters: Parameters) -> np.ndarray:
    south = parameters["min_SPP"] / np.pi
    equatorial = _bell(parameters["IGW_EP"] * (angles.theta - 0.5))
    beside = angles.azimuth & (angles.theta_k < south) & (angles.phi < 0.75 * np.pi)
    return _with_south_pole(angles, parameters, equatorial, beside)


def _hexagonal_plane(angles: Angles, parameters: Parameters) -> np.ndarray:
    south = parameters["min_SPP"] / np.pi
    corners = _bell(parameters["IGW_TA"] * (np.abs(angles.theta - 0.5) - parameters["TA"]))
    return _with_south_pole(angles, parameters, corners, angles.azimuth & (angles.theta_k < south))


def _with_south_pole(angles: Angles, parameters: Parameters, scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The best mean of scores of all but the south pole, and of how exactly that is opposite."""
    south = parameters["min_SPP"] / np.pi
    opposite = np.broadcast_to(_bell(parameters["IGW_SPP"] * (angles.theta_m - 1.0)), angles.phi.shape)
    third = scores[:, :, None, :] * _azimuthal(angles, parameters)
    return _best(
        angles,
        scores,
        (angles.theta < south).astype(float),
        (opposite, angles.meridian & (angles.theta_m >= south)),
        (third, others & (angles.theta_m < south)),
    )


def _cuboctahedron(angles: Angles, parameters: Parameters) -> np.ndarray:
    """Four neighbours on the equator, four above and four below (the numbered constants bound the equator)."""
    south, upper, lower = parameters["min_SPP"] / np.pi, parameters[4] / np.pi, parameters[2] / np.pi
    theta = angles.theta_m
    equator = np.cos(angles.phi) ** 2 * _bell(parameters[5] * (theta - 0.5))
    between = _bell(0.0556 * (np.cos(angles.phi - 0.5 * np.pi) - 0.81649658))
    capped = [between * _bell(parameters[6] * (theta - third)) for third in (1 / 3, 2 / 3)]
    counted = angles.azimuth & (theta < south) & (upper < angles.theta_k) & (angles.theta_k < lower)
    opposite = angles.theta >= south
    return _best(
        angles,
        _bell(parameters["IGW_SPP"] * (angles.theta - 1.0)),
        parameters["w_SPP"] * opposite,
        (equator, counted & (upper < theta) & (theta < lower)),
        (capped[0], counted & (theta < upper)),
        (capped[1], counted & (theta > lower)),
    )


def _body_centred(angles: Angles, parameters: Parameters) -> np.ndarray:
    """Peters, J. Chem. Phys. 131 (2009) 244103. Not symmetric in the pair: it depends on the order of neighbours."""
    number = angles.theta.shape[1]
    once = np.triu(np.ones((number, number), bool), 1)
    opposite = angles.theta >= parameters["min_SPP"] / np.pi
    pairs = np.where(opposite, parameters["w_SPP"] * _bell(parameters["IGW_SPP"] * (angles.theta - 1.0)), 0.0)
    tilt = (angles.theta_m - 0.5) * np.pi / np.arcsin(1 / 3)
    side = np.where(angles.theta_k > 0.5, 1.0, -1.0)
    thirds = side * np.cos(3 * angles.phi) * np.exp(0.5) * tilt * _bell(tilt)
    thirds = np.where(angles.azimuth & ~opposite[..., None], thirds, 0.0).sum(axis=-1)
    return (pairs + thirds)[:, once].sum(axis=1) / (0.5 * number * (6 + (number - 2) * (number - 3)))


def _steinhardt(angles: Angles, parameters: Parameters) -> np.ndarray:
    """Bond orientational order (Steinhardt et al., Phys. Rev. B 28 (1983) 784), by the addition theorem."""
    from scipy.special import eval_legendre

    cosines = np.cos(angles.theta * np.pi)
    return np.sqrt(np.maximum(eval_legendre(parameters["l"], cosines).mean(axis=(1, 2)), 0.0))


_KINDS: dict[str, Callable[[Angles, Parameters], np.ndarray]] = {
    "sgl_bd": _single_bond,
    "bent": _bent,
    **dict.fromkeys(("tri_plan_max", "tet_max", "T", "tri_pyr", "sq_pyr", "pent_pyr", "hex_pyr"), _one_angle),
    "pent_plan_max": _pentagonal_plane,
    **dict.fromkeys(("sq_plan_max", "oct_max", "tri_bipyr", "pent_bipyr", "hex_bipyr"), _two_poles),
    "see_saw_rect": _see_saw,
    "hex_plan_max": _hexagonal_plane,
    "cuboct_max": _cuboctahedron,
    "bcc": _body_centred,
    "steinhardt": _steinhardt,
}
