"""A bare Jupyter client: starts an ipykernel, then answers each line "N" with the milliseconds of N runs of `1+1`.

A run ends as it does for a notebook: with the reply on the shell channel and the kernel's idle message.
"""

import json
import sys
import time

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)


def run_once():
    began = time.perf_counter()
    message_id = client.execute("1+1")
    idle = False
    while not idle:
        message = client.get_iopub_msg(timeout=30)
        idle = (
            message["parent_header"].get("msg_id") == message_id
            and message["msg_type"] == "status"
            and message["content"]["execution_state"] == "idle"
        )
    reply = client.get_shell_msg(timeout=30)
    assert reply["content"]["status"] == "ok"
    return (time.perf_counter() - began) * 1000


try:
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps([run_once() for _ in range(int(line))]), flush=True)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
