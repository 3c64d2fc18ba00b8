"""A loopback HTTPS server that behaves as it is told, well or badly."""

import dataclasses
import re
import socket
import ssl
import threading
import time

import nobody


@dataclasses.dataclass
class Behaviour:
    """What the server does. Mishaps happen to the first `times` connections, those in an answer to the first answers."""

    certificate: str = "good"  # a key of certificates.contexts, or "none"
    mishap: str = ""  # what goes wrong; see `_answer` and `_body`
    times: int = 10**9
    after: int = 60_000  # bytes of a body before it does; of the package, if it is damage


class Server:
    """Serves `package` under any path. `requests` keeps what was asked, `begged` the plain text a stranger was sent."""

    def __init__(self, contexts):
        self.contexts = contexts
        self.package = b""
        self.behaviour = Behaviour()
        self.requests = []
        self.begged = 0
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, package, **behaviour):
        self.package, self.behaviour = package, Behaviour(**behaviour)
        self.requests, self.begged, self.connections = [], 0, 0

    def _accept(self):
        while True:
            connection, _ = self._socket.accept()
            connection.settimeout(60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection):
        self.connections += 1
        behaviour = self.behaviour
        mishap = behaviour.mishap if self.connections <= behaviour.times else ""
        try:
            if behaviour.certificate == "none":
                self.begged += nobody.serve(connection)
            elif mishap == "garbage instead of TLS":
                connection.sendall(b"HTTP/1.1 400 this is no TLS\r\n\r\n" * 8)
            elif mishap == "drips":
                connection.sendall(b"\x16\x03\x03\x04\x00")
                while True:
                    connection.sendall(b"\x02")
                    time.sleep(0.3)
            else:
                self._answer(Channel(connection, self.contexts[behaviour.certificate]))
        except (OSError, ssl.SSLError, EOFError):
            pass
        finally:
            connection.close()

    def _answer(self, channel):
        request = b""
        while b"\r\n\r\n" not in request:
            request += channel.receive()
        self.requests.append(request.decode())
        # A connection may break before it comes to an answer.
        mishap = self.behaviour.mishap if len(self.requests) <= self.behaviour.times else ""
        asked = re.search(rb"\r\nRange: bytes=(\d+)-\r\n", request)
        first = int(asked[1]) if asked and mishap != "range ignored" else 0
        answers = {
            "garbage instead of HTTP": b"\x00\xff" * 300,
            "redirect": b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "endless header": b"HTTP/1.1 200 OK\r\n" + b"X-Padding: 0123456789abcdef\r\n" * 400,
        }
        if mishap in answers:
            channel.send(answers[mishap])
            channel.end()
            return
        body = self.package[first:]
        head = f"HTTP/1.1 {206 if first else 200} Fine\r\nContent-Length: {len(body)}\r\n"
        if first:
            head += f"Content-Range: bytes {first}-{len(self.package) - 1}/{len(self.package)}\r\n"
        channel.send(head.encode() + b"\r\n")
        if mishap == "tampered" and first <= self.behaviour.after:
            at = self.behaviour.after - first
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
        self._body(channel, body, mishap)

    def _body(self, channel, body, mishap):
        after = self.behaviour.after
        if mishap in ("silent", "cut inside a record", "ended early"):
            channel.send(body[:after])
            if mishap == "silent":
                time.sleep(45)
            elif mishap == "cut inside a record":
                channel.send_half(body[after:after + 900])
            else:
                channel.end()
            return
        channel.send(body)
        channel.end()


class Channel:
    """TLS by hand, so that half a record can be sent."""

    def __init__(self, connection, context):
        self.connection = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self._until_done(self.tls.do_handshake)

    def _flush(self):
        if data := self.outgoing.read():
            self.connection.sendall(data)

    def _until_done(self, action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.connection.recv(4096)
                if not data:
                    raise EOFError from None
                self.incoming.write(data)
            finally:
                self._flush()

    def receive(self):
        return self._until_done(lambda: self.tls.read(4096))

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view[:4096]):]
            self._flush()

    def send_half(self, data):
        self.tls.write(data)
        record = self.outgoing.read()
        self.connection.sendall(record[: len(record) // 2])

    def end(self):
        try:
            self._until_done(self.tls.unwrap)
        except (OSError, ssl.SSLError, EOFError):
            pass
