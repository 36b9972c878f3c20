import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigEntry, ConfigScope, ConfigSource } from '../../src/application/ports/config-source.port.js';

export interface ConfigSourceUnderTest {
  readonly source: ConfigSource;
  close(): Promise<void>;
}

/** What every ConfigSource promises; `open` gives one that holds nothing yet. */
export function configSourceContract(name: string, open: () => Promise<ConfigSourceUnderTest>): void {
  describe(`ConfigSource: ${name}`, () => {
    let tested: ConfigSourceUnderTest;
    let source: ConfigSource;
    const { signal } = new AbortController();
    beforeEach(async () => {
      tested = await open();
      ({ source } = tested);
    });
    afterEach(() => tested.close());

    const put = (path: string, value: string, scope: ConfigScope = 'global') =>
      source.put(path, value, { scope }, signal);
    const paths = (entries: readonly ConfigEntry[]) => entries.map(({ path }) => path.join('/')).sort();

    it('gives back what was put, and nothing once it was deleted', async () => {
      await put('config/a', 'one');
      await put('config/empty', '');
      expect(await source.get('config/a', signal)).toBe('one');
      expect(await source.get('config/empty', signal)).toBe('');
      expect(await source.get('config', signal)).toBeUndefined();
      await source.delete('config/a', 'global', signal);
      await source.delete('config/a', 'global', signal);
      expect(await source.get('config/a', signal)).toBeUndefined();
    });

    it('takes a single value from the most specific scope', async () => {
      await put('limit', 'global');
      expect(await source.get('limit', signal)).toBe('global');
      await put('limit', 'group', 'group');
      expect(await source.get('limit', signal)).toBe('group');
      await put('limit', 'node', 'node');
      expect(await source.get('limit', signal)).toBe('node');
    });

    it('merges a prefix by its top-level names: a more specific scope hides a name with all that is below it', async () => {
      await put('config/redis/addr', 'global:1');
      await put('config/redis/helper/a', '1');
      await put('config/redis/helper/b', '2');
      await put('config/redis/helper/b', 'group', 'group');
      await put('config/redis/addr', 'node:1', 'node');
      expect(await source.getPrefix('config/redis', signal)).toEqual({ addr: 'node:1', 'helper/b': 'group' });
      expect(await source.getPrefix('config', signal)).toEqual({ 'redis/addr': 'node:1' });
    });

    it('knows whole components only', async () => {
      await put('config/redis/addr', 'a:1');
      await put('config/redistribute/on', 'true');
      expect(await source.getPrefix('config/redis', signal)).toEqual({ addr: 'a:1' });
      expect(await source.getPrefix('config/redis/', signal)).toEqual({ addr: 'a:1' });
      expect(await source.getPrefix('config/red', signal)).toEqual({});
    });

    it('tells the own value of a prefix under no name', async () => {
      await put('volumes', 'itself');
      await put('volumes/_mount', '/mnt');
      expect(await source.getPrefix('volumes', signal)).toEqual({ '': 'itself', _mount: '/mnt' });
    });

    it('keeps any text, in names and in values', async () => {
      const strange = "a b:c%2Fd!'()*+é\u{1F40B}";
      await put(`odd/${strange}`, `${strange}\n=`);
      const [entry] = await source.getEntries('odd', signal);
      expect(entry).toMatchObject({ path: [strange], value: `${strange}\n=` });
      expect(entry?.key).toContain('odd/');
    });

    it('deletes what is below a prefix, and nothing else', async () => {
      for (const path of ['sd/one/a', 'sd/one/b', 'sd/one', 'sd/oneself', 'sd/two/a']) await put(path, 'x');
      await source.deletePrefix('sd/one', 'global', signal);
      expect(paths(await source.getEntries('sd', signal))).toEqual(['one', 'oneself', 'two/a']);
    });

    it('watches: what there is, then each change, until the signal fires', async () => {
      const stop = new AbortController();
      await put('nodes/manager/a', 'up');
      const seen: (readonly string[])[] = [];
      for await (const entries of source.watch('nodes/manager', stop.signal)) {
        seen.push(paths(entries));
        if (seen.length === 1) await put('nodes/manager/b', 'up');
        if (seen.length === 2) await source.deletePrefix('nodes/manager', 'global', signal);
        if (entries.length === 0) stop.abort();
      }
      expect(seen).toEqual([['a'], ['a', 'b'], []]);
    });

    it('misses no change between two looks of a watch', async () => {
      const stop = new AbortController();
      let looks = 0;
      for await (const entries of source.watch('seen', stop.signal)) {
        looks += 1;
        if (entries.some(({ value }) => value === '20')) stop.abort();
        else if (looks === 1) for (let number = 1; number <= 20; number++) await put('seen/number', String(number));
      }
      expect(looks).toBeGreaterThan(1);
    });

    it('ends a waiting watch at once', async () => {
      const stop = new AbortController();
      const watching = (async () => {
        for await (const entries of source.watch('quiet', stop.signal)) {
          expect(entries).toEqual([]);
          setTimeout(() => stop.abort(), 20);
        }
      })();
      await watching;
      expect(stop.signal.aborted).toBe(true);
    });

    it('tells the round trip', async () => {
      expect(await source.probe(signal)).toBeGreaterThanOrEqual(0);
    });

    it('obeys a signal that fired', async () => {
      const gone = AbortSignal.abort(new Error('leaving'));
      await expect(source.get('a', gone)).rejects.toThrow('leaving');
      await expect(source.getPrefix('a', gone)).rejects.toThrow('leaving');
      await expect(source.put('a', 'b', { scope: 'global' }, gone)).rejects.toThrow('leaving');
      await expect(source.delete('a', 'global', gone)).rejects.toThrow('leaving');
      await expect(source.deletePrefix('a', 'global', gone)).rejects.toThrow('leaving');
      await expect(source.probe(gone)).rejects.toThrow('leaving');
      for await (const entries of source.watch('a', gone)) expect.unreachable(String(entries.length));
    });
  });
}
