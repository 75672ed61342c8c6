"""The differential test without an end: `python -m tests.http1.fuzz --seconds 60 --seed 1`.

Every message has its own seed; a fault is printed with it, and `--seed N --count 1` shows it again. Exit 1 when there
was one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random

from tests.http1 import readers
from tests.http1.comparison import faults_of_request, faults_of_response
from tests.http1.messages import FOLLOWER, Source

FAULTS_PRINTED_MAX = 10


def examine(seed: int, verdicts: Counter[str]) -> list[str]:
    """The faults of one request and one response grown from `seed`; counts in `verdicts` how we read them."""
    source = Source(Random(seed))
    faults: list[str] = []
    request = source.mutate(source.request() + FOLLOWER)
    verdicts["request " + type(readers.read_request(request)).__name__.lower()] += 1
    faults += [f"{fault}\n    in {request!r}" for fault in faults_of_request(request, source.cuts(request))]
    response = source.mutate(source.response() + FOLLOWER)
    verdicts["response " + type(readers.read_response(response)).__name__.lower()] += 1
    faults += [f"{fault}\n    in {response!r}" for fault in faults_of_response(response, source.cuts(response))]
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to run")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first message; the next ones count up")
    parser.add_argument("--count", type=int, default=0, help="stop after so many messages; 0: only the time ends it")
    options = parser.parse_args()
    verdicts: Counter[str] = Counter()
    seed = options.seed
    faults = 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end and not (options.count and seed - options.seed >= options.count):
        for fault in examine(seed, verdicts):
            faults += 1
            if faults <= FAULTS_PRINTED_MAX:
                print(f"seed {seed}: {fault}")
        seed += 1
    read = ", ".join(f"{count} {name}" for name, count in sorted(verdicts.items()))
    print(f"seeds {options.seed} to {seed - 1}: {faults} faults; {read}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
