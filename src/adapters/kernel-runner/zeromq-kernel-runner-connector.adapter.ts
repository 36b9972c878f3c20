import { inject, injectable } from 'inversify';
import { Context } from 'zeromq';
import type {
  KernelRunner,
  KernelRunnerAddress,
  KernelRunnerConnector,
} from '../../application/ports/kernel-runner.port.js';
import { Logger } from '../../application/ports/logger.port.js';
import { ZeroMqKernelRunner } from './zeromq-kernel-runner.js';

/** Connects to runners over ZeroMQ; see the port for what that promises. */
@injectable()
export class ZeroMqKernelRunnerConnector implements KernelRunnerConnector {
  /** Apart from the rest of the process, and without ZeroMQ's usual limit of 1023 sockets: a kernel takes four. */
  readonly #context = new Context({ blocky: false, maxSockets: 16_384 });

  constructor(@inject(Logger) private readonly logger: Logger) {}

  connect(address: KernelRunnerAddress): Promise<KernelRunner> {
    const logger = this.logger.child({ component: 'kernel-runner', repl_out_port: address.replOutPort });
    return Promise.resolve(new ZeroMqKernelRunner(address, this.#context, logger));
  }
}
