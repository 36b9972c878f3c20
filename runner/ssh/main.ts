import { serveBehindGate } from '../gate/behind-gate.js';
import { runClient } from './client.js';
import { type SshOrder, SshService } from './ssh-service.js';

/** The second program of the bundle: `serve` is the SSH service behind the runner's gate, `client` the fallback for `ssh`. */
if (process.argv[2] === 'serve') {
  process.title = 'bai-sshd';
  serveBehindGate('sshd', (order: SshOrder) => new SshService(order));
} else {
  void runClient(process.argv.slice(3)).then((exitCode) => process.exit(exitCode));
}
