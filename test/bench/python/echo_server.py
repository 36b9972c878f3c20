"""A server that only sends back what it got: below its round trip no server of this transport can get.

usage: echo_server.py ENDPOINT SECRET-KEY PUBLIC-KEY
"""

import json
import sys

import zmq


def main() -> None:
    endpoint, secret, public = sys.argv[1:]
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.curve_server = True
    socket.curve_secretkey, socket.curve_publickey = secret.encode(), public.encode()
    socket.bind(endpoint)
    print(json.dumps("ready"), flush=True)
    while True:
        socket.send_multipart(socket.recv_multipart())


main()
