import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { IdentityLock } from './identity-lock.js';

it('is held once for each id, and can be taken again when it is let go', async () => {
  const id = `i-${randomUUID()}`;
  const first = await IdentityLock.acquire(id);
  await expect(IdentityLock.acquire(id)).rejects.toMatchObject({ name: 'AgentAlreadyRunningError', field: 'agent.id' });
  await using other = await IdentityLock.acquire(`${id}-other`);
  await first[Symbol.asyncDispose]();
  await using second = await IdentityLock.acquire(id);
  expect([second, other]).toHaveLength(2);
});

it('takes the longest id that a configuration may have, with what an embedded agent adds', async () => {
  const id = `${'x'.repeat(64)}-embedded-4194304`;
  await using lock = await IdentityLock.acquire(id);
  expect(lock).toBeDefined();
  await expect(IdentityLock.acquire(id)).rejects.toMatchObject({ name: 'AgentAlreadyRunningError' });
});
