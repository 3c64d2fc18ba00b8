"""The whole story on the emulated chip, with its console: an update over HTTPS, a power cut, a trial, an impostor, a bad image, the UART."""

import sys

import machine
from bench import LOOKED, Bench, send

COLOUR = sys.stdout.isatty()


def tell(text):
    print(f"\n\033[1m{text}\033[0m" if COLOUR else f"\n== {text}", flush=True)


def console(said):
    for line in said.splitlines():
        if line:
            print(("\033[2m    {}\033[0m" if COLOUR and line.startswith("rom:") else "    {}").format(line), flush=True)


def main():
    bench = Bench()
    try:
        bench.serve("https-2")
        device = bench.device()
        tell("A device from the factory runs build 1, and its server has build 2. Power fails while it is written:")
        console(device.run(LOOKED, cut=(420, 7)))
        tell("Power is back. The device asks for what is missing, tries build 2, reaches its server again, and keeps it:")
        console(device.run(LOOKED))
        tell("Somebody else answers in the server's place, without a certificate:")
        bench.serve("https-3", certificate="none")
        console(device.run(LOOKED))
        tell("The server has build 9, properly signed. It hangs at its start:")
        bench.serve("https-hang")
        console(device.run(LOOKED))
        tell("The server has build 1 again:")
        bench.serve("https-1")
        console(device.run(LOOKED))
        tell("Another device has no network. `lockgate send` brings build 2 over its UART:")
        device = bench.device("flash-uart.bin")
        _, said, result = send(device, "uart-2")
        console(said)
        console(f"lockgate send: {result['outcome']}, {result['bytes']} bytes in {result['frames']} frames")
        console(device.run(r"build 2 in slot B, confirmed, counter 2\n|app: confirmed\n"))
    except machine.Failed as error:
        sys.exit(f"error: {error}")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
