import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StateRole, StateStore } from '../../src/application/ports/state-store.port.js';

const ROLES: readonly StateRole[] = ['statistics', 'live', 'image', 'stream', 'container_log', 'bgtask'];

export interface StateStoreHarness {
  readonly store: StateStore;
  /** Lets so much time pass that whatever lives so long is over. */
  pass(seconds: number): Promise<void>;
  close(): Promise<void>;
}

/** What StateStore promises while its server is there. */
export function stateStoreContract(title: string, open: () => Promise<StateStoreHarness>): void {
  describe(`StateStore: ${title}`, () => {
    let harness: StateStoreHarness;
    let store: StateStore;
    beforeAll(async () => {
      harness = await open();
      store = harness.store;
    });
    afterAll(() => harness.close());
    const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);

    it('gives back what was put in, byte for byte', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      await store.set('statistics', 'bytes', bytes);
      expect([...((await store.get('statistics', 'bytes')) ?? [])]).toEqual([...bytes]);
      await store.set('statistics', 'text', 'späße');
      expect(text(await store.get('statistics', 'text'))).toBe('späße');
    });

    it('keeps what it was given, not what the caller makes of it later', async () => {
      const bytes = Uint8Array.from([1, 2, 3]);
      await store.set('statistics', 'copy', bytes.subarray(1));
      bytes.fill(9);
      expect([...((await store.get('statistics', 'copy')) ?? [])]).toEqual([2, 3]);
    });

    it('knows nothing of a key that was never set', async () => {
      expect(await store.get('live', 'nothing')).toBeUndefined();
      expect(await store.getHash('live', 'nothing')).toEqual({});
    });

    it('keeps the roles apart', async () => {
      await Promise.all(ROLES.map((role) => store.set(role, 'same-key', role)));
      const values = await Promise.all(ROLES.map(async (role) => text(await store.get(role, 'same-key'))));
      expect(values).toEqual(ROLES);
    });

    it('deletes what is there, and doesn’t mind what isn’t', async () => {
      await store.set('image', 'a', '1');
      await store.setHash('image', 'b', { x: '1' });
      await store.delete('image', ['a', 'b', 'never']);
      await store.delete('image', []);
      expect(await store.get('image', 'a')).toBeUndefined();
      expect(await store.getHash('image', 'b')).toEqual({});
    });

    it('adds fields to a hash and overwrites old ones', async () => {
      await store.setHash('live', 'hash', { a: '1', b: '2' });
      await store.setHash('live', 'hash', { b: '3', c: '' });
      await store.setHash('live', 'hash', {});
      expect(await store.getHash('live', 'hash')).toEqual({ a: '1', b: '3', c: '' });
    });

    it('forgets after the time to live, and only then', async () => {
      await store.set('live', 'short', '1', 1);
      await store.setHash('live', 'short-hash', { a: '1' }, 1);
      await store.set('live', 'long', '1', 60);
      await store.setHash('live', 'kept-hash', { a: '1' });
      expect(text(await store.get('live', 'short'))).toBe('1');
      await harness.pass(1.1);
      expect(await store.get('live', 'short')).toBeUndefined();
      expect(await store.getHash('live', 'short-hash')).toEqual({});
      expect(text(await store.get('live', 'long'))).toBe('1');
      expect(await store.getHash('live', 'kept-hash')).toEqual({ a: '1' });
    });

    it('starts the time to live anew at each write; a write without one makes a value permanent', async () => {
      await store.set('live', 'renewed', '1', 1);
      await store.set('live', 'renewed', '2', 60);
      await store.set('live', 'permanent', '1', 1);
      await store.set('live', 'permanent', '2');
      await store.setHash('live', 'half', { a: '1' }, 1);
      await store.setHash('live', 'half', { b: '2' });
      await harness.pass(1.1);
      expect(text(await store.get('live', 'renewed'))).toBe('2');
      expect(text(await store.get('live', 'permanent'))).toBe('2');
      // A hash keeps its time when a field is added without one.
      expect(await store.getHash('live', 'half')).toEqual({});
    });

    it('refuses to read or extend a value of the other kind', async () => {
      await store.set('live', 'a-string', '1');
      await store.setHash('live', 'a-hash', { a: '1' });
      const refusal = { name: 'StateStoreError', kind: 'operational' };
      await expect(store.getHash('live', 'a-string')).rejects.toMatchObject(refusal);
      await expect(store.setHash('live', 'a-string', { a: '1' })).rejects.toMatchObject(refusal);
      await expect(store.setHash('live', 'a-string', { a: '1' }, 5)).rejects.toMatchObject(refusal);
      await expect(store.get('live', 'a-hash')).rejects.toMatchObject(refusal);
    });

    it('tells how long it takes to be reached', async () => {
      const ms = await store.probe();
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(1_000);
    });
  });
}
