import type { ClusterMessages } from '../../application/ports/cluster-messages.port.js';

/** An agent alone: nobody says anything. */
export class EmbeddedClusterMessages implements ClusterMessages {
  subscribe(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }
}
