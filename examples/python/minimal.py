"""
A client of Parley on websocket-client alone: section 18 of the specification, for calls with one request, with JSON.

    minimal.py ws://localhost:8080/rpc parley.ping.v1.PingService/Ping '{"text": "hi"}'
"""
import json, sys, websocket

HELLO, OPEN, HEADER, DATA, END, RESET, WINDOW, ACK, PING, PONG, GOAWAY = range(1, 12)
ENDS, MORE, FLAGS = 0x10, 0x20, {OPEN: 0x10, DATA: 0x70}
MAX_FRAME = CREDIT = 16384  # CREDIT is that of each direction of a stream, before any WINDOW

def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)

def read_varint(data, at):
    value = shift = 0
    while data[at] >= 0x80:
        value, shift, at = value | (data[at] & 0x7F) << shift, shift + 7, at + 1
    return value | data[at] << shift, at + 1

def frame(head, stream, payload=b""):
    return bytes([head]) + varint(stream) + varint(len(payload)) + payload

def read_frames(data):
    at = 0
    while at < len(data):
        head, (stream, at) = data[at], read_varint(data, at + 1)
        size, at = read_varint(data, at)
        kind, flags = head & 15, head & 0xF0
        known = flags & 0x80 if kind > GOAWAY else kind and not flags & ~FLAGS.get(kind, 0)
        if not known or size > MAX_FRAME or at + size > len(data):
            raise ConnectionError("INTERNAL: a malformed frame has come")
        at += size
        yield kind, flags, stream, data[at - size : at]

def read_fields(block):
    at, fields = 0, {}
    while at < len(block):
        key, at = read_varint(block, at)
        value, at = read_varint(block, at)
        if key % 2:
            value, at = block[at : at + value], at + value
        fields[key] = value
    return fields

class Client:
    def __init__(self, url):
        self.socket = websocket.create_connection(url, subprotocols=["parley.v1"], timeout=25)
        if self.socket.getsubprotocol() != "parley.v1":
            raise ConnectionError(f"UNIMPLEMENTED: {url} does not speak parley.v1")
        self.socket.send_binary(frame(HELLO, 0))
        self.next_stream, self.frames = 1, self.receive()
        kind, _, _, hello = next(self.frames)
        if kind != HELLO:
            raise ConnectionError("INTERNAL: the first frame is not HELLO")
        self.socket.settimeout(min(25000, read_fields(hello).get(12, 25000)) / 1000)  # the keepalive

    def receive(self):
        while True:
            try:
                opcode, data = self.socket.recv_data()
            except websocket.WebSocketTimeoutException:
                self.socket.send_binary(frame(PING, 0, bytes(8)))
                opcode, data = self.socket.recv_data()  # or the link is lost
            if opcode != websocket.ABNF.OPCODE_BINARY or not data:
                raise ConnectionError(f"UNAVAILABLE: the link has ended: {data!r}")
            yield from read_frames(data)

    def call(self, method, request):
        message, stream, name = json.dumps(request).encode(), self.next_stream, method.encode()
        if len(message) + 32 > CREDIT:
            raise ValueError("RESOURCE_EXHAUSTED: the request needs more credit than this client has")
        self.next_stream += 2
        header = b"\x01" + varint(len(name)) + name + b"\x03\x04json"
        self.socket.send_binary(frame(OPEN, stream, header) + frame(DATA | ENDS, stream, message))
        message, consumed, limit = b"", 0, CREDIT
        for kind, flags, id, payload in self.frames:
            if kind == PING:
                self.socket.send_binary(frame(PONG, 0, payload))
            elif kind == OPEN:
                self.socket.send_binary(frame(END, id, b"\x02\x0c"))  # UNIMPLEMENTED
            elif kind == GOAWAY and stream > read_fields(payload).get(2, 0) or kind == RESET and id == stream:
                raise ConnectionError("UNAVAILABLE: the server has not finished the call: connect and call again")
            elif kind == END and id == stream and read_fields(payload).get(2):
                raise ConnectionError(f"status {read_fields(payload)[2]}: {read_fields(payload).get(1, b'').decode()}")
            elif kind == DATA and id == stream:
                message, consumed = message + payload, consumed + len(payload) + 32
                if consumed + CREDIT - limit >= CREDIT // 2:
                    limit = consumed + CREDIT
                    self.socket.send_binary(frame(WINDOW, stream, varint(limit)))
                if not flags & MORE:
                    yield json.loads(message)
                    message = b""
            if id == stream and (kind == END or flags & ENDS):
                return

if __name__ == "__main__":
    for response in Client(sys.argv[1]).call(sys.argv[2], json.loads(sys.argv[3])):
        print(json.dumps(response, ensure_ascii=False))
