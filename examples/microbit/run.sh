#!/usr/bin/env bash
# Runs what ./build.sh has built on the emulated chip.
#
#   ./run.sh              the whole story, with the device's console
#   ./run.sh test [...]   the tests (./run.sh test --help)
#
# Builds first what is not there. LOCKGATE=PROGRAM takes a host tool that is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v qemu-system-arm >/dev/null || { echo "error: qemu-system-arm is missing (Debian: qemu-system-arm)" >&2 && exit 1; }
[[ -f target/microbit/flash.bin ]] || ./build.sh
[[ -f target/microbit/older.lgu ]] || { echo "error: what is built is for other keys than the bench's; ./build.sh without LOCKGATE_KEY builds for it" >&2 && exit 1; }
case ${1:-} in
    "") exec python3 tests/story.py ;;
    test) exec python3 tests/run.py "${@:2}" ;;
    *) echo "error: unknown argument '$1'; ./run.sh [test]" >&2 && exit 2 ;;
esac
