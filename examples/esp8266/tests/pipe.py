"""Joins standard input and output, which QEMU gives a connection of the guest, to a port of this machine."""

import os
import socket
import sys
import threading


def up(connection):
    while data := os.read(0, 4096):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def main():
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    threading.Thread(target=up, args=(connection,), daemon=True).start()
    while data := connection.recv(4096):
        view = memoryview(data)
        while view:
            view = view[os.write(1, view):]


try:
    main()
except OSError:
    pass
