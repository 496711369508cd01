"""Small CIF texts for the tests of reading."""

ROCK_SALT_SITES = ("Na Na1 0 0 0 1", "Cl Cl1 0.5 0.5 0.5 1")


def cif(
    sites=ROCK_SALT_SITES,
    cell=(5.64, 5.64, 5.64, 90, 90, 90),
    symmetry="_symmetry_space_group_name_H-M 'F m -3 m'",
    name="NaCl",
):
    """A CIF with these sites: symbol, label, x, y, z, occupancy."""
    tags = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    columns = ("type_symbol", "label", "fract_x", "fract_y", "fract_z", "occupancy")
    return "\n".join(
        [
            f"data_{name}",
            *(f"_cell_{tag} {value}" for tag, value in zip(tags, cell, strict=True) if value is not None),
            symmetry,
            "loop_",
            *(f"_atom_site_{column}" for column in columns),
            *sites,
            "",
        ]
    )


def plain(numbers="Na Cl", a=4.0, spread=0.1):
    """A CIF without symmetry: atoms on the diagonal of a cube."""
    symbols = numbers.split()
    sites = [f"{symbol} {symbol}{row} {spread * row} 0 {spread * row} 1" for row, symbol in enumerate(symbols, start=1)]
    return cif(sites, (a, a, a, 90, 90, 90), "", "".join(symbols))
