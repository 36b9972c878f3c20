import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StateRole, StateStore } from '../../src/application/ports/state-store.port.js';

const ROLES: readonly StateRole[] = ['statistics', 'live', 'image', 'stream', 'container_log', 'bgtask'];
const TOLERATED_CLOCK_MS = 120_000;

export interface StateStoreHarness {
  readonly store: StateStore;
  /** Lets so much time pass that whatever lives so long is over. */
  pass(seconds: number): Promise<void>;
  /** Wall-clock time as the store should see it. */
  nowMs(): number;
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

    it('sets the same fields of many hashes at once, with their time to live', async () => {
      const keys = Array.from({ length: 120 }, (_, n) => `many-hashes-${n}`);
      await store.setHash('live', keys[0]!, { kept: '1', presence: '0' });
      await store.setHashes('live', keys, { presence: '1' }, 1);
      await store.setHashes('live', [], { presence: '1' }, 1);
      expect(await store.getHash('live', keys[0]!)).toEqual({ kept: '1', presence: '1' });
      expect(await store.getHash('live', keys[119]!)).toEqual({ presence: '1' });
      await store.set('live', 'no-hash', '1');
      const refused = store.setHashes('live', [keys[1]!, 'no-hash'], { presence: '1' }, 1);
      await expect(refused).rejects.toMatchObject({ name: 'StateStoreError' });
      await harness.pass(1.1);
      expect(await store.getHash('live', keys[0]!)).toEqual({});
      expect(await store.getHash('live', keys[119]!)).toEqual({});
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

    it('removes fields of a hash, and the hash with its last one', async () => {
      await store.setHash('live', 'fields', { a: '1', b: '2', c: '3' });
      await store.deleteFields('live', 'fields', ['a', 'never']);
      await store.deleteFields('live', 'fields', []);
      expect(await store.getHash('live', 'fields')).toEqual({ b: '2', c: '3' });
      await store.deleteFields('live', 'fields', ['b', 'c']);
      await store.set('live', 'fields', 'now a string');
      await expect(store.deleteFields('live', 'fields', ['a'])).rejects.toMatchObject({ name: 'StateStoreError' });
      await store.deleteFields('live', 'no such hash', ['a']);
    });

    it('sets many at once, each with its own time to live', async () => {
      const bytes = Uint8Array.from([0, 255, 10]);
      await store.setMany('statistics', [
        { key: 'many-1', value: bytes, ttlSeconds: 1 },
        { key: 'many-2', value: 'two', ttlSeconds: 60 },
        { key: 'many-3', value: 'three' },
        { key: 'many-3', value: 'the later one' },
      ]);
      await store.setMany('statistics', []);
      expect([...((await store.get('statistics', 'many-1')) ?? [])]).toEqual([0, 255, 10]);
      await harness.pass(1.1);
      expect(await store.get('statistics', 'many-1')).toBeUndefined();
      expect(text(await store.get('statistics', 'many-2'))).toBe('two');
      expect(text(await store.get('statistics', 'many-3'))).toBe('the later one');
    });

    it('sets many thousands at once', async () => {
      const value = new Uint8Array(600).fill(7);
      await store.setMany(
        'statistics',
        Array.from({ length: 5_000 }, (_, index) => ({ key: `mass-${index}`, value, ttlSeconds: 60 })),
      );
      expect(await store.get('statistics', 'mass-4999')).toHaveLength(600);
    });

    it('appends to a list, which then lives as long as was said last', async () => {
      await store.append('container_log', 'list', ['a', Uint8Array.from([1])], 1);
      await store.append('container_log', 'list', [], 1);
      await store.append('container_log', 'list', ['c'], 60);
      expect(await store.lengthOf('container_log', 'list')).toBe(3);
      expect(await store.lengthOf('container_log', 'no such list')).toBe(0);
      await store.append('container_log', 'short-list', ['a'], 1);
      await harness.pass(1.1);
      expect(await store.lengthOf('container_log', 'list')).toBe(3);
      expect(await store.lengthOf('container_log', 'short-list')).toBe(0);
      await store.delete('container_log', ['list']);
      expect(await store.lengthOf('container_log', 'list')).toBe(0);
    });

    it('neither appends to nor counts what is no list, and leaves it as it was', async () => {
      const refusal = { name: 'StateStoreError', kind: 'operational' };
      await store.set('container_log', 'no-list', 'x', 60);
      await expect(store.append('container_log', 'no-list', ['y'], 60)).rejects.toMatchObject(refusal);
      await expect(store.lengthOf('container_log', 'no-list')).rejects.toMatchObject(refusal);
      expect(text(await store.get('container_log', 'no-list'))).toBe('x');
      await store.append('container_log', 'a-list', ['y'], 60);
      await expect(store.get('container_log', 'a-list')).rejects.toMatchObject(refusal);
      await expect(store.getHash('container_log', 'a-list')).rejects.toMatchObject(refusal);
    });

    it('gives what is there a new time to live', async () => {
      await store.set('bgtask', 'prolonged', '1', 1);
      await store.set('bgtask', 'shortened', '1');
      await store.expire('bgtask', 'prolonged', 60);
      await store.expire('bgtask', 'shortened', 1);
      await store.expire('bgtask', 'nothing', 60);
      await harness.pass(1.1);
      expect(text(await store.get('bgtask', 'prolonged'))).toBe('1');
      expect(await store.get('bgtask', 'shortened')).toBeUndefined();
      expect(await store.get('bgtask', 'nothing')).toBeUndefined();
    });

    it('tells its time, which goes on', async () => {
      const before = await store.time('live');
      expect(Math.abs(before - harness.nowMs())).toBeLessThan(TOLERATED_CLOCK_MS);
      await harness.pass(0.05);
      expect((await store.time('live')) - before).toBeGreaterThanOrEqual(50);
    });

    it.each([...ROLES, undefined])('tells how long it takes to be reached as %s', async (role) => {
      const ms = await store.probe(role);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(1_000);
    });
  });
}
