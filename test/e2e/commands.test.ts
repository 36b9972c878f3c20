import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { AgentProcess } from '../support/agent-process.js';
import type { Daemon } from '../support/daemon.js';
import { testImage } from '../support/images.js';

interface Created {
  readonly kernel_id: string;
  readonly container_id: string;
  readonly service_ports: readonly { readonly host_ports: readonly number[] }[];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CONTAINER = /^[0-9a-f]{64}$/;
const NUMBER: unknown = expect.any(Number);
const UNKNOWN = '99999999-9999-4999-8999-999999999999';

let image: string;
let home: AgentHome;
let daemon: Daemon;
let kernel: Created;

/** Two lines on stderr, and nothing else anywhere. */
function expectError(ended: { stdout: string; stderr: string }, cause: RegExp, remedy = /\S/): void {
  expect(ended.stdout).toBe('');
  const lines = ended.stderr.split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^error: /);
  expect(lines[0]).toMatch(cause);
  expect(lines[1]).toMatch(/^ {2}→ /);
  expect(lines[1]).toMatch(remedy);
}

beforeAll(async () => {
  image = await testImage('python');
  home = await AgentHome.make();
  daemon = await home.startDaemon();
  kernel = await home.json<Created>('create', '--image', image, '--mem', '128m', '--port', '8000');
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
});

describe('ag create, kernels, status', () => {
  it('create tells what was made', () => {
    expect(kernel).toEqual({
      kernel_id: expect.stringMatching(UUID),
      container_id: expect.stringMatching(CONTAINER),
      kernel_host: '127.0.0.1',
      service_ports: [
        { name: 'sshd', protocol: 'tcp', container_ports: [2200], host_ports: [NUMBER], is_inference: false },
        { name: 'ttyd', protocol: 'http', container_ports: [7681], host_ports: [NUMBER], is_inference: false },
        {
          name: '8000',
          protocol: 'preopen',
          container_ports: [8000],
          host_ports: [NUMBER],
          is_inference: false,
        },
      ],
      timings_ms: {
        validate: NUMBER,
        image: NUMBER,
        slots: NUMBER,
        ports: NUMBER,
        scratch: NUMBER,
        container: NUMBER,
        start: NUMBER,
        runner: NUMBER,
        total: NUMBER,
      },
    });
  });

  it('kernels lists it, for programs and for people', async () => {
    expect(await home.json('kernels')).toEqual([
      {
        kernel_id: kernel.kernel_id,
        session_id: expect.stringMatching(UUID),
        state: 'RUNNING',
        image,
        container_id: kernel.container_id,
        slots: { cpu: '1', mem: String(128 * 1024 * 1024) },
        service_ports: kernel.service_ports,
        started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      },
    ]);
    const { stdout } = await home.ag('kernels');
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toContain(`${kernel.kernel_id.slice(0, 13)}  RUNNING  ${image}`);
  });

  it('status has the books', async () => {
    const status = await home.json<Record<string, Record<string, Record<string, string>>>>('status');
    expect(status).toEqual({
      agent_id: home.agentId,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      ready: true,
      slots: { total: expect.anything(), occupied: { cpu: '1', mem: '134217728' }, available: expect.anything() },
      // Two for the runner, one each for sshd, ttyd and port 8000.
      ports: { free: 55, used: 5 },
      kernels: { PREPARING: 0, RUNNING: 1, RESTARTING: 0, TERMINATING: 0, TERMINATED: 0 },
      dependencies: [{ group: 'container', component: 'docker', healthy: true, latency_ms: NUMBER, error: null }],
    });
    const { total, available } = status['slots']!;
    expect(Number(available!['cpu'])).toBe(Number(total!['cpu']) - 1);
    expect(Number(available!['mem'])).toBe(Number(total!['mem']) - 134_217_728);
    expect((await home.ag('status')).stdout).toContain('kernels: 1 RUNNING');
  });
});

describe('ag execute', () => {
  it('keeps the state between calls, and gives one document', async () => {
    expect(await home.ag('execute', kernel.kernel_id, '-c', 'x = 6')).toMatchObject({ status: 0, stdout: '' });
    const code = 'import sys\nprint("out")\nsys.stderr.write("err\\n")\nx * 7';
    expect(await home.json('execute', kernel.kernel_id, '-c', code)).toEqual({
      kernel_id: kernel.kernel_id,
      image,
      status: 'finished',
      exit_code: 0,
      console: [
        ['stdout', 'out\n'],
        ['stderr', 'err\n'],
        ['stdout', '42'],
      ],
      result: '42',
      usage: {
        cpu_ms: NUMBER,
        mem_peak_bytes: NUMBER,
        net_rx_bytes: NUMBER,
        net_tx_bytes: NUMBER,
        io_read_bytes: NUMBER,
        io_write_bytes: NUMBER,
      },
      timings_ms: { execute: NUMBER },
    });
  });

  it('takes the beginning of a kernel id, and a program from standard input', async () => {
    await using process = home.start('execute', kernel.kernel_id.slice(0, 4).toUpperCase(), '-');
    process.type('print(x + 1)\n');
    process.endInput();
    expect(await process.ended).toEqual({ status: 0, stdout: '7\n', stderr: '' });
  });

  it('a program that fails is status 1, with its traceback on stderr', async () => {
    const { status, stdout, stderr } = await home.ag('execute', kernel.kernel_id, '-c', '1 / 0');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('ZeroDivisionError');
  });

  it('a program that takes too long is told so, and the kernel goes on', async () => {
    const late = await home.ag('execute', kernel.kernel_id, '--timeout', '0.5', '-c', 'import time; time.sleep(60)');
    expect(late).toMatchObject({ status: 1 });
    expect(late.stderr).toContain('stopped at its time limit');
    expect(await home.ag('execute', kernel.kernel_id, '-c', 'print(x)')).toMatchObject({ status: 0, stdout: '6\n' });
  });
});

describe('memory that runs out', () => {
  const fill = 'blocks = []\nwhile True: blocks.append(bytearray(8 << 20))';

  it('is told of the run that it ended, not of the next one', async () => {
    const { status, stdout } = await home.ag('execute', kernel.kernel_id, '--json', '-c', fill);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'oom', result: null });
    expect((await home.ag('kernels')).stdout).toContain('RUNNING (oom)');
    const next = await home.ag('execute', kernel.kernel_id, '--json', '-c', '1 / 0');
    expect(JSON.parse(next.stdout)).toMatchObject({ status: 'exception' });
    expect((await home.ag('kernels')).stdout).not.toContain('oom');
  });
});

describe('ag logs, events', () => {
  it('logs -f goes on until Ctrl-C, which is no failure', async () => {
    await using following = home.start('logs', '-f', kernel.kernel_id);
    const marker = 'written by the container itself';
    // The log is what is written to the container's console.
    const exec = await home.docker.getContainer(kernel.container_id).exec({
      Cmd: ['python3', '-c', `open("/dev/pts/0", "w").write("${marker}\\n")`],
      User: '0:0',
    });
    await exec.start({ Detach: true });
    await following.until(({ stdout }) => stdout.includes(marker));
    following.send('SIGINT');
    expect((await following.ended).status).toBe(0);
    expect((await home.ag('logs', '--tail', '1', kernel.kernel_id)).stdout).toBe(`${marker}\r\n`);
  });

  it('events tells what happened, and with -f what happens', async () => {
    const { stdout } = await home.ag('events');
    const names = stdout.split('\n').map((line) => line.split(' ')[1]);
    for (const name of ['agent_started', 'kernel_preparing', 'kernel_creating', 'kernel_started'])
      expect(names).toContain(name);
    await using following = home.start('events', '-f', '--json');
    await following.until((process) => process.stdout.includes('"kernel_usage"'));
    following.send('SIGINT');
    const ended = await following.ended;
    expect(ended.status).toBe(0);
    const events = ended.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number; name: string; timestamp: string; body: { kernel_id?: string } });
    expect(events.find(({ name }) => name === 'kernel_started')?.body.kernel_id).toBe(kernel.kernel_id);
    const ids = events.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });
});

describe('what is wrong is said in two lines', () => {
  it.each([
    [2, ['execute', 'zzz', '-c', '1'], /'zzz' is no kernel id/, /beginning/],
    [2, ['execute', UNKNOWN, '-c', '1'], /there is no kernel/, /ag kernels/],
    [2, ['destroy', UNKNOWN], /there is no kernel/, /ag kernels/],
    [2, ['execute', UNKNOWN], /no program is given/, /-c CODE/],
    [2, ['create', '--mem', '12 apples'], /12 apples/, /512m/],
    [2, ['create', '--cpu', '0'], /--cpu/, /above 0/],
    [2, ['create', '--bogus'], /unknown option '--bogus'/, /--help/],
    [2, ['nonsense'], /unknown command 'nonsense'/, /--help/],
    [2, ['logs', '--tail', 'many', UNKNOWN], /--tail/, /whole number/],
  ])('status %i: ag %s', async (status, args, cause, remedy) => {
    const ended = await home.ag(...args);
    expectError(ended, cause, remedy);
    expect(ended.status).toBe(status);
  });

  it.each([
    ['1000 cores', ['--cpu', '1000'], /cpu/],
    ['memory below the least', ['--mem', '1k'], /mem/],
    ['a slot that is not here', ['--slot', 'cuda.device=1'], /cuda\.device/],
    ['a mount of the root', ['--mount', '/:/home/work/all'], /\//],
  ])('the agent refuses %s, and makes nothing', async (_, options, cause) => {
    const ended = await home.ag('create', '--json', '--image', image, ...options);
    expectError(ended, cause);
    expect(ended.status).toBe(2);
    expect(await home.containers()).toEqual([kernel.container_id]);
    expect(await home.json('kernels')).toHaveLength(1);
  });

  it('an image that is nowhere is told before anything is made', async () => {
    const ended = await home.ag('create', '--json', '--image', 'localhost:1/no-such-image:1');
    expectError(ended, /localhost:1\/no-such-image:1/, /registry/);
    expect(ended.status).toBe(3);
    expect(await home.containers()).toEqual([kernel.container_id]);
  });

  it('an agent that does not run is status 3', async () => {
    await using elsewhere = await AgentHome.make();
    const ended = await elsewhere.ag('kernels');
    expectError(ended, /no agent runs on this host/, /start-server/);
    expect(ended.status).toBe(3);
  });

  it.each([['start-server'], ['run', '-c', '1']])('no container engine is status 3: ag %s', async (...args) => {
    await using elsewhere = await AgentHome.make();
    const [command = '', ...rest] = args;
    const words = ['ag', command, '--config', elsewhere.configFile, ...rest];
    await using process = new AgentProcess(words, { DOCKER_HOST: `unix://${elsewhere.folder}/none.sock` });
    const { status, stdout, stderr } = await process.ended;
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toMatch(/^error: The container engine .*ENOENT.*\n {2}→ .*start the engine/m);
  });

  it('something else on the port of the agent is status 3', async () => {
    await using elsewhere = await AgentHome.make({ httpPort: kernel.service_ports.at(-1)!.host_ports[0]! });
    await home.ag('execute', kernel.kernel_id, '-c', SERVE);
    const ended = await elsewhere.ag('kernels');
    expectError(ended, /is not a Backend\.AI agent/, /service-addr/);
    expect(ended.status).toBe(3);
  });

  it('help is no failure, and tells examples', async () => {
    await using process = new AgentProcess(['ag', 'run', '--help']);
    const { status, stdout, stderr } = await process.ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Examples:\n  ./backend.ai ag run');
  });
});

describe('ag restart, destroy', () => {
  it('restart gives a new container with the old files, ports and slots', async () => {
    await home.ag('execute', kernel.kernel_id, '-c', 'open("/home/work/kept", "w").write("kept")');
    const restarted = await home.json<Created>('restart', kernel.kernel_id.slice(0, 8));
    expect(restarted).toMatchObject({ kernel_id: kernel.kernel_id, service_ports: kernel.service_ports });
    expect(restarted.container_id).not.toBe(kernel.container_id);
    expect(await home.containers()).toEqual([restarted.container_id]);
    const code = 'print(open("/home/work/kept").read(), "x" in globals())';
    expect((await home.ag('execute', kernel.kernel_id, '-c', code)).stdout).toBe('kept False\n');
    expect(await home.json('status')).toMatchObject({
      slots: { occupied: { cpu: '1', mem: '134217728' } },
      ports: { used: 5 },
    });
  });

  it('destroy leaves nothing', async () => {
    const { status, stderr } = await home.ag('destroy', kernel.kernel_id);
    expect(status).toBe(0);
    expect(stderr).toContain(`✓ destroy ${kernel.kernel_id}`);
    expect(await home.json('kernels')).toEqual([]);
    expect((await home.ag('kernels')).stdout).toBe('no kernels\n');
    expect(await home.json('status')).toMatchObject({
      slots: { occupied: { cpu: '0', mem: '0' } },
      ports: { used: 0 },
    });
    expect(await home.containers()).toEqual([]);
    expect(await home.scratches()).toEqual([]);
    expect(await daemon.story(kernel.kernel_id)).toEqual([
      'kernel_preparing',
      'kernel_creating',
      'kernel_started',
      'kernel_started',
      'kernel_terminated',
    ]);
    expect(await home.ag('destroy', kernel.kernel_id)).toMatchObject({ status: 2 });
  });
});

/** An HTTP server in the kernel that is no agent; the code returns when it listens. */
const SERVE = `
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
    def log_message(self, *args): pass
    def address_string(self): return ""
import socketserver
socketserver.TCPServer.allow_reuse_address = True
server = socketserver.TCPServer(("0.0.0.0", 8000), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()`;
