import { randomUUID } from 'node:crypto';
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
