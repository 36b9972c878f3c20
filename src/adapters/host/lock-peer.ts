import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { type LockState, shortPath } from './announcing-socket.js';

/** A process that is stopped or overloaded accepts, but tells nothing: it counts as one that holds the lock. */
const SILENT_MS = 1000;
/** Nobody listens there, or the name is gone. Any other error is no proof of death. */
const DEAD: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT']);
const HUNG_UP: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** `unclear` = it hung up without a word, as a process does that is ending: asked again, it will be dead. */
export type PeerState = LockState | 'dead' | 'unclear';

/** Asks whoever listens on the socket `name` in `folder`. */
export async function askPeer(folder: string, name: string): Promise<PeerState> {
  const handle = await open(folder, 'r');
  try {
    return await ask(shortPath(handle, name));
  } finally {
    await handle.close();
  }
}

function ask(path: string): Promise<PeerState> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const tell = (answer: PeerState) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(SILENT_MS, () => tell('holding'));
    socket.once('error', (error: NodeJS.ErrnoException) => tell(stateAfter(error.code)));
    socket.once('data', (data) => tell(data.toString('latin1').startsWith('starting') ? 'starting' : 'holding'));
    socket.once('end', () => tell('unclear'));
  });
}

function stateAfter(code = ''): PeerState {
  if (DEAD.has(code)) return 'dead';
  return HUNG_UP.has(code) ? 'unclear' : 'holding';
}
