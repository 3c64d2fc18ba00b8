#!/usr/bin/env bash
# A device's life under QEMU: the boot stage and both applications, updated by `lockgate send` over the emulated UART, tried,
# exchanged, confirmed, refused, taken back, and cut off in the middle. Exits with 1 if anything is not as it should be.
#
# The machine is mps2-an386 (Cortex-M4); RAM and a file play the STM32F405's flash (emulated/src/flash.rs).
# LOCKGATE, LOCKGATE_KEYS with LOCKGATE_KEY (the private key): as ./build.sh says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# As in app/src/device.rs.
vendor=6b1f3a52-97c4-4c0e-8d27-0a5be1f0c9d4
class=f405a1de-2c84-4b0f-9d15-7e3b6a90c4f8
other_class=0c2f9c0e-3f5b-4a51-9d2c-6a3f5d1e7b80

target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
images=$target_dir/images
rom=$target_dir/thumbv7em-none-eabihf/release/rom
key=${LOCKGATE_KEY:-$images/key.pem}
work=$(mktemp -d)
machine=""
trap '[[ -z $machine ]] || { kill -9 "$machine"; wait "$machine"; } 2>/dev/null; rm -rf "$work"' EXIT
touch "$work/console"

die() {
    echo "error: $*" >&2
    sed 's/^/    /' "$work/console" >&2
    exit 1
}

lockgate() {
    "${LOCKGATE:-$target_dir/release/lockgate}" "$@"
}

# An image as another build: only its number differs. PACKAGE APPLICATION BUILD
number() {
    sed "s/build 01/build $3/" "$images/$2.bin" >"$work/$1.bin"
    [[ $3 == 01 ]] || ! cmp -s "$images/$2.bin" "$work/$1.bin" || die "$2 has no build number"
}

pack() { # PACKAGE VERSION COUNTER KEY CLASS
    lockgate pack "$work/$1.bin" -o "$work/$1.lgu" --key "$4" --vendor "$vendor" --class "$5" --version "$2" \
        --security-counter "$3" >"$work/pack.log"
}

# Three sectors' worth, of which lockgate puts checkpoints on the edges and exchanges each: it fills up with noise.
large() { # PACKAGE APPLICATION BUILD VERSION COUNTER
    number "$1" "$2" "$3"
    head -c 250000 /dev/urandom >>"$work/$1.bin"
    pack "$1" "$4" "$5" "$key" "$class"
}

package() { # PACKAGE APPLICATION BUILD VERSION COUNTER [KEY] [CLASS]
    number "$1" "$2" "$3"
    pack "$1" "$4" "$5" "${6:-$key}" "${7:-$class}"
}

power_on() {
    rm -f "$work/line"
    # The device never sleeps: processor time is a limit for a machine that nobody ends.
    (cd "$work" && ulimit -t 300 && exec qemu-system-arm -M mps2-an386 -display none -monitor none \
        -serial unix:line,server=on,wait=off -semihosting-config enable=on,target=native -kernel "$rom" \
        >>console 2>&1) &
    machine=$!
    for _ in $(seq 100); do
        [[ ! -S $work/line ]] || return 0
        sleep 0.1
    done
    die "the machine does not start"
}

power_off() {
    kill -9 "$machine" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
    machine=""
}

# Waits until the console shows the pattern behind the lines of earlier steps.
seen=0
await() { # PATTERN
    local line
    for _ in $(seq 600); do
        line=$(tail -n +$((seen + 1)) "$work/console" | grep -nE -m1 -- "$1" || true)
        if [[ -n $line ]]; then
            seen=$((seen + ${line%%:*}))
            return 0
        fi
        sleep 0.1
    done
    die "not seen: $1"
}

send() { # PACKAGE STATUS VERDICT: the device's, as `lockgate send` tells it
    local status=0
    lockgate send "$work/$1.lgu" --port "unix:$work/line" --timeout 60 >"$work/send.log" 2>&1 || status=$?
    if [[ $status -ne $2 ]] || ! grep -qE -- "$3" "$work/send.log"; then
        cat "$work/send.log" >&2
        die "$1: exit status $status; $2 and '$3' were expected"
    fi
    printf '%-12s %s\n' "$1" "$(grep -oE -m1 -- "$3.*" "$work/send.log")"
}

# The same by a host that looks at nothing that it sends. PACKAGE STATUS VERDICT [ARGUMENTS]
raw() {
    local status=0 name=$1 wanted=$2 verdict=$3
    shift 3
    python3 host.py "$work/line" "$work/$name.lgu" "$@" >"$work/send.log" 2>&1 || status=$?
    if [[ $status -ne $wanted ]] || ! grep -qE -- "$verdict" "$work/send.log"; then
        cat "$work/send.log" >&2
        die "$name: exit status $status; $wanted and '$verdict' were expected"
    fi
    printf '%-12s %s\n' "$name" "$(cat "$work/send.log")"
}

step() { printf '\n%s\n' "$*"; }

./build.sh emulated

lockgate keygen --dev -o "$work/other.pem" >"$work/keygen.log"
package one emulated-app 01 1.0.0 1
package two emulated-app-async 02 1.1.0 2
large three emulated-app 03 1.2.0 2
large four emulated-app-async 04 1.3.0 2
package broken emulated-app 66 1.4.0 2
package hangs emulated-app-async 77 1.5.0 2
package wrong-class emulated-app 05 1.6.0 2 "$key" "$other_class"
package other-key emulated-app 05 1.6.0 2 "$work/other.pem"
package old-counter emulated-app 05 1.6.0 1
package six emulated-app 06 1.9.0 2
cp "$work/six.lgu" "$work/tampered.lgu"
half=$(($(stat -c %s "$work/six.lgu") / 2))
byte=$(od -An -tu1 -j$half -N1 "$work/six.lgu")
printf '%b' "\\x$(printf '%02x' $((byte ^ 1)))" | dd of="$work/tampered.lgu" bs=1 seek=$half conv=notrunc status=none
head -c $((half + 5000)) "$work/six.lgu" >"$work/truncated.lgu"

lockgate factory "$work/one.lgu" --geometry stm32f405 --boot "$images/emulated-boot.bin" --key "$key" \
    -o "$work/flash.bin" >"$work/factory.log"

step "the factory's image, blocking, takes the async one"
power_on
await 'boot: slot A, Confirmed'
await 'app: build 01: slot A, Confirmed, counter 1'
send two 0 'version 1\.1\.0 is tried now'
await 'boot: slot A, Trial \{ attempt: 1, limit: 3 \}'
await 'app: build 02: slot A, Trial'
await 'app: build 02: confirmed'

step "what is refused by the async application, and leaves it running"
raw tampered 1 'block [0-9]+ is not the one that was signed'
raw truncated 2 'the package ends at byte [0-9]+'
send wrong-class 1 "class $other_class is not this device's"
send other-key 1 'valid signatures by trusted keys: 0, needed: 1'
send old-counter 1 "security counter 1 is below the device's 2"
send two 0 'already'

step "the async application takes the blocking one; power is cut again and again while it does"
for bytes in 20000 170000 170000; do
    raw three 3 'stopped' --stop-after $bytes
    power_off
    power_on
    await 'app: build 02: slot A'
done
raw three 0 'version 1\.2\.0 is tried now'
read -r sent size < <(sed -E 's/.*; ([0-9]+) of ([0-9]+) bytes/\1 \2/' "$work/send.log")
((sent < size / 2)) || die "the install did not go on at its checkpoint: $sent of $size bytes were sent again"
await 'app: build 03: confirmed'
power_off
power_on
await 'boot: slot A, Confirmed'
await 'app: build 03: slot A, Confirmed, counter 2'

step "what is refused by the blocking application"
raw tampered 1 'block [0-9]+ is not the one that was signed'
raw truncated 2 'the package ends at byte [0-9]+'
send wrong-class 1 "class $other_class is not this device's"
send other-key 1 'valid signatures by trusted keys: 0, needed: 1'
send old-counter 1 "security counter 1 is below the device's 2"

step "an image that finds out that it does not work, and one that never gets so far"
send broken 0 'version 1\.4\.0 is tried now'
await 'app: build 66: does not work, given up'
await 'app: build 03: slot A, Reverted'
send broken 1 'failed on this device|gave up|was tried'
send hangs 0 'version 1\.5\.0 is tried now'
for attempt in 1 2 3; do await "boot: slot A, Trial \\{ attempt: $attempt, limit: 3 \\}"; done
await 'app: build 03: slot A, Reverted'

step "power is cut while slots are exchanged"
send four 0 'version 1\.3\.0 is tried now'
cuts=0
for _ in 1 2 3 4 5 6; do
    boots=$(grep -c '^boot: ' "$work/console")
    sleep 0.1
    power_off
    # Nothing was started: the cut was in the boot stage, at hashing or at exchanging.
    [[ $(grep -c '^boot: ' "$work/console") -ne $boots ]] || cuts=$((cuts + 1))
    power_on
done
await 'app: build 04: (confirmed|slot A, Confirmed)'
power_off
((cuts > 0)) || die "no cut came while the boot stage was at it"
echo "four         $cuts of 6 cuts came before the boot stage had started an image"

echo
echo "all as expected; $(grep -c '^boot: ' "$work/console") boots"
