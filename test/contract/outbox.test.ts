import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileOutbox } from '../../src/adapters/host/file-outbox.adapter.js';
import { SystemIdGenerator } from '../../src/adapters/host/system-id-generator.adapter.js';
import { silentTelemetry } from '../support/fake-node.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { realClock } from '../support/real-clock.js';
import { outboxContract } from './outbox.contract.js';

outboxContract('file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-'));
  const opened: FileOutbox[] = [];
  const open = async () => {
    const outbox = await FileOutbox.open({
      ...{ path: join(folder, 'outbox'), clock: realClock, ids: new SystemIdGenerator() },
      ...{ logger: new MemoryLogger(), telemetry: silentTelemetry },
    });
    opened.push(outbox);
    return outbox;
  };
  return {
    outbox: await open(),
    reopen: open,
    close: async () => {
      for (const outbox of opened) await outbox[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
});
