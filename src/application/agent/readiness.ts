import { injectable } from 'inversify';

/** Whether the agent takes work: set once recovery is done, cleared when it leaves. */
@injectable()
export class Readiness {
  ready = false;
}
