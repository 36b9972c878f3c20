import type { Clock } from '../../application/ports/clock.port.js';
import type { LogFields, Logger } from '../../application/ports/logger.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import type { UseCases } from '../../application/use-cases.js';
import { isAbortError, isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { notSupported } from '../../domain/error/errors.js';
import { bindArguments, readEnvelope } from './binding.js';
import type { Answer, CallHandler, IncomingCall } from './callosum/callosum-server.js';
import { CallCancelled, ServerClosing } from './callosum/in-flight-calls.js';
import { decodeDocument, encodeDocument } from './dialect/document-codec.js';
import { failureName, failureOf } from './failure.js';
import { METHOD_TABLE } from './methods/method-table.js';
import type { RpcMethod } from './methods/method.js';
import { shuttingDown, unknownAgentId } from './wire-errors.js';

/** The pool's liveness probe: answered whatever else goes on (rpc.md §1.10). */
const PROBE = 'ping';
/** One label value for all names that don't exist, or a peer could make as many series as it likes. */
const UNKNOWN_METHOD = '(unknown)';

/** From the bytes of a call to the bytes of its answer: decode, bind, check, call the use case, encode. */
export class Dispatcher implements CallHandler {
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

  async answer(call: IncomingCall, signal: AbortSignal): Promise<Answer> {
    if (signal.reason instanceof CallCancelled) return undefined;
    const method = METHOD_TABLE.get(call.method);
    const label = method === undefined ? UNKNOWN_METHOD : call.method;
    const startedAt = this.clock.monotonic();
    const fields: Record<string, unknown> = { method: call.method.slice(0, 64), peer: call.peer };
    this.telemetry.count('backendai_rpc_requests_total', { method: label });
    try {
      const result = encodeDocument(await this.perform(call, method, signal, fields));
      const left = signal.reason instanceof CallCancelled && method?.cancellable === true;
      this.finished(label, startedAt, fields, left ? 'cancelled' : 'ok');
      return left ? undefined : { result };
    } catch (error) {
      if (signal.reason instanceof CallCancelled && method?.cancellable === true) {
        this.finished(label, startedAt, fields, 'cancelled');
        return undefined;
      }
      const told = signal.reason instanceof ServerClosing && isAbortError(error) ? shuttingDown() : error;
      this.failed(label, startedAt, fields, told);
      return { failure: failureOf(told) };
    }
  }

  private async perform(
    call: IncomingCall,
    method: RpcMethod | undefined,
    signal: AbortSignal,
    fields: Record<string, unknown>,
  ): Promise<unknown> {
    const envelope = readEnvelope(call.body === null ? null : decodeDocument(call.body));
    const requestId = requestIdOf(envelope.metadata);
    if (requestId !== undefined) fields['request_id'] = requestId;
    if (method === undefined) throw notSupported(`unknown RPC method '${call.method.slice(0, 64)}'`);
    const bound = bindArguments(method.signature, envelope);
    this.checkAgent(bound['agent_id']);
    return method.invoke(bound, {
      useCases: this.useCases,
      signal: method.cancellable ? signal : untilClosing(signal),
    });
  }

  private checkAgent(asked: unknown): void {
    if (asked === undefined || asked === null || asked === this.agentId) return;
    throw unknownAgentId(typeof asked === 'string' ? asked : typeof asked);
  }

  private finished(label: string, startedAt: number, fields: LogFields, outcome: string): number {
    const durationMs = this.clock.monotonic() - startedAt;
    this.telemetry.observe('backendai_rpc_request_duration_seconds', durationMs / 1000, { method: label });
    if (outcome !== 'failed') {
      const log = label === PROBE ? this.logger.debug : this.logger.info;
      log.call(this.logger, 'RPC call', { ...fields, outcome, duration_ms: Math.round(durationMs) });
    }
    return durationMs;
  }

  private failed(label: string, startedAt: number, fields: LogFields, error: unknown): void {
    const durationMs = this.finished(label, startedAt, fields, 'failed');
    const name = failureName(error);
    this.telemetry.count('backendai_rpc_failure_requests_total', { method: label, exception: name });
    const line = { ...fields, outcome: name, duration_ms: Math.round(durationMs), error: messageOf(error) };
    const kind = isAgentError(error) ? error.kind : 'unexpected';
    if (kind === 'user') this.logger.info('RPC call', line);
    else if (kind === 'operational') this.logger.warn('RPC call', line);
    else this.logger.error('RPC call', line);
  }
}

/** The signal without the caller's CANCEL: for work that must come to its end. */
function untilClosing(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const forward = (): void => {
    if (!(signal.reason instanceof CallCancelled)) controller.abort(signal.reason);
  };
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });
  return controller.signal;
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The Manager's id of the API request, if it is fit for a log line (rpc.md §4.1). */
function requestIdOf(metadata: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null || !('request_id' in metadata)) return undefined;
  const { request_id: id } = metadata;
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : undefined;
}
