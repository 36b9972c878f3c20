import type { RunnerKind } from '../../src/domain/krunner-wire/krunner-wire.js';

/** One message to the agent: kind and payload, always exactly these two parts (krunner.md §2.4). */
export interface Frame {
  readonly kind: RunnerKind;
  readonly payload: Uint8Array | string;
}

export const json = (kind: RunnerKind, value: unknown): Frame => ({ kind, payload: JSON.stringify(value) });

export const finish = (kind: RunnerKind, exitCode: number): Frame => json(kind, { exitCode });

/** The only MessagePack of the channel: `{"started_at": float64}` (krunner.md §2.2). */
export function statusFrame(startedAtSeconds: number): Frame {
  const name = Buffer.from('started_at');
  const payload = Buffer.alloc(2 + name.length + 9);
  payload[0] = 0x81;
  payload[1] = 0xa0 | name.length;
  name.copy(payload, 2);
  payload[2 + name.length] = 0xcb;
  payload.writeDoubleBE(startedAtSeconds, 3 + name.length);
  return { kind: 'status', payload };
}
