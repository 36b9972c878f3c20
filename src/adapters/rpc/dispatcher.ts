import { inTurn } from '../../application/concurrency/in-turn.js';
import { Semaphore } from '../../application/concurrency/semaphore.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import type { UseCases } from '../../application/use-cases.js';
import { isAbortError, isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { notSupported } from '../../domain/error/errors.js';
import { bindArguments, readEnvelope } from './binding.js';
import type { Answer, CallHandler, IncomingCall } from './callosum/callosum-server.js';
import { CallCancelled, type CallLife, ServerClosing } from './callosum/in-flight-calls.js';
import { decodeDocument, encodeDocument } from './dialect/document-codec.js';
import { failureName, failureOf } from './failure.js';
import { METHOD_TABLE } from './methods/method-table.js';
import type { CallContext, RpcMethod } from './methods/method.js';
import { shuttingDown, unknownAgentId } from './wire-errors.js';

/** The pool's liveness probe: answered whatever else goes on (rpc.md §1.10). */
const PROBE = 'ping';
/** One label value for all names that don't exist, or a peer could make as many series as it likes. */
const UNKNOWN_METHOD = '(unknown)';
const MAX_METHOD_NAME = 64;

/** A call on its way, and what its log line will say. */
interface Running {
  readonly call: IncomingCall;
  readonly life: CallLife;
  readonly method: RpcMethod | undefined;
  readonly startedAt: number;
  requestId: string | undefined;
}

/** A class: an object with an accessor of its own would cost a shape of its own, which outlives young generations. */
class Context implements CallContext {
  constructor(
    readonly useCases: UseCases,
    private readonly method: RpcMethod,
    private readonly life: CallLife,
  ) {}

  get signal(): AbortSignal {
    return this.method.cancellable ? this.life.signal : this.life.closing;
  }
}

/** From the bytes of a call to the bytes of its answer: decode, bind, check, call the use case, encode. */
export class Dispatcher implements CallHandler {
  private readonly turns = new Map(
    [...METHOD_TABLE.values()].flatMap((method) =>
      method.atOnce === undefined ? [] : [[method, new Semaphore(method.atOnce)]],
    ),
  );

  constructor(
    private readonly agentId: string,
    private readonly useCases: UseCases,
    private readonly telemetry: Telemetry,
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {}

  isVital(method: string): boolean {
    return method === PROBE;
  }

  answer(call: IncomingCall, life: CallLife): Answer | Promise<Answer> {
    if (life.ended instanceof CallCancelled) return undefined;
    const method = METHOD_TABLE.get(call.method);
    const running: Running = { call, life, method, startedAt: this.clock.monotonic(), requestId: undefined };
    this.telemetry.count('backendai_rpc_requests_total', { method: labelOf(running) });
    try {
      const outcome = this.perform(running);
      if (!(outcome instanceof Promise)) return this.told(running, outcome);
      return outcome
        .then((result) => this.told(running, result))
        .catch((error: unknown) => this.failed(running, error));
    } catch (error) {
      return this.failed(running, error);
    }
  }

  private perform(running: Running): unknown {
    const { call, life, method } = running;
    const envelope = readEnvelope(call.body === null ? null : decodeDocument(call.body));
    running.requestId = requestIdOf(envelope.metadata);
    if (method === undefined) throw notSupported(`unknown RPC method '${call.method.slice(0, MAX_METHOD_NAME)}'`);
    const bound = bindArguments(method.signature, envelope);
    this.checkAgent(bound['agent_id']);
    const context = new Context(this.useCases, method, life);
    const turns = this.turns.get(method);
    return turns === undefined
      ? method.invoke(bound, context)
      : inTurn(turns, context.signal, () => Promise.resolve(method.invoke(bound, context)));
  }

  private checkAgent(asked: unknown): void {
    if (asked === undefined || asked === null || asked === this.agentId) return;
    throw unknownAgentId(typeof asked === 'string' ? asked : typeof asked);
  }

  private told(running: Running, value: unknown): Answer {
    const result = encodeDocument(value);
    if (hasLeft(running)) {
      this.finished(running, 'cancelled', {}, 'info');
      return undefined;
    }
    this.finished(running, 'ok', { bytes_out: result.length }, running.call.method === PROBE ? 'debug' : 'info');
    return { result };
  }

  private failed(running: Running, error: unknown): Answer {
    if (hasLeft(running)) {
      this.finished(running, 'cancelled', {}, 'info');
      return undefined;
    }
    const told = running.life.ended instanceof ServerClosing && isAbortError(error) ? shuttingDown() : error;
    const name = failureName(told);
    const method = labelOf(running);
    this.telemetry.count('backendai_rpc_failure_requests_total', { method, exception: name });
    const kind = isAgentError(told) ? told.kind : 'unexpected';
    const level = ({ user: 'info', operational: 'warn', unexpected: 'error' } as const)[kind];
    this.finished(running, name, { error: messageOf(told) }, level);
    if (kind === 'unexpected')
      this.useCases.reportFault(told, { rpc_method: method, request_id: running.requestId ?? '' });
    return { failure: failureOf(told) };
  }

  /** What is written down about a call can wait until its answer is on its way. */
  private finished(
    running: Running,
    outcome: string,
    more: Readonly<Record<string, unknown>>,
    level: 'debug' | 'info' | 'warn' | 'error',
  ): void {
    const durationMs = this.clock.monotonic() - running.startedAt;
    setImmediate(() => this.writeDown(running, durationMs, { outcome, ...more }, level));
  }

  /** The one log line of a call: what was asked for, never with what. */
  private writeDown(
    running: Running,
    durationMs: number,
    end: Readonly<Record<string, unknown>>,
    level: 'debug' | 'info' | 'warn' | 'error',
  ): void {
    const { call, requestId } = running;
    this.telemetry.observe('backendai_rpc_request_duration_seconds', durationMs / 1_000, { method: labelOf(running) });
    this.logger[level]('RPC call', {
      method: call.method.slice(0, MAX_METHOD_NAME),
      peer: call.peer,
      request_id: requestId,
      duration_ms: Math.round(durationMs * 10) / 10,
      bytes_in: call.body?.length ?? 0,
      ...end,
    });
  }
}

function labelOf({ call, method }: Running): string {
  return method === undefined ? UNKNOWN_METHOD : call.method;
}

/** True if nobody waits for an answer, and the method may be left alone. */
function hasLeft({ life, method }: Running): boolean {
  return life.ended instanceof CallCancelled && method?.cancellable === true;
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The Manager's id of the API request, if it is fit for a log line (rpc.md §4.1). */
function requestIdOf(metadata: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null || !('request_id' in metadata)) return undefined;
  const { request_id: id } = metadata;
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : undefined;
}
