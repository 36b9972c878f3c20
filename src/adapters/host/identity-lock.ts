import { createServer, type Server } from 'node:net';
import { messageOf } from '../../domain/error/agent-error.js';
import { agentAlreadyRunning, storageFailure } from '../../domain/error/errors.js';

/** Abstract socket names have no file; the system lets go of them with the process. */
const PREFIX = '\0backend.ai-agent/';

/**
 * Only one agent of a name on a machine, whatever state folder each uses: an agent takes every container with its id
 * for its own, and removes those that it has no record of.
 */
export class IdentityLock implements AsyncDisposable {
  private constructor(private readonly server: Server) {}

  /** Rejects with AgentAlreadyRunningError. `agentId` has at most 88 bytes. */
  static async acquire(agentId: string): Promise<IdentityLock> {
    const server = createServer((socket) => socket.destroy());
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(`${PREFIX}${agentId}`, resolve);
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE')
        throw storageFailure(`cannot lock the agent id ${agentId}: ${messageOf(error)}`, { cause: error });
      throw agentAlreadyRunning(`another agent with the id ${agentId} runs on this machine`, {
        field: 'agent.id',
        allowed: 'an id that no other agent of this machine has',
        hint: 'stop the other one, or give this one an id of its own',
        cause: error,
      });
    }
    server.unref();
    return new IdentityLock(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}
