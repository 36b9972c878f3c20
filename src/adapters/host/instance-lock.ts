import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { agentAlreadyRunning, storageFailure } from '../../domain/error/errors.js';
import { AnnouncingSocket } from './announcing-socket.js';
import { askPeer } from './lock-peer.js';

const FOLDER = 'instance';
const NAME = /^(\d+)-[0-9a-f]+\.sock$/;
/** Between two looks at another starter that has not decided yet. */
const LOOK_AGAIN_MS = 20;
/** A starter needs a few milliseconds; one that is stuck this long counts as running. */
const UNDECIDED_MS = 5000;
const HIDDEN_MS = 60_000;

/**
 * Only one agent per state folder. The kernel drops it with the process, however that dies.
 *
 * Each starter listens on a UNIX socket of its own in `<state folder>/instance` and shows it by a rename, then looks at
 * all others. Since everybody shows before looking, of two that start at once at least one sees the other; of those
 * that see each other undecided the one with the smaller name goes on. A socket that refuses connections belongs to a
 * dead process: its name is never used again, so removing it can't hit a living one.
 */
export class InstanceLock implements AsyncDisposable {
  private constructor(private readonly socket: AnnouncingSocket) {}

  /** Rejects with AgentAlreadyRunningError that names the other's process, or with StorageError. */
  static async acquire(stateFolder: string): Promise<InstanceLock> {
    const folder = join(stateFolder, FOLDER);
    let socket: AnnouncingSocket;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      socket = await show(folder);
    } catch (error) {
      throw storageFailure(`cannot lock the state folder ${stateFolder}: ${messageOf(error)}`, {
        cause: error,
        field: 'agent.var-base-path',
        hint: 'the agent needs a folder on a local file system that it may write to',
      });
    }
    try {
      await outlast(socket, folder, stateFolder);
      socket.decide();
      await sweep(folder);
      return new InstanceLock(socket);
    } catch (error) {
      await socket[Symbol.asyncDispose]();
      if (isAgentError(error)) throw error;
      throw storageFailure(`cannot lock the state folder ${stateFolder}: ${messageOf(error)}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.socket[Symbol.asyncDispose]();
  }
}

/** Listens first and takes its name after: whoever sees the name finds somebody there. */
async function show(folder: string): Promise<AnnouncingSocket> {
  const name = `${process.pid}-${randomBytes(8).toString('hex')}.sock`;
  const hidden = `.${name}`;
  const socket = await AnnouncingSocket.listen(folder, hidden, process.pid);
  try {
    await rename(join(folder, hidden), join(folder, name));
  } catch (error) {
    await socket[Symbol.asyncDispose]();
    throw error;
  }
  socket.name = name;
  return socket;
}

/** Resolves when no other agent is there. */
async function outlast(mine: AnnouncingSocket, folder: string, stateFolder: string): Promise<void> {
  const giveUpAt = performance.now() + UNDECIDED_MS;
  const others = (await readdir(folder)).filter((name) => NAME.test(name) && name !== mine.name);
  for (const name of others) {
    for (;;) {
      const peer = await askPeer(folder, name);
      if (peer === 'dead') {
        await rm(join(folder, name), { force: true });
        break;
      }
      const isFirst = peer === 'starting' && name < mine.name;
      if (peer === 'holding' || isFirst || performance.now() > giveUpAt) {
        throw alreadyRunning(Number(NAME.exec(name)?.[1]), stateFolder);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }
}

/** Removes what starters left that died before they showed themselves. A young one may still be on its way. */
async function sweep(folder: string): Promise<void> {
  const hidden = (await readdir(folder)).filter((name) => name.startsWith('.') && NAME.test(name.slice(1)));
  for (const name of hidden) {
    const { mtimeMs } = await lstat(join(folder, name)).catch(() => ({ mtimeMs: Infinity }));
    if (Date.now() - mtimeMs > HIDDEN_MS) await rm(join(folder, name), { force: true });
  }
}

function alreadyRunning(pid: number, stateFolder: string): Error {
  return agentAlreadyRunning(`another agent (process ${pid}) uses the state folder ${stateFolder}`, {
    field: 'agent.var-base-path',
    allowed: 'a state folder that no other agent uses',
    hint: `stop process ${pid}, or give this agent a state folder of its own`,
  });
}
