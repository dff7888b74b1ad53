"""Read a stranger's file in a process of its own: little memory, little time, nothing of the service.

It answers on its standard output with one line of JSON. A refusal is an answer, too; a death is none.
"""

import json
import sys
from collections.abc import Callable

from imgpipe.wells.contents import File, Refusal
from imgpipe.wells.extracting import answer


def main(open_file: Callable[[str], File]) -> None:
    """Do what the order on the command line says of its file."""
    order = json.loads(sys.argv[1])
    try:
        told = answer(open_file(order["source"]), order)
    except Refusal as refusal:
        told = {"refusal": str(refusal)}
    except MemoryError:
        told = {"refusal": f"Reading the file takes more than {order['memory_bytes'] >> 20:,} MiB of memory."}
    sys.stdout.write(json.dumps(told))
