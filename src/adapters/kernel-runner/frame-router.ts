import type { RunRecord } from '../../application/ports/kernel-runner.port.js';
import { StreamDecoder } from './stream-decoder.js';

export interface ReplySink {
  accept(payload: Uint8Array): void;
}

export interface FrameRoutes {
  readonly status: ReplySink;
  readonly apps: ReplySink;
  readonly completion: ReplySink;
  readonly service: ReplySink;
  /** `undefined` = nobody listens; the record is dropped before it costs anything. */
  readonly record: () => ((record: RunRecord) => void) | undefined;
}

/** Sends each message of a runner where it belongs (krunner.md §2.4, §3.2). */
export class FrameRouter {
  readonly #stdout = new StreamDecoder();
  readonly #stderr = new StreamDecoder();

  constructor(private readonly routes: FrameRoutes) {}

  /** False for a message that is not one of the protocol, which is otherwise ignored. */
  route(frames: readonly Uint8Array[]): boolean {
    const [name, payload] = frames;
    if (frames.length !== 2 || name === undefined || payload === undefined || name.length > 32) return false;
    const kind = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('latin1');
    switch (kind) {
      case 'status':
      case 'completion':
        this.routes[kind].accept(payload);
        return true;
      case 'apps-result':
        this.routes.apps.accept(payload);
        return true;
      case 'service-result':
        this.routes.service.accept(payload);
        return true;
      case 'model-service-result':
      case 'model-service-status':
        return true;
      case 'stdout':
      case 'stderr':
        this.#stream(kind, payload);
        return true;
      case 'media':
      case 'html':
      case 'log':
      case 'waiting-input':
      case 'clean-finished':
      case 'build-finished':
      case 'finished':
        this.#record(kind, payload);
        return true;
      default:
        return false;
    }
  }

  #stream(kind: 'stdout' | 'stderr', payload: Uint8Array): void {
    const listener = this.routes.record();
    if (!listener) return;
    const text = (kind === 'stdout' ? this.#stdout : this.#stderr).decode(payload);
    if (text !== '') listener({ kind, text });
  }

  #record(kind: Exclude<RunRecord['kind'], 'stdout' | 'stderr'>, payload: Uint8Array): void {
    const listener = this.routes.record();
    if (!listener) return;
    if (kind === 'build-finished' || kind === 'finished') {
      this.#stdout.reset();
      this.#stderr.reset();
    }
    // Lenient, unlike the reference: a finish with a broken payload is still a finish (krunner.md W5).
    listener({ kind, text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(payload) });
  }
}
