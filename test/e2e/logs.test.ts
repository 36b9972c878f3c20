import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { testImage } from '../support/images.js';

it('the log is JSON lines with their labels, and holds no token, no user code and no value of an environment', async () => {
  const image = await testImage('python');
  const secret = (): string => randomUUID().replaceAll('-', '');
  const [inCode, inOutput, inEnvironment, wrongToken] = [secret(), secret(), secret(), secret()];
  await using home = await AgentHome.make();
  await using daemon = await home.startDaemon('--log-level', 'debug');
  const { kernel_id: kernelId } = await home.json<{ kernel_id: string }>(
    'create',
    ...['--image', image, '--mem', '128m', '--env', `PASSWORD=${inEnvironment}`],
  );
  const half = Math.floor(inOutput.length / 2);
  const print = `print("${inOutput.slice(0, half)}" + "${inOutput.slice(half)}")`;
  await home.ag('execute', kernelId, '-c', `x = "${inCode}"\n${print}`);
  await home.ag('execute', kernelId, '-c', `raise RuntimeError("${inCode}")`);
  await home.ag('execute', kernelId, '-c', `syntax error ${inCode}`);
  await daemon.http('POST', `/kernels/${kernelId}/execute`, { body: { code: inCode, mode: 'no such mode' } });
  await daemon.http('POST', `/kernels/${kernelId}/complete`, { body: { code: inCode } });
  await daemon.http('GET', `/status?token=${wrongToken}`, { token: wrongToken });
  await home.ag('execute', kernelId, '--timeout', '0.5', '-c', `import time\ntime.sleep(60) # ${inCode}`);
  await home.docker.getContainer((await home.containers())[0]!).kill();
  await expect.poll(async () => (await daemon.http('GET', '/kernels')).body, { timeout: 20_000 }).toEqual([]);
  await daemon.stop();

  const { stderr, stdout } = daemon.process;
  expect(stdout).toBe('');
  for (const hidden of [inCode, inOutput, inEnvironment, wrongToken, daemon.token])
    expect(stderr).not.toContain(hidden);
  const log = daemon.log;
  for (const line of log)
    expect(line).toMatchObject({
      level: expect.stringMatching(/^(debug|info|warn|error)$/),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      agent_id: home.agentId,
      message: expect.stringMatching(/\S/),
    });
  const of = (message: string) => log.filter((line) => line.message === message);
  expect(of('agent ready')).toHaveLength(1);
  expect(of('kernel started')).toMatchObject([{ kernel_id: kernelId, image }]);
  expect(of('kernel terminated')).toMatchObject([{ kernel_id: kernelId, reason: 'self-terminated' }]);
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});

it('goes to a file that makes room for itself if the configuration says so, and nowhere else', async () => {
  await using home = await AgentHome.make({
    agent: (folder) => `pid-file = "${join(folder, 'agent.pid')}"
[logging]
level = "DEBUG"
drivers = ["file"]
[logging.file]
path = "${join(folder, 'log')}"
filename = "backend.log"
rotation-size = "2K"
backup-count = 3`,
  });
  const folder = join(home.folder, 'log');
  await using daemon = await home.startDaemon();
  expect(readFileSync(join(home.folder, 'agent.pid'), 'utf8')).toBe(`${daemon.process.pid}\n`);
  await daemon.stop();
  expect(existsSync(join(home.folder, 'agent.pid'))).toBe(false);
  expect(daemon.process.stderr).toBe('');
  const files = readdirSync(folder).sort();
  expect(files.length).toBeGreaterThan(1);
  expect(files.slice(0, 2)).toEqual(['backend.log', 'backend.log.1']);
  const lines = files
    .toReversed()
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
    .map((line) => (JSON.parse(line) as { message: string }).message);
  expect(lines.at(-1)).toBe('stopped');
});

it.each([true, false])('is for people on the console if the configuration says so, in colours: %s', async (colored) => {
  await using home = await AgentHome.make({
    sections: `[logging.console]\nformat = "verbose"\ncolored = ${colored}`,
  });
  await using daemon = await home.startDaemon();
  await daemon.stop();
  const info = colored ? '\u001b[32mINFO\u001b[39m' : 'INFO';
  expect(daemon.process.stderr).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] /);
  expect(daemon.process.stderr).toContain(`${info}: `);
  expect(daemon.process.stderr.includes('\u001b[')).toBe(colored);
});
