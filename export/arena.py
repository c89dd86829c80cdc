"""The smallest arena in which TensorFlow Lite Micro starts a file: `wristlead parity` prints it and ours."""

import subprocess
import sys
from pathlib import Path

from device_sim.contract.errors import ContractError

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 1 << 26
STEP = 16  # what its arena is aligned to
TIMEOUT_S = 600


def smallest_tflm_arena(file: bytes) -> int:
    """Bytes, to the next 16; tried in a process of its own."""
    command = [sys.executable, "-m", "export.arena"]
    done = subprocess.run(command, input=file, capture_output=True, timeout=TIMEOUT_S, cwd=ROOT)
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise ContractError(f"backend tflm: no arena up to {LARGEST} bytes was enough: {last}")
    return int(done.stdout)


def _starts(file: bytes, arena_bytes: int) -> bool:
    from tflite_micro.python.tflite_micro import runtime

    try:
        runtime.Interpreter.from_bytes(file, arena_size=arena_bytes)
    except RuntimeError:
        return False
    return True


def main() -> int:
    """What the other process does: halves the interval until it is one step wide."""
    file = sys.stdin.buffer.read()
    low, high = 1024, LARGEST  # below a kilobyte it does not refuse but dies
    if not _starts(file, high):
        return 1
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        low, high = (low, middle) if _starts(file, middle) else (middle, high)
    print(high)
    return 0


if __name__ == "__main__":
    sys.exit(main())
