"""Runs tests that are promises, several at once, and prints a line for each: what the examples' run.py share."""

import argparse
import concurrent.futures
import os
import sys
import time


def judge(test, bench):
    """Seconds, and the failure if it failed. The bench is closed."""
    started, failure = time.monotonic(), None
    try:
        test(bench)
    except Exception as error:  # whatever it is, the other tests go on
        failure = f"{type(error).__name__}: {error}"
    finally:
        bench.close()
    return time.monotonic() - started, failure


def main(description, tests, split, run, report, prepare=None):
    """`split(test, jobs)` gives (name, test) for each part of a test; `run` of such a pair gives name, seconds, failure or None, and what
    else `report(results, whole)` wants; that one prints, and gives failures. `prepare(pool)` comes first."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="PART", help="only tests with this in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    chosen = [test for test in tests if arguments.k in test.__name__]
    if not chosen:
        sys.exit(f"error: no test with {arguments.k!r} in its name")
    results = []
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        if prepare:
            prepare(pool)
        for result in pool.map(run, [item for test in chosen for item in split(test, arguments.jobs)]):
            results.append(result)
            name, seconds, failure = result[:3]
            print(f"{'FAILED' if failure else 'ok':7}{seconds:6.1f} s  {name.replace('_', ' ')}", flush=True)
            if failure:
                print("    " + failure.replace("\n", "\n    "), flush=True)
    failures = [name for name, _, failure, *_ in results if failure] + report(results, not arguments.k)
    print()
    if failures:
        sys.exit("error: " + "; ".join(failures))
    print(f"all {len(chosen)} promises kept")
