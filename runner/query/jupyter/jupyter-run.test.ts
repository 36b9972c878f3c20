import { describe, expect, it, vi } from 'vitest';
import type { Frame } from '../../wire/frames.js';
import type { ReceivedMessage } from './jupyter-client.js';
import { JupyterRun, systemExitCode } from './jupyter-run.js';

const message = (type: string, content: Record<string, unknown>, over: Partial<ReceivedMessage> = {}) =>
  ({ type, content, channel: 'iopub', id: 'x', parentId: 'run', header: {}, ...over }) as ReceivedMessage;
const idle = message('status', { execution_state: 'idle' });

function start() {
  const frames: Frame[] = [];
  const answer = vi.fn();
  const ask = vi.fn(() => Promise.resolve('Bob'));
  const run = new JupyterRun('run', { frame: (frame) => frames.push(frame), ask }, answer);
  return { run, frames, answer, ask };
}

describe('JupyterRun', () => {
  it('sends streams in order and ends when idle', async () => {
    const { run, frames } = start();
    run.receive(message('status', { execution_state: 'busy' }));
    run.receive(message('stream', { name: 'stdout', text: 'a' }));
    run.receive(message('stream', { name: 'stderr', text: 'b' }));
    run.receive(message('execute_result', { data: { 'text/plain': '2' } }));
    run.receive(idle);
    await expect(run.finished).resolves.toBe(0);
    run.tellResult();
    expect(frames.map(({ kind, payload }) => [kind, payload])).toEqual([
      ['stdout', 'a'],
      ['stderr', 'b'],
      ['stdout', '2'],
    ]);
  });

  it('tells the value of the last expression after what programs wrote late, and only once', () => {
    const { run, frames } = start();
    run.receive(message('execute_result', { data: { 'text/plain': '0' } }));
    run.receive(idle);
    run.receive(message('stream', { name: 'stdout', text: 'child\n' }));
    run.tellResult();
    run.tellResult();
    expect(frames.map(({ payload }) => payload)).toEqual(['child\n', '0']);
  });

  it('ignores messages of other requests', () => {
    const { run, frames } = start();
    run.receive(message('stream', { name: 'stdout', text: 'a' }, { parentId: 'other' }));
    expect(frames).toEqual([]);
    expect(run.started).toBe(false);
  });

  it('reports an error as one stderr text and exit code 1', async () => {
    const { run, frames } = start();
    run.receive(message('error', { ename: 'ValueError', evalue: 'x', traceback: ['one', 'two'] }));
    run.receive(idle);
    await expect(run.finished).resolves.toBe(1);
    expect(frames).toEqual([{ kind: 'stderr', payload: 'one\ntwo' }]);
  });

  it('answers a question with what was typed', async () => {
    const { run, frames, answer, ask } = start();
    const question = message('input_request', { prompt: 'name? ', password: true }, { channel: 'stdin' });
    run.receive(question);
    await vi.waitFor(() => expect(answer).toHaveBeenCalledWith(question, 'Bob'));
    expect(ask).toHaveBeenCalledWith(true);
    expect(frames).toEqual([{ kind: 'stdout', payload: 'name? ' }]);
  });

  it('cuts long text at whole characters', () => {
    const { run, frames } = start();
    const text = `x${'😀'.repeat(600_000)}`;
    run.receive(message('stream', { name: 'stdout', text }));
    expect(frames).toHaveLength(2);
    expect(frames.map((frame) => Buffer.from(frame.payload as string).toString()).join('')).toBe(text);
  });
});

describe('systemExitCode', () => {
  it.each([
    ['', 0],
    ['None', 0],
    ['3', 3],
    ['-1', -1],
    ['bad', 1],
    [undefined, 0],
  ])('%s', (value, code) => {
    expect(systemExitCode(value)).toBe(code);
  });
});
