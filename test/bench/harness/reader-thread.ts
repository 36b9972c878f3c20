import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ManagerReader } from '../../support/manager-reader.js';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly batch: number;
  readonly pauseMs: number;
}

/** A reader like a Manager's in a thread of its own, so that what it takes is not in what is measured. */
export class ReaderThread implements AsyncDisposable {
  readonly #worker: Worker;

  constructor(options: Options) {
    this.#worker = new Worker(fileURLToPath(import.meta.url), { workerData: options });
  }

  /** How many entries of this event it was given. */
  async count(event: string): Promise<number> {
    this.#worker.postMessage(event);
    const [count] = (await once(this.#worker, 'message')) as [number];
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

if (!isMainThread && parentPort !== null) {
  const { host, port, ...pace } = workerData as Options;
  const reader = new ManagerReader({ address: { host, port } }, pace);
  const answers = parentPort;
  answers.on('message', (event: string) => answers.postMessage(reader.payloads(event).length));
}
