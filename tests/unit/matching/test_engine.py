"""Which engine searches, and what it needs from the machine: each in a process of its own."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import monitor.matching
from monitor.matching import backend

SEARCH = """
import numpy as np
from monitor.matching import HashIndex
entries = np.random.default_rng(1).integers(0, 256, (9_000, 32), dtype=np.uint8)
assert HashIndex.build(entries).search(entries[:50], 0).entry.tolist() == list(range(50))
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numba_searches_here() -> None:
    assert backend() == "numba"


def test_importing_the_package_and_a_small_index_load_no_compiler() -> None:
    run(
        "import sys; from monitor.matching import HashIndex; import numpy as np\n"
        "HashIndex.build(np.zeros((100, 32), np.uint8)).search(np.zeros(32, np.uint8), 31)\n"
        "assert not {'numba', 'PIL', 'imagehash'} & set(sys.modules)"
    )


@pytest.mark.parametrize("module", ["numba", "llvmlite"])
def test_without_numba_numpy_searches(module: str) -> None:
    without = f"import sys; sys.modules[{module!r}] = None\n"
    assert run(without + SEARCH + "from monitor.matching import backend; print(backend())") == "numpy\n"


def test_compiled_without_cache_no_file_is_written_and_after_warming_up_none_is_opened() -> None:
    run(
        "import os, sys\n"
        "from monitor.matching import warm_up_index\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, given: event == 'open' and opened.append(given))\n"
        "assert warm_up_index(cached=False).name == 'numba'\n"
        "written = [p for p, _, flags in opened if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)]\n"
        "assert opened and not written, written\n"
        "import numpy as np\n"
        "opened.clear()\n" + SEARCH + "assert not opened, opened"
    )


@pytest.mark.prove
def test_where_no_file_can_be_written_the_kernels_are_compiled_in_memory(tmp_path: Path) -> None:
    run(
        "import os, resource\n"
        f"os.environ['NUMBA_CACHE_DIR'] = {str(tmp_path)!r}\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        + SEARCH
        + "from monitor.matching import backend; assert backend() == 'numba'"
    )


def test_a_change_beside_the_kernels_makes_their_cache_stale() -> None:
    from monitor.matching.kernels import BESIDE

    folder = Path(monitor.matching.__file__).parent
    source = b"".join((folder / name).read_bytes() for name in ("buckets.py", "intrinsics.py"))
    assert hashlib.sha256(source).hexdigest()[:16] == BESIDE, "copy this into monitor/matching/kernels.py"
