import { ContainerModule } from 'inversify';
import { type Dependencies as DependencyList, Dependencies } from '../../application/agent/health-monitor.js';
import { AgentSettings } from '../../application/agent-settings.js';
import { AcceleratorPlugins } from '../../application/ports/accelerator-plugin.port.js';
import { Clock } from '../../application/ports/clock.port.js';
import { ConfigSource } from '../../application/ports/config-source.port.js';
import { ContainerEngine } from '../../application/ports/container-engine.port.js';
import { EventBus } from '../../application/ports/event-bus.port.js';
import { HostPaths } from '../../application/ports/host-paths.port.js';
import { HostPorts } from '../../application/ports/host-ports.port.js';
import { IdGenerator } from '../../application/ports/id-generator.port.js';
import { KernelRunnerConnector } from '../../application/ports/kernel-runner.port.js';
import { KernelStore } from '../../application/ports/kernel-store.port.js';
import { Logger } from '../../application/ports/logger.port.js';
import { RunnerRuntime } from '../../application/ports/runner-runtime.port.js';
import { ScratchStore } from '../../application/ports/scratch-store.port.js';
import { StateStore } from '../../application/ports/state-store.port.js';
import { Telemetry } from '../../application/ports/telemetry.port.js';
import { UsageSource } from '../../application/ports/usage-source.port.js';
import { ResourceBook } from '../../domain/resource/allocator.js';
import { PortPool } from '../../domain/service-port/port-pool.js';

/** Everything that the core asks for: made by `make-driven-adapters.ts`, or by a test that swaps some. */
export interface DrivenAdapters {
  readonly settings: AgentSettings;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly events: EventBus;
  readonly state: StateStore;
  readonly configSource: ConfigSource;
  readonly engine: ContainerEngine;
  readonly runtime: RunnerRuntime;
  readonly runners: KernelRunnerConnector;
  readonly scratch: ScratchStore;
  readonly kernels: KernelStore;
  readonly usage: UsageSource;
  readonly hostPorts: HostPorts;
  readonly hostPaths: HostPaths;
  readonly plugins: AcceleratorPlugins;
  readonly book: ResourceBook;
  readonly portPool: PortPool;
  readonly dependencies: DependencyList;
}

export function drivenAdaptersModule(adapters: DrivenAdapters): ContainerModule {
  return new ContainerModule(({ bind }) => {
    bind(AgentSettings).toConstantValue(adapters.settings);
    bind(Clock).toConstantValue(adapters.clock);
    bind(IdGenerator).toConstantValue(adapters.ids);
    bind(Logger).toConstantValue(adapters.logger);
    bind(Telemetry).toConstantValue(adapters.telemetry);
    bind(EventBus).toConstantValue(adapters.events);
    bind(StateStore).toConstantValue(adapters.state);
    bind(ConfigSource).toConstantValue(adapters.configSource);
    bind(ContainerEngine).toConstantValue(adapters.engine);
    bind(RunnerRuntime).toConstantValue(adapters.runtime);
    bind(KernelRunnerConnector).toConstantValue(adapters.runners);
    bind(ScratchStore).toConstantValue(adapters.scratch);
    bind(KernelStore).toConstantValue(adapters.kernels);
    bind(UsageSource).toConstantValue(adapters.usage);
    bind(HostPorts).toConstantValue(adapters.hostPorts);
    bind(HostPaths).toConstantValue(adapters.hostPaths);
    bind(AcceleratorPlugins).toConstantValue(adapters.plugins);
    bind(ResourceBook).toConstantValue(adapters.book);
    bind(PortPool).toConstantValue(adapters.portPool);
    bind(Dependencies).toConstantValue(adapters.dependencies);
  });
}
