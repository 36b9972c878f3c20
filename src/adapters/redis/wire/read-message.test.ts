import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readMessage } from './read-message.js';

interface Vector {
  readonly event: string;
  readonly generation: string;
  readonly channel_json?: string;
}

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../test/fixtures/events/vectors.json', import.meta.url), 'utf8'),
) as Vector[];
const GARBAGE = 5_000;
const SCOPE = 'user:f38dea23-50fa-42a0-b5ae-338f5f4693f4';

/** What a reader makes of it: nothing, a message, or an error that it throws. Anything else fails the test. */
function outcome(text: string): unknown {
  try {
    return readMessage(text);
  } catch (error) {
    return error instanceof Error ? 'refused' : error;
  }
}

describe('readMessage', () => {
  it.each(
    VECTORS.filter(({ event, channel_json: json }) => event.startsWith('do_volume') && json).map(
      (vector) => [`${vector.event} ${vector.generation}`, vector] as const,
    ),
  )('reads %s', (_title, { event, channel_json: json }) => {
    const isMount = event === 'do_volume_mount';
    const fs = { fsLocation: '10.0.0.9:/export', fsType: 'nfs', cmdOptions: 'rw', fstabPath: '/etc/fstab' };
    expect(readMessage(json ?? '')).toEqual({
      name: event,
      body: {
        ...{ dirName: 'vol1', volumeBackendName: 'volume1', quotaScopeId: SCOPE, scalingGroup: null, editFstab: false },
        ...(isMount ? fs : { fstabPath: null }),
      },
    });
  });

  it('fills in what may be left out', () => {
    const payload = { dir_name: 'd', volume_backend_name: 'v', quota_scope_id: SCOPE, fs_location: 'l', more: 1 };
    const text = JSON.stringify({ name: 'do_volume_mount', source: 'm', payload: JSON.stringify(payload) });
    expect(readMessage(text)?.body).toMatchObject({ fsType: 'nfs', cmdOptions: null, fstabPath: '/etc/fstab' });
  });

  it('passes over all that is for others', () => {
    const others = VECTORS.filter(({ event, channel_json: json }) => !event.startsWith('do_volume') && json);
    expect(others.map(({ channel_json: json }) => readMessage(json ?? ''))).toEqual(others.map(() => undefined));
    expect(readMessage('x'.repeat(10_000_000))).toBeUndefined();
  });

  it('refuses what is too large, nested, or not what it says', () => {
    const deep = Array.from({ length: 5_000 }).reduce<unknown>((inner) => [inner], 1);
    const bodies = [
      encode(Array.from({ length: 40 }, () => 'x')),
      encode([deep].slice(1)),
      Buffer.from([0xdd, 255, 255, 255, 255]),
    ];
    for (const body of [...bodies, Buffer.from('c1', 'hex'), encode({ a: 1 })]) {
      const args = Buffer.from(body).toString('base64');
      expect(outcome(JSON.stringify({ name: 'do_volume_mount', source: 'm', args }))).toBe('refused');
    }
    expect(outcome('{"name":"do_volume_mount","payload":"[[[["}')).toBe('refused');
    expect(outcome(`{"name":"do_volume_mount","payload":${'['.repeat(20_000)}`)).toBe('refused');
  });

  it(`survives ${GARBAGE} messages of garbage`, () => {
    const bodies = fc.oneof(
      fc.record({ payload: fc.oneof(fc.string(), fc.json()) }),
      fc.record({ args: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')) }),
      fc.record({ args: fc.string(), payload: fc.anything() }),
    );
    const names = fc.constantFrom('do_volume_mount', 'do_volume_unmount', 'do_volume_x', '__proto__');
    const like = fc.tuple(names, bodies).map(([name, body]) => JSON.stringify({ name, source: 'm', ...body }));
    const mutated = fc.tuple(like, fc.nat(), fc.string()).map(([text, at, part]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + part + text.slice(cut + part.length);
    });
    fc.assert(
      fc.property(fc.oneof(like, mutated, fc.string()), (text) => {
        const result = outcome(text);
        return result === undefined || result === 'refused' || typeof result === 'object';
      }),
      { numRuns: GARBAGE },
    );
  });
});
