import { type Context, Pull, Push } from 'zeromq';
import type { Call } from '../../application/ports/call.js';
import type {
  KernelRunner,
  KernelRunnerAddress,
  RunnerStatus,
  RunRecord,
} from '../../application/ports/kernel-runner.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import type {
  RunnerApp,
  RunnerOp,
  ServiceResult,
  StartServiceRequest,
} from '../../domain/krunner-wire/krunner-wire.js';
import { ConnectionKeeper } from './connection-keeper.js';
import { FrameRouter } from './frame-router.js';
import { parseApps, parseCompletion, parseService, parseStatus } from './replies.js';
import { ReplyChannel } from './reply-channel.js';
import { SendQueue } from './send-queue.js';

/** Deadlines by kind in milliseconds (krunner.md §3.8). */
const STATUS_TIMEOUT_MS = 10_000;
const APPS_TIMEOUT_MS = 10_000;
const COMPLETION_TIMEOUT_MS = 30_000;
/** Must exceed the 30 s that a runner waits for a service's port. */
const SERVICE_TIMEOUT_MS = 35_000;
const SEND_TIMEOUT_MS = 5000;
const LINGER_MS = 50;
/** A runner serves some 50 ms after its container started; ZeroMQ's own 100 ms would be most of the wait for it. */
const RECONNECT_MS = 10;
/** Reached by doubling, where a runner stays away. */
const RECONNECT_MAX_MS = 250;
/** By the system, which wakes nobody up: address translations between agent and container forget silent connections. */
const TCP_KEEP_ALIVE_S = 10;
/** Between two reads that failed; short, since closing waits for it. */
const RETRY_MS = 50;
/** A message above this is lost with what was under way, instead of filling the agent's memory. */
const MAX_MESSAGE_BYTES = 256 * 2 ** 20;
/** Received messages that ZeroMQ holds while the agent is busy. */
const RECEIVE_WINDOW = 64;
/** What is read without letting anything else run. */
const MAX_BURST_FRAMES = 64;
const MAX_BURST_BYTES = 2 ** 20;
const LOST_NOTICE = '\n[backend.ai] output was lost here: it came in one piece too large to take\n';
/** Malformed messages are told at the counts 1, 2, 4, 8 …, so that a flood of them is no flood of log lines. */
const isPowerOfTwo = (count: number) => (count & (count - 1)) === 0;

/**
 * The official frames over a PUSH and a PULL socket, both connecting (krunner.md §2). Nothing that a peer sends ends
 * the read loop, stalls it, or keeps the process from doing other work.
 */
export class ZeroMqKernelRunner implements KernelRunner {
  readonly #push: Push;
  readonly #pull: Pull;
  readonly #keeper: ConnectionKeeper;
  readonly #queue: SendQueue;
  readonly #router: FrameRouter;
  readonly #status = channel('status', parseStatus, STATUS_TIMEOUT_MS, true);
  readonly #apps = channel('apps-result', parseApps, APPS_TIMEOUT_MS, true);
  readonly #completion = channel('completion', parseCompletion, COMPLETION_TIMEOUT_MS, false);
  readonly #service = channel('service-result', parseService, SERVICE_TIMEOUT_MS, false);
  readonly #loop: Promise<void>;
  #listener: ((record: RunRecord) => void) | undefined;
  #isClosed = false;
  #malformed = 0;

  constructor(
    address: KernelRunnerAddress,
    context: Context,
    private readonly logger: Logger,
    maxMessageBytes = MAX_MESSAGE_BYTES,
  ) {
    const common = {
      context,
      linger: LINGER_MS,
      reconnectInterval: RECONNECT_MS,
      reconnectMaxInterval: RECONNECT_MAX_MS,
      tcpKeepalive: 1,
      tcpKeepaliveIdle: TCP_KEEP_ALIVE_S,
    };
    this.#push = new Push({ ...common, sendTimeout: SEND_TIMEOUT_MS });
    this.#pull = new Pull({ ...common, receiveHighWaterMark: RECEIVE_WINDOW, maxMessageSize: maxMessageBytes });
    this.#push.connect(endpoint(address.host, address.replInPort));
    const output = endpoint(address.host, address.replOutPort);
    this.#keeper = new ConnectionKeeper(this.#pull, output, () => this.#onRenewed());
    this.#pull.connect(output);
    this.#queue = new SendQueue(this.#push);
    this.#router = new FrameRouter({
      status: this.#status,
      apps: this.#apps,
      completion: this.#completion,
      service: this.#service,
      record: () => this.#listener,
    });
    this.#loop = this.#read();
  }

  /** Messages that were not of the protocol and were skipped. */
  get malformed(): number {
    return this.#malformed;
  }

  send(
    op: Extract<RunnerOp, 'code' | 'clean' | 'build' | 'exec' | 'input' | 'interrupt' | 'run-id'>,
    payload: string,
  ): Promise<void> {
    return this.#queue.send(op, payload);
  }

  notify(type: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#queue.send('event', JSON.stringify({ type, data }));
  }

  status(call: Call): Promise<RunnerStatus> {
    return this.#status.call(() => this.#queue.send('status', ''), call);
  }

  apps(call: Call): Promise<readonly RunnerApp[]> {
    return this.#apps.call(() => this.#queue.send('get-apps', ''), call);
  }

  complete(request: Readonly<Record<string, unknown>>, call: Call): Promise<readonly string[]> {
    return this.#completion.call(() => this.#queue.send('complete', JSON.stringify(request)), call);
  }

  startService(request: StartServiceRequest, call: Call): Promise<ServiceResult> {
    return this.#service.call(() => this.#queue.send('start-service', JSON.stringify(request)), call);
  }

  shutdownService(name: string): Promise<void> {
    return this.#queue.send('shutdown-service', JSON.stringify(name));
  }

  onRecord(listener: ((record: RunRecord) => void) | undefined): void {
    this.#listener = listener;
  }

  /** Ends pending calls and both connections; what was sent within the last moments may still arrive. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#listener = undefined;
      this.#keeper[Symbol.dispose]();
      for (const replies of [this.#status, this.#apps, this.#completion, this.#service]) replies.close();
      this.#queue.close();
      this.#push.close();
      this.#pull.close();
    }
    await this.#loop;
  }

  async #read(): Promise<void> {
    let frames = 0;
    let bytes = 0;
    for (;;) {
      let message: Buffer[];
      try {
        message = await this.#pull.receive();
      } catch (error) {
        if (this.#pull.closed) return;
        this.logger.error('reading from the kernel runner failed; trying again', { error: messageOf(error) });
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      this.#handle(message);
      frames += 1;
      for (const frame of message) bytes += frame.length;
      if (frames >= MAX_BURST_FRAMES || bytes >= MAX_BURST_BYTES) {
        frames = 0;
        bytes = 0;
        await nextTurn();
      }
    }
  }

  #handle(message: readonly Buffer[]): void {
    try {
      if (this.#router.route(message)) return;
    } catch (error) {
      this.logger.error('handling a message of the kernel runner failed', { error: messageOf(error) });
      return;
    }
    this.#malformed += 1;
    if (isPowerOfTwo(this.#malformed)) {
      this.logger.warn('the kernel runner sent a message that is not of the protocol; it is skipped', {
        frames: message.length,
        skipped_so_far: this.#malformed,
      });
    }
  }

  #onRenewed(): void {
    this.logger.warn('the kernel runner broke the wire protocol; the connection is made anew');
    this.#listener?.({ kind: 'stderr', text: LOST_NOTICE });
  }
}

function channel<Reply>(kind: string, parse: (payload: Uint8Array) => Reply, timeoutMs: number, any: boolean) {
  return new ReplyChannel({
    kind,
    parse,
    defaultTimeoutMs: timeoutMs,
    isInterchangeable: any,
    lateMs: timeoutMs,
    now: () => performance.now(),
  });
}

function endpoint(host: string, port: number): string {
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
