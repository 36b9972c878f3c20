import { fileURLToPath } from 'node:url';
import { PYTHON } from '../../support/callosum-python.js';
import { PythonProcess } from './python-process.js';
import type { WorkplaceKeys } from './workplace.js';

const GENERATOR = fileURLToPath(new URL('../python/rpc_load.py', import.meta.url));

/** One call, to be sent again and again. */
export interface LoadCall {
  readonly method: string;
  /** The third frame: metadata and the encoded document. */
  readonly body: Buffer;
  /** Message type of every answer: 1 for the FUNCTION itself, 2 for a RESULT, 3 for a FAILURE. */
  readonly answer: 1 | 2 | 3;
}

export interface LoadBlock {
  readonly perSecond: number;
  /** From sending to having read the answer, in milliseconds. */
  readonly times: readonly number[];
}

/** Calls from a process of its own, which costs little: it runs on the cores of what it measures. */
export class RpcLoad implements AsyncDisposable {
  private constructor(private readonly generator: PythonProcess) {}

  static async start(endpoint: string, { agentPublic, managerPublic, managerSecret }: WorkplaceKeys): Promise<RpcLoad> {
    const keys = [agentPublic, managerPublic, managerSecret];
    return new RpcLoad(await PythonProcess.start(PYTHON, [GENERATOR, endpoint, ...keys]));
  }

  /** `total` calls, always `inFlight` of them at once. */
  async run({ method, body, answer }: LoadCall, inFlight: number, total: number): Promise<LoadBlock> {
    const asked = { method, body: body.toString('base64'), answer, inFlight, total };
    return (await this.generator.ask(JSON.stringify(asked))) as LoadBlock;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.generator[Symbol.asyncDispose]();
  }
}
