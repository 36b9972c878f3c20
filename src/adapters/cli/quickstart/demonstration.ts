/** The programs of the quickstart. Python, since that is what its image has. */

export interface Piece {
  readonly label: string;
  readonly code: string;
  /** What must have come out: on stdout, on stderr, and the exit code. */
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
  readonly succeeds: boolean;
}

export const PIECES: readonly Piece[] = [
  {
    label: 'code with output and a value',
    code: "import platform\nprint('hello from', platform.node())\nx = 6\nx * 7",
    stdout: /hello from \S+\n(?:[^]*\n)?42\s*$/,
    succeeds: true,
  },
  { label: 'state kept between runs', code: "print('x is still', x)", stdout: /x is still 6/, succeeds: true },
  {
    label: 'exception with its traceback',
    code: 'def divide(a, b):\n    return a / b\n\ndivide(x, 0)',
    stderr: /ZeroDivisionError/,
    succeeds: false,
  },
];

/** Uses a bit of everything for about `seconds`: a core, 64 MiB, the network out of the container, the disk. */
export function workload(seconds: number): string {
  return `
import os, socket, struct, time
def gateway():
    for line in open('/proc/net/route').read().splitlines()[1:]:
        fields = line.split()
        if fields[1] == '00000000':
            return socket.inet_ntoa(struct.pack('<L', int(fields[2], 16)))
target, block, kept = gateway(), os.urandom(1 << 20), []
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
until = time.monotonic() + ${seconds}
with open('/home/work/workload.bin', 'wb', buffering=0) as file:
    while time.monotonic() < until:
        if len(kept) < 64:
            kept.append(bytearray(block))
        file.seek(0)
        file.write(block)
        os.fsync(file.fileno())
        if target:
            for _ in range(20):
                try:
                    sender.sendto(block[:1000], (target, 9))
                except OSError:
                    pass
        sum(range(2000000))
os.remove('/home/work/workload.bin')
print('worked')
`;
}

/**
 * Serves a page that nobody else could have. Not by `python3 -m http.server`, which looks its own name up before it
 * listens: seconds lost where no name server answers. Returns when the server listens.
 */
export function webServer(port: number, page: string): string {
  return `
import os, socket, subprocess, sys, time
os.makedirs('/home/work/site', exist_ok=True)
with open('/home/work/site/index.html', 'w') as file:
    file.write(${JSON.stringify(page)})
serve = '''
import http.server, os, socketserver
os.chdir('/home/work/site')
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('', ${port}), http.server.SimpleHTTPRequestHandler).serve_forever()
'''
server = subprocess.Popen([sys.executable, '-c', serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(100):
    try:
        socket.create_connection(('127.0.0.1', ${port}), timeout=1).close()
        break
    except OSError:
        time.sleep(0.05)
`;
}
