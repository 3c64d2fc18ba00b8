#!/usr/bin/env bash
# The library and independent decoders (lockgate_records.py and lockgate_keys.py, written from docs/records.md and
# docs/keys.md alone) read the same record logs and key stores: as power cuts left them on every kind of device, and with
# bits flipped and units unreadable on top of that. They must agree on every one.
#
# MOMENTS=N (default 3000) logs, of the lives that SEED=N (default 1) begins. If they disagree, the logs are kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export PYTHONDONTWRITEBYTECODE=1
python3 tests/records/test_decoder.py

cargo build -q --release -p lockgate --features pack,sim --example records_dump
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CARGO_TARGET_DIR:-target}/release/examples/records_dump" "$work" "${MOMENTS:-3000}" "${SEED:-1}"

if ! WORK=$work PYTHONPATH=tests/records python3 - <<'END'; then
import collections, json, os, sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from uuid import UUID
import lockgate_keys
import lockgate_records as records

UPDATES = {"confirmed": "none", "swapping": "swapping", "reverting": "swapping"}
FIELDS = "recorded update reason running confirmed security_counter manifest keys base older".split()


def status(state, swap):
    """What an application is told where the log holds this state."""
    recorded = state is not None
    state = state or {"phase": "confirmed", "slot": "A", "security_counter": 0, "reason": 0, "update": "",
                      "keys": 0, "base": 0, "older": False}
    reason, running = {"name": "confirmed"}, state["slot"]
    if state["phase"] == "trial":
        reason = {"name": "trial", "attempt": min(state["step"], 255), "limit": state["limit"]}
        running = running if swap else {"A": "B", "B": "A"}[running]
    elif state["reason"]:
        reason = {"name": "reverted", "reason": state["reason"]}
    return {"recorded": recorded, "update": UPDATES.get(state["phase"], state["phase"]), "reason": reason,
            "running": running, "confirmed": state["slot"], "security_counter": state["security_counter"],
            "manifest": state["update"] if state["update"].strip("0") else None,
            "keys": state["keys"], "base": state["base"], "older": state["older"]}


def trusted(store, state):
    """The version that an application goes by: of the place that the state names; without a log, of the latest one."""
    place = state["keys"] if state else store["without_log"]
    if place == 0:
        return 0
    found = store["places"][place - 1]
    return found["version"] if found["whole"] else "lost"


def judge(path):
    told = json.loads(path.read_text())
    flash = path.with_suffix(".bin").read_bytes()
    log = records.decode(flash, told["start"], told["sectors"], told["unit"],
                         told["erased"], told["unreadable"])
    mine, theirs = status(log["state"], told["swap"]), told["status"]
    differ = [f"{name}: the page says {mine[name]}, the library {theirs[name]}" for name in FIELDS
              if mine[name] != theirs[name]]
    phase = log["state"]["phase"] if log["state"] else "no log"
    also = {"damaged": told["hurt"], "units unreadable": told["unreadable"], "checkpoint": log["checkpoint"],
            "not durable": log["state"] and not log["durable"]}
    kinds = [phase] + [kind for kind, seen in also.items() if seen]
    if says := told.get("store"):
        store = lockgate_keys.decode(flash, says["places"], UUID(says["vendor"]).bytes, UUID(says["class"]).bytes,
                                     [a for unit in says["unreadable"] for a in range(unit, unit + told["unit"])])
        for name, state in (("trusted", log["state"]), ("without_log", None)):
            if (mine := trusted(store, state)) != says[name]:
                differ.append(f"{name}: the page says {mine}, the library {says[name]}, of {store}")
            kinds += ["trusted set lost"] if mine == "lost" else []
        if state := log["state"]:
            kinds += [f"trusted set in place {state['keys']}"]
            kinds += ["another set of the confirmed image"] if state["base"] != state["keys"] else []
            kinds += ["older"] if state["older"] else []
        kinds += ["a place is not whole" for place in store["places"] if not place["whole"]][:1]
    return path, differ, kinds


paths = sorted(Path(os.environ["WORK"]).glob("*.json"))
passed, failed, seen = 0, 0, collections.Counter()
with ProcessPoolExecutor() as pool:
    for path, differ, kinds in pool.map(judge, paths, chunksize=16):
        seen.update(kinds)
        passed, failed = passed + (not differ), failed + bool(differ)
        if differ and failed <= 20:
            print(f"{path}: " + "; ".join(differ))

# Agreement on what never occurred is worth nothing.
for kind in (*records.PHASES, *(f"trusted set in place {place}" for place in range(4)), "trusted set lost",
             "another set of the confirmed image", "a place is not whole", "no log", "not durable", "units unreadable",
             "checkpoint", "damaged"):
    if not seen[kind]:
        print(f"none of the logs has: {kind}")
        failed += 1
print(", ".join(f"{kind} {seen[kind]}" for kind in sorted(seen)))
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
END
    trap - EXIT
    exit 1
fi
