import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileKernelStore } from '../../src/adapters/host/file-kernel-store.adapter.js';
import { MemoryKernelStore } from '../support/memory-kernel-store.js';
import { describeKernelStore } from './kernel-store.contract.js';

describeKernelStore('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kernel-store-'));
  return {
    store: new FileKernelStore(join(folder, 'kernels')),
    reopen: () => new FileKernelStore(join(folder, 'kernels')),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
});

describeKernelStore('memory', () => {
  const store = new MemoryKernelStore();
  return Promise.resolve({ store, reopen: () => store, [Symbol.asyncDispose]: () => Promise.resolve() });
});
