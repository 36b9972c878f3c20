/** Exit status 0: a Docker engine answers, or which one to ask is not ours to say; 1: none does; 2: it may not be used. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';

const TIMEOUT_MS = 5_000;

function choosesItself() {
  if (process.env.DOCKER_HOST) return true;
  if (process.env.DOCKER_CONTEXT) return process.env.DOCKER_CONTEXT !== 'default';
  try {
    const config = join(process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'config.json');
    return (JSON.parse(readFileSync(config, 'utf8')).currentContext ?? 'default') !== 'default';
  } catch {
    return false;
  }
}

const ping = (socketPath) =>
  new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: TIMEOUT_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200 ? 0 : 1);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', (error) => resolve(error.code === 'EACCES' || error.code === 'EPERM' ? 2 : 1));
    asked.end();
  });

const sockets = [
  '/var/run/docker.sock',
  process.env.XDG_RUNTIME_DIR && join(process.env.XDG_RUNTIME_DIR, 'docker.sock'),
  join(homedir(), '.docker/run/docker.sock'),
].filter(Boolean);

if (choosesItself()) process.exit(0);
const answers = await Promise.all(sockets.map(ping));
process.exit(answers.includes(0) ? 0 : answers.includes(2) ? 2 : 1);
