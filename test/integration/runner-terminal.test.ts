import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildRunner } from '../../scripts/build-runner.mjs';
import { NodeRunnerRuntime } from '../../src/adapters/runner-runtime/node-runner-runtime.adapter.js';
import { testImage } from '../support/images.js';
import { RunnerContainer } from '../support/runner-container.js';
import { TerminalClient, type TerminalClientOptions } from '../support/terminal-client.js';

const MEGABYTE = 1_000_000;

describe('the terminal of the runner', () => {
  const clients: TerminalClient[] = [];
  const started: RunnerContainer[] = [];
  let root: string;
  let runtime: NodeRunnerRuntime;
  let python: RunnerContainer;
  let port: number;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'runner-terminal-'));
    await buildRunner(join(root, 'bundle'));
    runtime = new NodeRunnerRuntime({ runtimeRoot: join(root, 'runtime'), bundleDirectory: join(root, 'bundle') });
    await runtime.prepare({ signal: AbortSignal.timeout(60_000) });
    python = await start('python');
    port = await python.portOf(7681);
  });
  /** No shell of one test is adopted by the next. */
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.leave('suddenly')));
    await service('shutdown');
    await service('start');
  });
  afterAll(async () => {
    await Promise.all(started.map((container) => container.remove()));
    await rm(root, { recursive: true, force: true });
  });

  async function start(image: 'python' | 'busybox' | 'musl'): Promise<RunnerContainer> {
    const container = await RunnerContainer.start(await testImage(image), runtime.launch('app', undefined), {
      environTxt: 'MINE=of the kernel\n',
      args: ['--publish', '127.0.0.1::7681'],
    });
    started.push(container);
    await container.ask('status', '', 'status');
    return container;
  }

  async function open(options?: TerminalClientOptions, at = port): Promise<TerminalClient> {
    const client = await TerminalClient.open(at, options);
    clients.push(client);
    return client;
  }

  async function service(what: 'start' | 'shutdown'): Promise<unknown> {
    if (what === 'shutdown') return python.send('shutdown-service', '"ttyd"');
    const request = { name: 'ttyd', port: 7681, ports: [7681], protocol: 'http', options: {} };
    return JSON.parse((await python.ask('start-service', JSON.stringify(request), 'service-result')).toString());
  }

  /** Processes of that name in the container. */
  const countOf = async (name: string): Promise<number> => {
    const { stdout } = await python.run('exec', `pgrep -c -f '${name.replace(/^(.)/, '[$1]')}' || true`);
    return Number(stdout);
  };

  it('has a page with all it needs, and answers what clients of ttyd ask', async () => {
    const page = await fetch(`http://127.0.0.1:${port}/`);
    const html = await page.text();
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-encoding')).toBe('gzip');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).toContain('The xterm.js authors');
    expect(html).not.toMatch(/<(?:script|link)[^>]+(?:src|href)="(?!data:,)/);
    const token = await fetch(`http://127.0.0.1:${port}/token`);
    expect(await token.json()).toEqual({ token: '' });
    expect((await fetch(`http://127.0.0.1:${port}/nothing`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' })).status).toBe(405);
  });

  it.each(['python', 'busybox', 'musl'] as const)('opens a login shell of the user in %s', async (image) => {
    const client = await open({}, image === 'python' ? port : await (await start(image)).portOf(7681));
    client.type('echo "$MINE, $TERM, $USER"; id -u; pwd; case $- in *i*) echo inter${NO}active;; esac\r');
    await client.see(/of the kernel, xterm-256color, work\r\n9001\r\n\/home\/work\r\ninteractive/);
    expect(client.titles[0]).toMatch(/^terminal \([0-9a-f]{12}\)$/);
  });

  it('has the size that the client has', async () => {
    const client = await open({ columns: 132, rows: 43 });
    client.type('stty size\r');
    await client.see('43 132');
    client.resize(77, 20);
    client.type('stty size\r');
    await client.see('20 77');
    client.resize(-1, 1e9);
    client.type('stty size\r');
    await client.see('1000 80');
  });

  it('gives each tab a shell of its own', async () => {
    const [one, other] = [await open(), await open()];
    one.type('NAME=one; tty; echo "I am $NAME"\r');
    other.type('tty; echo "I am ${NAME:-another}"\r');
    await one.see('I am one\r');
    await other.see('I am another\r');
    const terminal = /\/dev\/pts\/\d+/;
    expect((await one.see(terminal))[0]).not.toBe((await other.see(terminal))[0]);
  });

  it('takes and gives characters whole', async () => {
    const client = await open();
    // The bytes of ✓ are typed and printed one by one.
    client.type(`printf '\\342'; sleep 0.2; printf '\\234'; sleep 0.2; printf '\\223 printed\\n'\r`);
    await client.see('✓ printed');
    for (const byte of Buffer.from('echo "✓ 한글 ty""ped"\r')) client.type(Buffer.from([byte]));
    await client.see('✓ 한글 typed\r');
    expect(client.output.includes(Buffer.from('�'))).toBe(false);
  });

  it('gives 10 MB, and no more than somebody takes', async () => {
    const client = await open();
    await client.see('$ ');
    client.pause();
    client.type(`yes 0123456789abcdef | head -c ${10 * MEGABYTE}; echo all of ''it\r`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(client.output.length).toBeLessThan(MEGABYTE);
    expect(await countOf('head -c')).toBe(1);
    client.resume();
    client.stall(true);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await countOf('head -c')).toBe(1);
    client.stall(false);
    await client.see(/all of it\r/, 60_000);
    const lines = client.output
      .toString()
      .split('\r\n')
      .filter((line) => line === '0123456789abcdef');
    expect(lines).toHaveLength(Math.floor((10 * MEGABYTE) / 17));
  });

  it('is as it was for a tab that comes back, and goes on meanwhile', async () => {
    const session = 'the-first-tab';
    const tab = await open({ session });
    tab.type('KEPT=kept; seq 1 500; (sleep 1; echo mean""while) &\r');
    await tab.see(/500\r/);
    await tab.leave('suddenly');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const again = await open({ session, columns: 100, rows: 30 });
    await again.see(/\b17\r\n18\r[^]*500\r[^]*meanwhile/);
    again.forget();
    again.type('echo $KEPT; stty size\r');
    await again.see('kept\r\n30 100');
  });

  it('shows a full screen as it is, without asking again what was answered', async () => {
    const session = 'a-full-screen';
    const tab = await open({ session });
    tab.type(`printf '\\033[?1049h\\033[2J\\033[5;7Hsomewhere\\033[?2004h\\033[6n\\033]0;named\\007'; read -r line\r`);
    await tab.see('somewhere');
    await tab.leave();
    const again = await open({ session });
    await again.see('somewhere');
    const seen = again.output.toString();
    expect(seen).toContain('\x1b[?1049h');
    expect(seen).toContain('\x1b[?2004h');
    expect(seen).not.toContain('\x1b[6n');
    expect(again.titles).toContain('named');
  });

  it('gives a new tab the shell that was left, and one that is looked at to the last who asks', async () => {
    const first = await open();
    first.type('LEFT=here; echo do""ne\r');
    await first.see('done');
    await first.leave();
    const second = await open({ session: 'second-tab' });
    second.type('echo it is $LEFT\r');
    await second.see('it is here');
    const third = await open({ session: 'second-tab' });
    expect(await second.closed).toBe(4001);
    third.type('echo still $LEFT\r');
    await third.see('still here');
  });

  it('ends with its shell, whatever its exit code', async () => {
    const client = await open({ session: 'one-that-ends' });
    client.type('exit 3\r');
    expect(await client.closed).toBe(1000);
    const again = await open({ session: 'one-that-ends' });
    again.type('echo al""ive\r');
    await again.see('alive');
  });

  it('refuses pages of other sites, and nobody else', async () => {
    await expect(open({ headers: { Origin: 'https://evil.example' } })).rejects.toThrow('403');
    const proxied = { Origin: 'https://apps.example', 'X-Forwarded-Host': 'apps.example' };
    await (await open({ headers: proxied })).see('$ ');
    await (await open({ headers: { Origin: `http://127.0.0.1:${port}` } })).see('$ ');
  });

  it('ignores nonsense', async () => {
    const client = await open();
    for (const nonsense of ['1{', '1null', '9', '{"AuthToken":', '{"columns":7}']) client.send(nonsense);
    client.type('echo al""ive\r');
    await client.see('alive');
  });

  it('is a service that runs, can be ended and started again', async () => {
    expect(await service('start')).toEqual({ status: 'running' });
    const client = await open();
    client.type('sleep 1000\r');
    await client.see('sleep 1000');
    await service('shutdown');
    await service('shutdown');
    expect(await client.closed).toBe(1000);
    await expect(open()).rejects.toThrow();
    expect(await countOf('sleep 1000')).toBe(0);
    expect(await service('start')).toEqual({ status: 'started' });
    expect(await service('start')).toEqual({ status: 'running' });
    await (await open()).see('$ ');
  });

  it('lives on when its process is killed, and costs nothing until it is used', async () => {
    expect(await countOf('bai-ttyd')).toBe(0);
    for (let round = 0; round < 5; round += 1) {
      // From the second round on right after the end of the process, which the runner may not know yet.
      const client = await open();
      await client.see('$ ');
      expect(await countOf('bai-ttyd')).toBe(1);
      expect((await python.run('exec', 'pkill -9 bai-ttyd')).exitCode).toBe(0);
      await client.closed;
    }
    await (await open()).see('$ ');
    expect(await python.run('exec', 'echo alive')).toMatchObject({ stdout: 'alive\n', exitCode: 0 });
  });
});
