import { readFileSync } from 'node:fs';
import { decode, ExtensionCodec } from '@msgpack/msgpack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, plausibleUseCases } from '../support/plausible-use-cases.js';
import { RawPeer, type ScriptedServer, startScripted } from '../support/rpc-peer.js';

/** One side of a call between a real Manager 26.9.6 and the reference agent, as it went over the wire. */
interface Recorded {
  readonly method: string;
  readonly variant: number;
  readonly what: 'request' | 'response';
  readonly type: string;
  readonly header_b64: string;
  readonly body_b64: string;
}

const RECORDED = readFileSync(new URL('../fixtures/rpc/manager-frames.ndjson', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Recorded);
const requests = RECORDED.filter(({ what }) => what === 'request');
const responseTo = (request: Recorded): Recorded | undefined =>
  RECORDED.find(
    ({ method, variant, what }) => what === 'response' && method === request.method && variant === request.variant,
  );

/** Extensions of the reference's answers, which ours never has: Python values, told by us as texts. */
const lenient = new ExtensionCodec();
for (const type of [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17]) {
  lenient.register({ type, encode: () => null, decode: () => '(ext)' });
}
const inner = (body: Uint8Array): { readonly meta: Uint8Array; readonly body: Uint8Array | null } =>
  decode(body) as { meta: Uint8Array; body: Uint8Array | null };

/**
 * The kind of a value: of a map its keys with their kinds, of an array that of its first item. What may be absent or
 * nil in one of two answers is left to `agree`.
 */
function shapeOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== 'object' || value === null) return value === null ? 'nil' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}

/** Where two answers differ in kind. Nil agrees with everything: it stands for "nothing to say". */
function differences(ours: unknown, theirs: unknown, at = ''): string[] {
  if (ours === 'nil' || theirs === 'nil') return [];
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    return ours.length === 0 || theirs.length === 0 ? [] : differences(ours[0], theirs[0], `${at}[]`);
  }
  if (typeof ours === 'object' && typeof theirs === 'object' && ours !== null && theirs !== null) {
    return Object.entries(theirs).flatMap(([key, kind]) =>
      key in ours ? differences((ours as never)[key], kind, `${at}.${key}`) : [`${at}.${key} is missing`],
    );
  }
  return ours === theirs ? [] : [`${at} is ${JSON.stringify(ours)}, the reference says ${JSON.stringify(theirs)}`];
}

describe('what a real Manager sent, sent again', () => {
  const asked: Asked[] = [];
  let server: ScriptedServer;
  let peer: RawPeer;
  beforeAll(async () => {
    server = await startScripted(plausibleUseCases(asked), { agentId: 'i-lab' });
    peer = new RawPeer(server.endpoint);
  });
  afterAll(async () => {
    peer[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  it.each(requests.map((request) => [`${request.method} ${request.variant}`, request] as const))(
    'is answered as the reference answered: %s',
    async (_, request) => {
      const before = asked.length;
      const header = Buffer.from(request.header_b64, 'base64');
      await peer.socket.send(['UPPER', header, Buffer.from(request.body_b64, 'base64')]);
      const [, replyHeader, replyBody] = (await peer.socket.receive()) as [Buffer, Buffer, Buffer];

      const expected = Buffer.from(header);
      expected[expected.indexOf('type') + 4] = 2;
      expect(replyHeader.toString('hex')).toBe(expected.toString('hex'));
      const { meta, body } = inner(replyBody);
      expect(Buffer.from(meta).toString('hex')).toBe('90');
      const ours = decode(body!);
      if (!['ping'].includes(request.method)) expect(asked.length).toBeGreaterThan(before);

      const recorded = responseTo(request);
      if (recorded?.type !== 'RESULT') return;
      const document = inner(Buffer.from(recorded.body_b64, 'base64')).body!;
      const theirs = decode(document, { extensionCodec: lenient });
      // Maps whose keys are data, not fields.
      const free = ['check_and_pull', 'scan_gpu_alloc_map'].includes(request.method);
      const values = (value: unknown): unknown => Object.values(value as object);
      expect(
        free
          ? differences(shapeOf(values(ours)), shapeOf(values(theirs)))
          : differences(shapeOf(ours), shapeOf(theirs)),
      ).toEqual([]);
    },
  );

  it('reached every use case with what was meant', () => {
    const of = (name: string): readonly unknown[] =>
      asked.filter(([first]) => first === name).flatMap(([, ...args]) => args);
    expect(of('createKernel')[0]).toMatchObject({
      sessionId: '0c3431f4-0d3f-4f15-b895-6d58cecf01aa',
      image: { canonical: '127.0.0.1:15000/lab/python:3.11-debian12', autoPull: 'tag' },
      environ: { LAB_VAR: 'läb ✓' },
      bootstrapScript: '#!/bin/sh\necho booted > /home/work/boot.txt\n',
      preopenPorts: [8_899],
      shmemBytes: 67_108_864,
    });
    expect(of('createKernel')).toHaveLength(3);
    expect(of('destroyKernel')[0]).toMatchObject({ reason: 'user-requested', suppressEvents: false });
    expect(of('kernelCare.triggerBatch')).toMatchObject([{ timeoutMs: null }, { timeoutMs: 3_000 }]);
    expect(of('images.commit')).toMatchObject([{ subfolder: 'admin_lablup.com', labels: {} }]);
    expect(of('execute')).toHaveLength(8);
  });
});
