import { inject, injectable } from 'inversify';
import { AgentSettings } from '../../agent-settings.js';
import type { Call } from '../../ports/call.js';
import { RunnerRuntime } from '../../ports/runner-runtime.port.js';
import { ScratchStore } from '../../ports/scratch-store.port.js';
import type { LiveKernel } from '../live-kernel.js';
import { KernelComposer } from './kernel-composer.js';
import type { Provisioner } from './provisioner.js';

/** The kernel's directories and the files that its container expects in them (lifecycle.md §3). */
@injectable()
export class ScratchProvisioner implements Provisioner {
  readonly name = 'scratch';
  readonly onRestart = 'refresh';

  constructor(
    @inject(ScratchStore) private readonly store: ScratchStore,
    @inject(KernelComposer) private readonly composer: KernelComposer,
    @inject(RunnerRuntime) private readonly runtime: RunnerRuntime,
    @inject(AgentSettings) private readonly settings: AgentSettings,
  ) {}

  async setup(live: LiveKernel, call: Call): Promise<void> {
    const { kernel } = live;
    await this.runtime.prepare(call);
    live.composition = this.composer.compose(live);
    const { uid, gid } = live.composition.identity;
    const owner = { uid: uid ?? this.settings.container.uid, gid: gid ?? this.settings.container.gid };
    await this.store.create(kernel.id, owner, call);
    await this.store.write(kernel.id, live.composition.files, owner, call);
  }

  async teardown({ kernel }: LiveKernel, call: Call): Promise<void> {
    await this.store.remove(kernel.id, call);
  }
}
