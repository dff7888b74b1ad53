"""Name what travels between reading a log and drawing it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Depths = NDArray[np.float64]
Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Rows(NamedTuple):
    """Rows in ascending depth.

    ``depths`` float64 (n,), ``grey`` uint8 (n, w), ``holes`` bool (n, w) or None where there are none.
    """

    depths: Depths
    grey: Grey
    holes: Mask | None = None

    def part(self, first: int, last: int) -> "Rows":
        """Return the rows from ``first`` to before ``last`` as views."""
        holes = None if self.holes is None else self.holes[first:last]
        return Rows(self.depths[first:last], self.grey[first:last], holes)
