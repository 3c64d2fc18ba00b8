#!/usr/bin/env bash
# Runs what ./build.sh has built on the emulated chip.
#
#   ./run.sh              the whole story, with the device's console
#   ./run.sh test [...]   the tests (./run.sh test --help)
#   ./run.sh test-c       the tests of the C library
#   ./run.sh figures      puts what the last build and the last whole run measured into README.md
#
# Builds first what is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v qemu-system-xtensa >/dev/null || { echo "error: qemu-system-xtensa is missing (Debian: qemu-system-misc)" >&2 && exit 1; }
[[ -f target/esp8266/flash-uart.bin ]] || ./build.sh
[[ -f target/esp8266/older.lgu ]] || { echo "error: what is built is for other keys than the bench's; ./build.sh without LOCKGATE_KEY builds for it" >&2 && exit 1; }
python=target/esp8266/venv/bin/python3
case ${1:-} in
    "") exec "$python" tests/story.py ;;
    test) exec "$python" tests/run.py "${@:2}" ;;
    figures) exec "$python" tests/figures.py ;;
    test-c) exec "$python" capi/example/test.py ;;
    *) echo "error: unknown argument '$1'; ./run.sh [test|test-c|figures]" >&2 && exit 2 ;;
esac
