import { describe, expect, it } from 'vitest';
import { ZeroMqKernelRunnerConnector } from '../../src/adapters/kernel-runner/zeromq-kernel-runner-connector.adapter.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { listenReplaying } from '../support/replaying-runner-peer.js';
import { describeKernelRunner } from './kernel-runner.contract.js';

const connector = new ZeroMqKernelRunnerConnector(new MemoryLogger());

describeKernelRunner('over ZeroMQ to a replay of the official runner', {
  connector,
  peer: listenReplaying,
  timeoutMs: 5000,
});

describe('KernelRunnerConnector', () => {
  it('connects at once, also when nobody listens yet', async () => {
    const started = performance.now();
    const runner = await connector.connect({ host: '127.0.0.1', replInPort: 1, replOutPort: 1 });
    await runner[Symbol.asyncDispose]();
    expect(performance.now() - started).toBeLessThan(100);
  });
});
