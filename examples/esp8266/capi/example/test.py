"""Tests of the C library, under emulation: the example (main.c) as a project on the vendor's SDK, started by the boot stage, is fed packages.

One line for each promise; ends with 1 if one was not kept. `../../build.sh` builds what is tested."""

import pathlib
import re
import sys
import tempfile

EXAMPLE = pathlib.Path(__file__).absolute().parent
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE.parents[1] / "tests")]
from feed import feed  # noqa: E402
from machine import OUT, Failed, Machine, file  # noqa: E402

BUILD_1 = "build 1 in slot A, confirmed, counter 1"
BUILD_2 = "build 2 in slot B, confirmed, counter 2"
IDLE = r"app: idle\n"


def expect(condition, what, said=""):
    if not condition:
        raise Failed(f"not so: {what}\n{said}")


def wanted(said):
    return [int(offset) for offset in re.findall(r"want (\d+) \d+\n", said)]


def refused(device, package, *texts):
    """The package is refused with these texts, and build 1 goes on."""
    said = feed(device, package, IDLE)
    for text in texts:
        expect(text in said, f"it says {text!r}", said)
    expect("rst cause:3" not in said, "it does not restart", said)
    said = feed(device, b"", "want 0 ")
    expect(BUILD_1 in said, "build 1 is as it was", said)


def an_update_is_tried_confirmed_and_followed_by_the_next(device):
    said = feed(device(), file("capi-2.lgu"), "app: confirmed")
    order = [BUILD_1, "app: verified", "rst cause:3", "boot: slot B, on trial", "build 2 in slot B, on trial, attempt 1 of 3, counter 1"]
    expect(re.search(".*".join(map(re.escape, order)), said, re.S), f"in this order: {order}", said)
    said = feed(device(), file("capi-3.lgu"), "app: confirmed")
    expect(BUILD_2 in said and "build 3 in slot A, on trial" in said, "build 3 follows build 2", said)
    said = feed(device(), file("capi-2.lgu"), IDLE)
    expect("build 3 in slot A, confirmed, counter 3" in said, "build 3 is kept", said)
    expect("app: security counter too low (2, 3), position 0" in said, "there is no way back", said)


def an_update_by_delta_is_tried_confirmed_and_followed_by_the_next(device):
    said = feed(device(), file("capi-delta-2.lgu"), "app: confirmed")
    expect("app: verified" in said and "build 2 in slot B, on trial, attempt 1 of 3, counter 1" in said, "build 2 is made of build 1", said)
    said = feed(device(), file("capi-delta-3.lgu"), "app: confirmed")
    expect(BUILD_2 in said and "build 3 in slot A, on trial" in said, "build 3 is made of build 2", said)


def a_delta_of_another_image_is_refused(device):
    refused(device(), file("capi-delta-3.lgu"), "app: delta of another image (0, 0), position 0")


def a_tampered_signature_is_refused(device):
    package = bytearray(file("capi-2.lgu"))
    package[16 + 153 + 2 + 12 + 20] ^= 1  # of the signature
    refused(device(), package, "app: signature does not verify (0, 0), position 0")


def a_tampered_block_is_refused_each_time_it_is_fed_again(device):
    package = bytearray(file("capi-2.lgu"))
    package[40_000] ^= 1
    said = feed(device(), package, IDLE)
    again = re.findall(r"app: block is not the one that was signed \((\d+), 0\), again from byte (\d+)\n", said)
    expect(len(again) == 3 and len(set(again)) == 1, "the same block is refused three times", said)
    block, position = map(int, again[0])
    expect(position <= 40_000 < position + 1056 and wanted(said).count(position) == 2, "it is wanted again from its start", said)
    expect(position - block * 1056 < 512, f"it is block {block}: 1024 bytes and a link each, behind the head", said)
    said = feed(device(), file("capi-2.lgu"), "app: confirmed")
    expect(BUILD_1 in said and "build 2 in slot B, on trial" in said, "build 1 was as it was, and takes the genuine package", said)


def other_keys_and_other_devices_packages_are_refused(device):
    refused(device(), file("capi-wrong-class.lgu"), "app: for another class (0, 0), position 0")
    if (OUT / "capi-wrong-key.lgu").exists():
        refused(device(), file("capi-wrong-key.lgu"), "app: not signed by enough trusted keys (0, 1), position 0")
    refused(device(), b"GET / HTTP/1.1\r\n" * 100, "app: not a package (0, 0), position 0")


def a_build_that_hangs_is_reverted_by_the_watchdog_and_not_taken_again(device):
    said = feed(device(), file("capi-hang.lgu"), "build 1 in slot A, reverted")
    for attempt in (1, 2, 3):
        expect(f"build 9 in slot B, on trial, attempt {attempt} of 3" in said, f"attempt {attempt}", said)
    expect(said.count("rom: the watchdog bites") == 3, "the watchdog ends each", said)
    said = feed(device(), file("capi-hang.lgu"), IDLE)
    expect("app: failed on this device before" in said, "it is refused from then on", said)


def a_power_cut_costs_at_most_the_way_back_to_a_checkpoint(device):
    said = feed(device(), file("capi-2.lgu"), "want 4.... ")
    before = max(wanted(said))
    said = feed(device(), file("capi-2.lgu"), "app: confirmed")
    offsets = wanted(said)
    skipped = max(after - this for this, after in zip(offsets, offsets[1:]))
    expect(skipped > 20_000, f"most of {before} bytes need not be sent again ({skipped})", said)
    expect("build 2 in slot B, on trial" in said, "the update goes on", said)


def a_power_cut_between_the_last_byte_and_the_request_is_made_up_for(device):
    said = feed(device(), file("capi-2.lgu"), r"operations so far\n\nrom: rst cause:3")
    last = int(re.findall(r"; (\d+) flash operations so far", said)[-1])
    staged = 0
    for cut in range(last - 1, last + 1):
        for seed in range(4):
            lifetime = device(f"cut-{cut}-{seed}")
            said = feed(lifetime, file("capi-2.lgu"), "app: verified, restarting", cut=(cut, seed))
            expect("rom: power cut" in said, f"power is cut in operation {cut}", said)
            said = feed(lifetime, file("capi-2.lgu"), "app: confirmed")
            expect("build 2 in slot B, on trial" in said, "the update is not lost", said)
            if "app: the update was complete" in said:
                staged += 1
                expect(not wanted(said), "nothing is sent again", said)
    expect(staged, "lockgate_staged is what makes up for it at times")


def no_code_of_the_library_is_in_instruction_ram_but_the_two_that_must(_):
    placed = r"^ \.\S+\s+0x0*(4\w{7})\s+0x(\w+) \S*liblockgate_esp8266\.a\((\S+)\.o\)$"
    parts = [(int(at, 16), int(size, 16), member) for at, size, member in re.findall(placed, (OUT / "capi-1.map").read_text(), re.M)]
    in_ram = {member for at, size, member in parts if size and at < 0x40200000}
    expect(in_ram == {"capi-start", "capi-cache"}, f"instruction RAM holds {sorted(in_ram)}")
    in_flash = sum(size for at, size, _ in parts if at >= 0x40200000)
    print(f"      {in_flash} bytes of the library in flash, {sum(size for at, size, _ in parts if at < 0x40200000)} in instruction RAM")
    expect(50_000 < in_flash < 90_000, "the rest is in flash, and is not more than it should be")


def the_header_tells_the_stack_that_is_needed(device):
    said = feed(device("stack", "flash-capi-stack.bin"), file("capi-stack-2.lgu"), "app: confirmed")
    last = int(re.findall(r"; (\d+) flash operations so far\n\nrom: rst cause:3", said)[0])
    for seed in range(4):
        lifetime = device(f"staged-{seed}", "flash-capi-stack.bin")
        feed(lifetime, file("capi-stack-2.lgu"), "app: verified, restarting", cut=(last - 1, seed))
        said += feed(lifetime, file("capi-stack-2.lgu"), "app: confirmed")
    expect("stack: staged" in said, "lockgate_staged is measured, too", said)
    said += feed(device("delta", "flash-capi-stack.bin"), file("capi-stack-delta-2.lgu"), "app: confirmed")
    said += feed(device("own-stack", "flash-capi-own-stack.bin"), file("capi-stack-2.lgu"), "app: verified").replace("stack: ", "own: ")
    header = (EXAMPLE.parent / "include" / "lockgate.h").read_text()
    most, longest = {}, {}
    for where, name, size, instructions in re.findall(r"(stack|own): (\w+) (\d+) bytes, (\d+) instructions\n", said):
        most[where, name] = max(most.get((where, name), 0), int(size))
        longest[name] = max(longest.get(name, 0), int(instructions))
    for (where, name), size in sorted(most.items()):
        of = "a caller's stack that is not used" if where == "own" else f"stack, {longest[name]:,} instructions at most"
        print(f"      {name}: {size} bytes of {of}")
        if where == "own":
            expect(size <= 512, f"{name} leaves the caller's stack alone", said)
        else:
            comments = re.findall(r"/\*((?:(?!\*/).)*)\*/\s*int lockgate_(\w+)\(", header, re.S)
            told = next((re.search(r"Stack: (\d+)", text) for text, function in comments if function == name), None)
            expect(told and int(told[1]) >= size, f"the header tells {size} bytes or more for lockgate_{name}")
    expect(most["stack", "feed"] + 1024 <= int(re.search(r"LOCKGATE_STACK_SIZE (\d+)", header)[1]), "1 KiB of the stack is left for the SDK")


PROMISES = (
    an_update_is_tried_confirmed_and_followed_by_the_next,
    an_update_by_delta_is_tried_confirmed_and_followed_by_the_next,
    a_delta_of_another_image_is_refused,
    a_tampered_signature_is_refused,
    a_tampered_block_is_refused_each_time_it_is_fed_again,
    other_keys_and_other_devices_packages_are_refused,
    a_build_that_hangs_is_reverted_by_the_watchdog_and_not_taken_again,
    a_power_cut_costs_at_most_the_way_back_to_a_checkpoint,
    a_power_cut_between_the_last_byte_and_the_request_is_made_up_for,
    no_code_of_the_library_is_in_instruction_ram_but_the_two_that_must,
    the_header_tells_the_stack_that_is_needed,
)


def main():
    failures = 0
    for promise in PROMISES:
        with tempfile.TemporaryDirectory(prefix="lockgate-") as directory:
            devices = {}

            def device(name="device", flash="flash-capi.bin"):
                if name not in devices:
                    devices[name] = Machine(pathlib.Path(directory) / name, flash)
                return devices[name]

            try:
                promise(device)
                print(f"ok    {promise.__name__.replace('_', ' ')}", flush=True)
            except Failed as failure:
                failures += 1
                shorter = re.sub(r"(want .*\n){4,}", "want ...\n", str(failure))
                print(f"FAILED {promise.__name__.replace('_', ' ')}: {shorter}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
