import { setImmediate as nextTurn } from 'node:timers/promises';
import { decode, encode } from '@msgpack/msgpack';
import type { Answer } from '../../src/adapters/rpc/callosum/callosum-server.js';
import { type CallLife, InFlightCalls } from '../../src/adapters/rpc/callosum/in-flight-calls.js';
import { Dispatcher } from '../../src/adapters/rpc/dispatcher.js';
import type { UseCases } from '../../src/application/use-cases.js';
import { MemoryLogger } from './memory-logger.js';
import { realClock } from './real-clock.js';
import { MemoryTelemetry } from './rpc-peer.js';
import { scriptedUseCases } from './scripted-use-cases.js';

/** A call's life, and both ways to end it. */
export function oneCall() {
  const calls = new InFlightCalls({ maxCalls: 1, maxBytes: 1, maxPeerCalls: 1, maxPeerBytes: 1 });
  const call = calls.accept({ peer: 'ab', key: 'a', bytes: 0, abandon: () => undefined });
  return { call, leave: () => calls.cancel('a'), close: () => calls.abortAll() };
}

/** A dispatcher without a socket: calls go in as bytes and come out decoded. */
export function dispatchBench(script: Partial<UseCases>, agentId = 'i-lab') {
  const logger = new MemoryLogger();
  const telemetry = new MemoryTelemetry();
  const dispatcher = new Dispatcher(agentId, scriptedUseCases(script), telemetry, logger, realClock);
  const answer = async (method: string, body: Uint8Array | null, call: CallLife = oneCall().call): Promise<Answer> => {
    const told = await dispatcher.answer({ peer: 'ab', method, body }, call);
    // What is written down comes after the answer.
    await nextTurn();
    return told;
  };
  const call = async (method: string, args: unknown[], kwargs: Record<string, unknown> = {}): Promise<unknown> => {
    const told = await answer(method, encode({ args, kwargs }));
    return told === undefined ? undefined : 'result' in told ? decode(new Uint8Array(told.result)) : told.failure;
  };
  return { logger, telemetry, answer, call };
}
