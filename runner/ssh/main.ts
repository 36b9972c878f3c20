import { serve } from './serve.js';
import { runClient } from './client.js';

/** The second program of the bundle: `serve` is the SSH service behind the runner's gate, `client` the fallback for `ssh`. */
if (process.argv[2] === 'serve') {
  process.title = 'bai-sshd';
  serve();
} else {
  void runClient(process.argv.slice(3)).then((exitCode) => process.exit(exitCode));
}
