"""A load generator that costs little itself, since it runs on the cores of what it measures: the frames are made
beforehand but for the sequence number, and of an answer only its number and type are read.

usage: rpc_load.py ENDPOINT AGENT-PUBLIC-KEY MANAGER-PUBLIC-KEY MANAGER-SECRET-KEY
Each line of stdin asks for calls: {"method", "body" (base64), "answer" (type), "inFlight", "total"}.
"""

import base64
import json
import sys
import time

import zmq

ANSWER_MS = 10_000
TYPE_AT = 6


def run(socket: zmq.Socket, method: str, body: str, answer: int, in_flight: int, total: int) -> dict[str, object]:
    frame = base64.b64decode(body)
    name = method.encode()
    before = b"\x85\xa4type\x01\xa4meth" + bytes([0xA0 | len(name)]) + name + b"\xa4okey\xc4\x00\xa3seq\xce"
    at = len(before)
    clock = time.perf_counter
    sent_at = [0.0] * total
    times = [0.0] * total
    sent = 0

    def send() -> None:
        nonlocal sent
        sent_at[sent] = clock()
        # Wide numbers, which a server may write shorter than they were sent.
        socket.send_multipart((b"UPPER", before + (0x10000 + sent).to_bytes(4, "big") + b"\xa3zip\xc2", frame))
        sent += 1

    def awake() -> list[bytes]:
        until = clock() + ANSWER_MS / 1000
        while clock() < until:
            try:
                return socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                pass
        raise SystemExit(f"{method} was not answered within {ANSWER_MS} ms")

    began = clock()
    while sent < min(in_flight, total):
        send()
    # Alone it waits awake: being woken would be half of the time that a quick server is given.
    receive = awake if in_flight == 1 else socket.recv_multipart
    for got in range(total):
        _, header, _ = receive()
        if header[TYPE_AT] != answer:
            raise SystemExit(f"{method} was answered by type {header[TYPE_AT]}")
        times[got] = 1000 * (clock() - sent_at[int.from_bytes(header[at : at + 4], "big") - 0x10000])
        if sent < total:
            send()
    return {"perSecond": total / (clock() - began), "times": times}


def main() -> None:
    endpoint, server, public, secret = sys.argv[1:]
    socket = zmq.Context().socket(zmq.DEALER)
    socket.linger = 0
    socket.rcvtimeo = ANSWER_MS
    socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = server.encode(), public.encode(), secret.encode()
    socket.connect(endpoint)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        done = run(socket, asked["method"], asked["body"], asked["answer"], asked["inFlight"], asked["total"])
        print(json.dumps(done), flush=True)


main()
