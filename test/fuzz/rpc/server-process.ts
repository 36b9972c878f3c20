import { curveKeyPair } from 'zeromq';
import { RpcServer } from '../../../src/adapters/rpc/rpc-server.js';
import type { Logger } from '../../../src/application/ports/logger.port.js';
import type { Telemetry } from '../../../src/application/ports/telemetry.port.js';
import { type Asked, plausibleUseCases } from '../../support/plausible-use-cases.js';
import { realClock } from '../../support/real-clock.js';
import type { CurveOptions } from '../../support/rpc-peer.js';
import { scriptedUseCases } from '../../support/scripted-use-cases.js';

/**
 * The server that is fuzzed, in a process of its own: it tells its endpoint, and its memory when it is asked. With the
 * argument `curve` it has keys, and tells those of a Manager.
 */

export interface ServerState {
  readonly endpoint: string;
  readonly keys?: CurveOptions;
  /** In use after a collection. */
  readonly usedBytes: number;
  /** Of the whole process: what the native library holds is in it, and what the collector has not given back. */
  readonly residentBytes: number;
  readonly inFlight: number;
  readonly received: number;
  readonly rejected: number;
  readonly ignored: number;
  readonly dropped: number;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, fields) => {
    // A fault of ours that was contained: the fuzzer wants to know all the same.
    if (message.includes('could not be handled')) process.send?.({ fault: JSON.stringify(fields) });
  },
  child: () => silent,
};
const uncounted: Telemetry = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
  remove: () => undefined,
};

const forgotten: Asked[] = [];
forgotten.push = () => 0;
const useCases = scriptedUseCases({
  ...plausibleUseCases(forgotten),
  reportFault: (error) => process.send?.({ fault: error instanceof Error ? (error.stack ?? '') : String(error) }),
});
const [own, manager] = [curveKeyPair(), curveKeyPair()];
const isLocked = process.argv[2] === 'curve';
const curve = isLocked ? { ...own, managerPublicKey: manager.publicKey } : undefined;
const keys: CurveOptions = {
  ...{ curveServerKey: own.publicKey, curvePublicKey: manager.publicKey, curveSecretKey: manager.secretKey },
};
const options = { address: 'tcp://127.0.0.1:0', agentId: 'i-test', curve };
const server = new RpcServer(options, useCases, uncounted, silent, realClock);
await server.start();

const tell = (): void => {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const state = {
    endpoint: server.endpoint,
    usedBytes: heapUsed + external,
    residentBytes: rss,
    ...(isLocked && { keys }),
  };
  process.send?.({ ...state, ...server.counters });
};
process.on('message', (word) => {
  if (word === 'state') tell();
  else void server[Symbol.asyncDispose]().then(() => process.exit(0));
});
tell();
