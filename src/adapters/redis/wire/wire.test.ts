import { decode, ExtensionCodec } from '@msgpack/msgpack';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AgentEvent, AgentEventBodies } from '../../../domain/event/agent-event.js';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import type { TerminationReason } from '../../../domain/kernel/termination-reason.js';
import { readEnumWord, readSlotName } from '../../rpc/dialect/pickled-values.js';
import { EnumWord } from '../../rpc/dialect/wire-values.js';
import { toEnvelope, type WireGeneration } from './envelope.js';
import { argsOf } from './generation-a.js';

interface Vector {
  readonly event: AgentEvent['name'];
  readonly generation: WireGeneration;
  readonly direction: string;
  readonly library: string;
  readonly delivery: 'anycast' | 'broadcast';
  readonly stream_fields?: Readonly<Record<string, string | { readonly b64: string }>>;
  readonly channel_json?: string;
}

/** A message as it goes out: its texts, and its binary body in generation A. */
interface Message {
  readonly texts: Readonly<Record<string, string>>;
  readonly args: Uint8Array | undefined;
}

/** Made by the real libraries of 26.9.6, 26.8.3 and 26.4.16. */
const VECTORS = (
  JSON.parse(
    readFileSync(new URL('../../../../test/fixtures/events/vectors.json', import.meta.url), 'utf8'),
  ) as Vector[]
).filter(({ direction }) => direction === 'from agent');

const SENDER = { agentId: 'i-node01', resourceGroup: 'default', rpcAddress: 'tcp://10.0.0.5:6001' };
/** We tell no images in the heartbeat, since Managers look for them elsewhere. */
const UNUSED = ['images'];
const KERNEL = parseKernelId('11111111-1111-4111-8111-111111111111');
const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');

function expected(vector: Vector): Message {
  if (vector.stream_fields) {
    const texts = Object.entries(vector.stream_fields).filter(([, value]) => typeof value === 'string');
    const args = vector.stream_fields['args'];
    return {
      texts: Object.fromEntries(texts) as Record<string, string>,
      args: typeof args === 'object' ? Buffer.from(args.b64, 'base64') : undefined,
    };
  }
  const { args, ...texts } = JSON.parse(vector.channel_json ?? '') as Record<string, string>;
  return { texts, args: args === undefined ? undefined : Buffer.from(args, 'base64') };
}

function sent(event: AgentEvent, { generation, delivery }: Vector): Message {
  const envelope = toEnvelope(event, SENDER, generation);
  if (delivery === 'broadcast') {
    const { args, ...texts } = JSON.parse(envelope.channelText()) as Record<string, string>;
    return { texts, args: args === undefined ? undefined : Buffer.from(args, 'base64') };
  }
  const members = envelope.fields.flatMap((name, at) =>
    at % 2 === 0 ? [[name, envelope.fields[at + 1]] as [string, string | Uint8Array]] : [],
  );
  const args = members.find(([name]) => name === 'args')?.[1];
  const texts = members.filter(([name]) => name !== 'args') as [string, string][];
  return { texts: Object.fromEntries(texts), args: typeof args === 'string' ? undefined : args };
}

/** The event that made a vector of any generation: its twin in generation B says it in words. */
function eventOf(vector: Vector): AgentEvent {
  const same = ({ event, delivery, generation, library }: Vector, like: Vector): boolean =>
    event === like.event && delivery === like.delivery && generation === like.generation && library === like.library;
  const index = VECTORS.filter((other) => same(other, vector)).indexOf(vector);
  const twins = VECTORS.filter(
    ({ event, delivery, generation }) => event === vector.event && delivery === vector.delivery && generation === 'B',
  );
  const { payload } = expected(twins[index] ?? vector).texts;
  return { name: vector.event, body: JSON.parse(payload ?? '') as never } as AgentEvent;
}

/** Pickles by what they say: the reference pickles its objects in other words than we (state.md §2.4). */
function read(args: Uint8Array): unknown {
  const codec = new ExtensionCodec();
  for (const type of [6, 7, 8, 9]) {
    codec.register({
      type,
      encode: () => null,
      decode: (data) => {
        if (type === 9) return readSlotName(data);
        if (data[1] === 2) return wordsOf(data);
        return type === 6 ? readEnumWord(data) : `ext ${type}`;
      },
    });
  }
  const value = decode(Uint8Array.from(args), { extensionCodec: codec, mapKeyConverter: (key) => key as string });
  return JSON.parse(
    JSON.stringify(value, (name, part: unknown) => {
      if (UNUSED.includes(name)) return undefined;
      return part instanceof EnumWord ? part.value : part;
    }),
  );
}

/** Ours: an enumeration's word, or what kind of object. */
function wordsOf(data: Uint8Array): unknown {
  const code = Buffer.from(data).toString('latin1');
  if (code.includes('Reason\n')) return code.slice(code.indexOf('X') + 5, -3);
  return code.includes('ImageRef\n') ? 'ext 7' : 'ext 8';
}

describe('the wire', () => {
  it.each(
    VECTORS.map((vector, at) => [`${at} ${vector.event} ${vector.generation} ${vector.delivery}`, vector] as const),
  )('says %s like the reference', (_title, vector) => {
    const wanted = expected(vector);
    const { texts, args } = sent(eventOf(vector), vector);
    // In A no metadata: an older Manager refuses what it does not know of it.
    const told = Object.entries(wanted.texts).filter(([name]) => vector.generation === 'B' || name !== 'metadata');
    expect(Object.entries(texts)).toEqual(told);
    expect(args === undefined).toBe(wanted.args === undefined);
    if (args === undefined || wanted.args === undefined) return;
    if (hasPickles(wanted.args)) expect(read(args)).toEqual(read(wanted.args));
    else expect(hex(args)).toBe(hex(wanted.args));
  });

  it('has a vector of every event that leaves this node', () => {
    const covered = new Set(VECTORS.map(({ event, generation }) => `${event} ${generation}`));
    const names = [...new Set(VECTORS.map(({ event }) => event))];
    expect(names).toHaveLength(29);
    for (const name of names)
      for (const generation of ['A', 'B', 'dual']) expect(covered).toContain(`${name} ${generation}`);
  });

  // state.md §2.10 (5)
  it('pickles a reason as documented', () => {
    expect(hex(argsOf(terminated('user-requested'), SENDER))).toBe(
      '94d92431313131313131312d313131312d343131312d383131312d313131313131313131313131d92432323232323232322d32' +
        '3232322d343232322d383232322d323232323232323232323232c7660680026361692e6261636b656e642e636f6d6d6f6e2e6576' +
        '656e74732e6576656e745f74797065732e6b65726e656c2e74797065730a4b65726e656c4c6966656379636c654576656e745265' +
        '61736f6e0a580e000000757365722d72657175657374656485522eff',
    );
  });

  // state.md §2.10 (3)
  it('pickles slots as documented', () => {
    const slots = { cpu: '4', mem: '8589934592' };
    const args = argsOf(heartbeat({ slots, publicKey: null }), SENDER);
    expect(hex(args)).toContain(
      'c7530880026361692e6261636b656e642e636f6d6d6f6e2e74797065730a5265736f75726365536c6f740a7d2858030000006370' +
        '7558010000003458030000006d656d580a000000383538393933343539327585522e',
    );
    expect(hex(args)).toContain('a6696d61676573c409789c9b000000910091');
  });

  it('sends a word that an older Manager lacks so that the rest can be read', () => {
    expect(read(argsOf(terminated('stale-kernel'), SENDER))).toEqual([KERNEL, SESSION, 'stale-kernel', -1]);
    const failure: AgentEvent = {
      name: 'session_failure',
      body: { session_id: SESSION, reason: 'stale-kernel', exit_code: 1 },
    };
    expect(read(argsOf(failure, SENDER))).toEqual([SESSION, 'unknown', 1]);
  });

  it('leaves out the image where it is not known', () => {
    const body = { image: 'r/p/n:t', agent_id: 'i', timestamp: 5, image_ref: null };
    expect(read(argsOf({ name: 'image_pull_started', body }, SENDER))).toEqual(['r/p/n:t', 'i', 5]);
    const finished: AgentEvent = { name: 'image_pull_finished', body: { ...body, msg: 'm' } };
    expect(read(argsOf(finished, SENDER))).toEqual(['r/p/n:t', 'i', 5, 'm', null]);
  });

  it('names a group for Managers that cannot do without', () => {
    const args = argsOf(heartbeat({ slots: {}, publicKey: 'k'.repeat(40) }), SENDER);
    const [info] = read(args) as [Record<string, unknown>];
    expect(info['scaling_group']).toBe('default');
    expect(hex(args)).toContain(hex(Buffer.from('public_key')) + 'c428');
  });
});

function terminated(reason: TerminationReason): AgentEvent {
  return { name: 'kernel_terminated', body: { kernel_id: KERNEL, session_id: SESSION, reason, exit_code: -1 } };
}

function heartbeat(options: { slots: Record<string, string>; publicKey: string | null }): AgentEvent {
  const { agent_info: info } = eventOf(VECTORS.find(({ event }) => event === 'agent_heartbeat')!)
    .body as AgentEventBodies['agent_heartbeat'];
  return {
    name: 'agent_heartbeat',
    body: {
      agent_info: {
        ...info,
        ...{ scaling_group: null, public_key: options.publicKey },
        available_resource_slots: Object.entries(options.slots).map(([resource_type, quantity]) => ({
          ...{ resource_type, quantity },
        })),
      },
    },
  };
}

function hasPickles(args: Uint8Array): boolean {
  return Buffer.from(args).includes('ai.backend.common');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
