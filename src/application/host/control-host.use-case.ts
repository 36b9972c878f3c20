import { inject, injectable } from 'inversify';
import { invalidArgument, permissionDenied } from '../../domain/error/errors.js';
import { isBelow, normalisePath } from '../../domain/vfolder/paths.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { ConfigSource } from '../ports/config-source.port.js';
import { HostPaths } from '../ports/host-paths.port.js';
import { HostServices, type ServiceAction } from '../ports/host-services.port.js';
import { Logger } from '../ports/logger.port.js';
import { VolumeMounts } from '../ports/volume-mounts.port.js';
import type { HostControl, HostUseCases, MountRequest } from '../use-cases.js';

/** Where volumes are mounted unless the cluster says otherwise (state.md §9.3). */
const DEFAULT_PREFIX = '/mnt';
const ENGINE_UNIT = 'docker.service';
const CALL_MS = 30_000;
const CONFIG_MS = 5_000;

const ACTIONS: Readonly<Record<Exclude<HostControl, 'hard-reset' | 'shutdown'>, ServiceAction>> = {
  ...{ start: 'start', stop: 'stop', restart: 'restart' },
  'soft-reset': 'reload',
};

/** What the reference's watcher does for a Manager's administrator (state.md §9.3). */
@injectable()
export class ControlHost implements HostUseCases {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(HostServices) private readonly services: HostServices,
    @inject(VolumeMounts) private readonly mounts: VolumeMounts,
    @inject(HostPaths) private readonly paths: HostPaths,
    @inject(ConfigSource) private readonly config: ConfigSource,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async serviceState(signal: AbortSignal): Promise<string | null> {
    return (await this.services.state(this.settings.watcher.targetService, { signal, timeoutMs: CALL_MS })) ?? null;
  }

  async control(action: HostControl, signal: AbortSignal): Promise<boolean> {
    const { targetService, softResetAvailable } = this.settings.watcher;
    if (action === 'soft-reset' && !softResetAvailable) {
      throw permissionDenied('soft resets are not allowed', {
        field: 'watcher.soft-reset-available',
        allowed: 'true',
        hint: 'allow them in the configuration, or use hard-reset',
      });
    }
    this.logger.warn('the host is controlled from outside', { action, unit: targetService });
    const call = { signal, timeoutMs: CALL_MS };
    if (action === 'shutdown') return this.services.powerOff(call);
    if (action === 'hard-reset') return this.services.cycle(targetService, ENGINE_UNIT, call);
    return this.services.act(ACTIONS[action], targetService, call);
  }

  fstab(): Promise<string> {
    return this.mounts.fstab();
  }

  async listMounts(signal: AbortSignal): Promise<readonly string[]> {
    return this.mounts.list([await this.#prefix(signal), DEFAULT_PREFIX]);
  }

  async mount({ name, persist, ...volume }: MountRequest, signal: AbortSignal): Promise<string> {
    const target = await this.#target(name, signal);
    await this.mounts.mount({ ...volume, target }, persist, { signal, timeoutMs: CALL_MS });
    this.logger.info('a volume was mounted', { target, type: volume.type });
    return target;
  }

  async unmount(name: string, forget: boolean, signal: AbortSignal): Promise<string> {
    const target = await this.#target(name, signal);
    await this.mounts.unmount(target, forget, { signal, timeoutMs: CALL_MS });
    this.logger.info('a volume was unmounted', { target });
    return target;
  }

  /** A folder strictly below the mount prefix, symlinks included. */
  async #target(name: string, signal: AbortSignal): Promise<string> {
    const prefix = await this.#prefix(signal);
    const target = normalisePath(`${prefix}/${name}`);
    const parent = target.slice(0, Math.max(target.lastIndexOf('/'), 1));
    const isPlain = isBelow(target, prefix) && !name.startsWith('/') && !name.includes('\0');
    const isClean = isPlain && !target.split('/').includes('..');
    if (!isClean || !(await this.#isItself(target)) || !(await this.#isItself(parent))) {
      throw invalidArgument(`'${name.slice(0, 128)}' is no mount name`, {
        field: 'name',
        allowed: `a relative path without "..", not through symlinks, below ${prefix}`,
      });
    }
    return target;
  }

  /** Not there, or there and reached through no symlink. */
  async #isItself(path: string): Promise<boolean> {
    const found = await this.paths.look(path);
    return found === undefined || found.realPath === path;
  }

  async #prefix(signal: AbortSignal): Promise<string> {
    using deadline = this.clock.deadline(CONFIG_MS, signal);
    const volumes = await this.config.getPrefix('volumes', deadline.signal);
    const prefix = volumes['_mount'] ?? volumes['mount'];
    return prefix?.startsWith('/') ? normalisePath(prefix) : DEFAULT_PREFIX;
  }
}
