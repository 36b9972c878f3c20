import type { RunnerKind } from '../../src/domain/krunner-wire/krunner-wire.js';

/** One message to the agent: kind and payload, always exactly these two parts (krunner.md §2.4). */
export interface Frame {
  readonly kind: RunnerKind;
  readonly payload: Uint8Array | string;
}

export const json = (kind: RunnerKind, value: unknown): Frame => ({ kind, payload: JSON.stringify(value) });

/** `runId` is ours: the name that the agent gave the run that ends. */
export const finish = (kind: RunnerKind, exitCode: number, runId?: string): Frame => json(kind, { exitCode, runId });

/**
 * The only MessagePack of the channel: `{"started_at": float64}` (krunner.md §2.2), and ours, `runs`: names of runs with
 * their exit codes, nil = in line or running (see MAX_NAMED_RUNS).
 */
export function statusFrame(startedAtSeconds: number, runs: ReadonlyMap<string, number | null>): Frame {
  const seconds = Buffer.alloc(9);
  seconds[0] = 0xcb;
  seconds.writeDoubleBE(startedAtSeconds, 1);
  const entries = [...runs].flatMap(([name, exitCode]) => [packText(name), packExitCode(exitCode)]);
  const size = Buffer.from([0xde, runs.size >> 8, runs.size & 0xff]);
  const payload = [Buffer.from([0x82]), packText('started_at'), seconds, packText('runs'), size, ...entries];
  return { kind: 'status', payload: Buffer.concat(payload) };
}

function packText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([0xda, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function packExitCode(exitCode: number | null): Buffer {
  if (exitCode === null) return Buffer.from([0xc0]);
  const bytes = Buffer.alloc(5);
  bytes[0] = 0xd2;
  bytes.writeInt32BE(exitCode, 1);
  return bytes;
}
