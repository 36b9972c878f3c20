import 'reflect-metadata';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.js';
import { MemoryLogger } from '../../../test/support/memory-logger.js';
import { KERNEL_ID, kernelSpec } from '../../../test/support/kernel-records.js';
import { EmbeddedStateStore } from '../../adapters/embedded/embedded-state-store.adapter.js';
import { stateStoreFailure } from '../../domain/error/errors.js';
import { Kernel } from '../../domain/kernel/kernel.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { LiveKernel } from '../kernel/live-kernel.js';
import { CommitStatus } from './commit-status.js';

const KEY = `kernel.${KERNEL_ID}.commit`;

describe('CommitStatus', () => {
  let clock: ManualClock;
  let state: EmbeddedStateStore;
  let registry: KernelRegistry;
  let status: CommitStatus;
  const live = new LiveKernel(new Kernel(kernelSpec(), 0));
  const told = async () => Buffer.from((await state.get('statistics', KEY)) ?? '').toString();

  beforeEach(() => {
    clock = new ManualClock();
    state = new EmbeddedStateStore(clock);
    registry = new KernelRegistry();
    registry.add(live);
    status = new CommitStatus(registry, state, clock, new MemoryLogger());
  });

  it('is there for others as long as the commit goes on, and gone with it', async () => {
    const hold = status.hold(KERNEL_ID, 'u');
    expect(status.of(KERNEL_ID, 'u')).toBe('ongoing');
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(1_000);
      expect(await told()).toBe('ongoing');
    }
    await hold[Symbol.asyncDispose]();
    expect(await told()).toBe('');
    expect(status.of(KERNEL_ID, 'u')).toBe('ready');
    expect(clock.pending).toBe(0);
  });

  it('is of a kernel that is there, or that was when its commit began', async () => {
    const hold = status.hold(KERNEL_ID, 'u');
    registry.delete(live);
    expect(status.of(KERNEL_ID, 'u')).toBe('ongoing');
    await hold[Symbol.asyncDispose]();
    expect(() => status.of(KERNEL_ID, 'u')).toThrow(expect.objectContaining({ name: 'KernelNotFoundError' }));
  });

  it('ends by itself with an agent that dies', async () => {
    status.hold(KERNEL_ID, 'u');
    await clock.advance(1);
    state.set = () => Promise.reject(stateStoreFailure('dead'));
    await clock.advance(20_000);
    expect(await told()).toBe('');
  });

  it('holds a kernel once at a time, and does so while the store is away', async () => {
    state.set = () => Promise.reject(stateStoreFailure('away'));
    state.delete = () => Promise.reject(stateStoreFailure('away'));
    const hold = status.hold(KERNEL_ID, 'u');
    await clock.advance(30_000);
    expect(() => status.hold(KERNEL_ID, 'other')).toThrow(expect.objectContaining({ name: 'ImageCommitError' }));
    await hold[Symbol.asyncDispose]();
    await status.hold(KERNEL_ID, 'other')[Symbol.asyncDispose]();
  });
});
