import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { invalidArgument } from '../../domain/error/errors.js';
import { createLogger, type LoggerOptions } from './pino-logger.adapter.js';

describe('the logger', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'logger-'));
    file = join(folder, 'log', 'agent.log');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (options: Partial<LoggerOptions> = {}) =>
    createLogger({ agentId: 'i-1', level: 'info', file: { file, maxBytes: 0, backups: 0 }, ...options });
  const written = (): Record<string, unknown>[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('writes one JSON line at once, with its labels', () => {
    using logger = open();
    logger.child({ kernel_id: 'k-1' }).child({ request_id: 'r-1' }).info('kernel started', { elapsed_ms: 12 });
    expect(written()).toEqual([
      {
        ...{ level: 'info', agent_id: 'i-1', kernel_id: 'k-1', request_id: 'r-1', elapsed_ms: 12 },
        ...{ message: 'kernel started', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string },
      },
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it('leaves out what is below its level', () => {
    using logger = open({ level: 'warn' });
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
    expect(written().map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'c'],
      ['error', 'd'],
    ]);
  });

  it('appends to what is there', () => {
    {
      using logger = open();
      logger.info('first');
    }
    using logger = open();
    logger.info('second');
    expect(written().map(({ message }) => message)).toEqual(['first', 'second']);
  });

  it.each([
    ...['password', 'token', 'secret', 'authorization', 'secretKey', 'secretkey', 'private_key', 'code', 'Cookie'],
    ...['registry-password', 'X-BackendAI-Watcher-Token', 'environ', 'bootstrapScript', 'sshKeypair', 'api_key'],
  ])('redacts %s, wherever it is', (key) => {
    using logger = open();
    const fields = { [key]: 'hush', a: { [key]: { deep: 'hush' }, b: [{ [key]: ['hush'] }] } };
    logger.info('x', fields);
    logger.child(fields).info('y');
    expect(readFileSync(file, 'utf8')).not.toContain('hush');
    expect(readFileSync(file, 'utf8')).toContain('[redacted]');
  });

  it.each(['exit_code', 'status_code', 'tokens_used', 'kernel_id', 'error_code'])('does not redact %s', (key) => {
    using logger = open();
    logger.info('x', { [key]: 7 });
    expect(written()[0]).toMatchObject({ [key]: 7 });
  });

  it('tells an error with its causes; the stack only of an unexpected one', () => {
    using logger = open();
    const cause = Object.assign(new Error('no such file'), { code: 'ENOENT' });
    logger.error('a', { error: invalidArgument('bad', { cause }) });
    logger.error('b', { error: new TypeError('our bug') });
    const [expected, unexpected] = written().map(({ error }) => error as Record<string, unknown>);
    expect(expected).toMatchObject({ name: 'InvalidArgumentError', message: 'bad', cause: { errno: 'ENOENT' } });
    expect(expected).not.toHaveProperty('stack');
    expect(unexpected).toMatchObject({
      name: 'TypeError',
      stack: expect.stringContaining('pino-logger.test') as string,
    });
  });

  it('survives and bounds whatever it is given', () => {
    using logger = open();
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    logger.info('x', {
      ...{ loop, big: 12n, bytes: Buffer.alloc(9), fn: () => 1, none: undefined, map: new Map([[1, 2]]) },
      ...{ text: 'x'.repeat(100_000), list: Array.from({ length: 5_000 }, () => 1), time: 'mine', level: 'mine' },
    });
    const [line] = written();
    expect(line).toMatchObject({ big: '12', bytes: '[9 bytes]', map: '[1 items]', level: 'info', level_: 'mine' });
    expect(JSON.stringify(line).length).toBeLessThan(20_000);
  });
});
