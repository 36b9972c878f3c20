import { ContainerModule } from 'inversify';
import { HealthMonitor } from '../../application/agent/health-monitor.js';
import { Readiness } from '../../application/agent/readiness.js';
import { ReportStatus } from '../../application/agent/report-status.use-case.js';
import { SendHeartbeat } from '../../application/agent/send-heartbeat.use-case.js';
import { ExecuteCode } from '../../application/execution/execute-code.use-case.js';
import { EnsureImage } from '../../application/image/ensure-image.js';
import { CreateKernel } from '../../application/kernel/create-kernel.use-case.js';
import { CreationReport } from '../../application/kernel/creation-report.js';
import { DestroyKernel } from '../../application/kernel/destroy-kernel.use-case.js';
import { HandleEngineEvent } from '../../application/kernel/handle-engine-event.use-case.js';
import { KernelAdopter } from '../../application/kernel/kernel-adopter.js';
import { KernelRegistry } from '../../application/kernel/kernel-registry.js';
import { KernelTerminator } from '../../application/kernel/kernel-terminator.js';
import { ListKernels } from '../../application/kernel/list-kernels.use-case.js';
import { ContainerProvisioner } from '../../application/kernel/provision/container.provisioner.js';
import { ImageProvisioner } from '../../application/kernel/provision/image.provisioner.js';
import { KernelComposer } from '../../application/kernel/provision/kernel-composer.js';
import { PortsProvisioner } from '../../application/kernel/provision/ports.provisioner.js';
import { type Provisioner, Provisioners } from '../../application/kernel/provision/provisioner.js';
import { RunnerProvisioner } from '../../application/kernel/provision/runner.provisioner.js';
import { ScratchProvisioner } from '../../application/kernel/provision/scratch.provisioner.js';
import { SlotsProvisioner } from '../../application/kernel/provision/slots.provisioner.js';
import { StageRunner } from '../../application/kernel/provision/stage-runner.js';
import { StartProvisioner } from '../../application/kernel/provision/start.provisioner.js';
import { PostMortem } from '../../application/kernel/post-mortem.js';
import { ReadLogs } from '../../application/kernel/read-logs.use-case.js';
import { ReconcileKernels } from '../../application/kernel/reconcile-kernels.use-case.js';
import { RestartKernel } from '../../application/kernel/restart-kernel.use-case.js';
import { SpecValidator } from '../../application/kernel/spec-validator.js';
import { EventBus } from '../../application/ports/event-bus.port.js';
import { StartService } from '../../application/service/start-service.use-case.js';
import { SampleUsage } from '../../application/statistics/sample-usage.use-case.js';
import { UseCases } from '../../application/use-cases.js';

const SINGLETONS = [
  HealthMonitor,
  Readiness,
  ReportStatus,
  SendHeartbeat,
  ExecuteCode,
  EnsureImage,
  CreateKernel,
  CreationReport,
  DestroyKernel,
  HandleEngineEvent,
  KernelAdopter,
  KernelComposer,
  KernelRegistry,
  KernelTerminator,
  ListKernels,
  PostMortem,
  ReadLogs,
  ReconcileKernels,
  RestartKernel,
  SampleUsage,
  SpecValidator,
  StageRunner,
  StartService,
];

/** In order of set-up: the one place that says what making a kernel consists of. */
const STAGES = [
  ImageProvisioner,
  SlotsProvisioner,
  PortsProvisioner,
  ScratchProvisioner,
  ContainerProvisioner,
  StartProvisioner,
  RunnerProvisioner,
];

/** Everything of the application layer, and the record through which the driving adapters reach it. */
export const useCasesModule = new ContainerModule(({ bind }) => {
  for (const type of SINGLETONS)
    bind(type as new () => object)
      .toSelf()
      .inSingletonScope();
  for (const type of STAGES) bind<Provisioner>(type).toSelf().inSingletonScope();
  bind(Provisioners)
    .toDynamicValue((context) => STAGES.map((stage) => context.get<Provisioner>(stage)))
    .inSingletonScope();
  bind(UseCases)
    .toDynamicValue((context): UseCases => {
      const create = context.get(CreateKernel);
      const destroy = context.get(DestroyKernel);
      const restart = context.get(RestartKernel);
      const code = context.get(ExecuteCode);
      const service = context.get(StartService);
      const logs = context.get(ReadLogs);
      const kernels = context.get(ListKernels);
      const usage = context.get(SampleUsage);
      const status = context.get(ReportStatus);
      const health = context.get(HealthMonitor);
      const events = context.get<EventBus>(EventBus);
      return {
        createKernel: (spec, signal) => create.execute(spec, signal),
        destroyKernel: (request, signal) => destroy.execute(request, signal),
        restartKernel: (id, signal) => restart.execute(id, signal),
        execute: (request, signal) => code.execute(request, signal),
        interrupt: (id) => code.interrupt(id),
        complete: (id, text, options, signal) => code.complete(id, text, options, signal),
        startService: (id, name, options, signal) => service.execute(id, name, options, signal),
        logs: (id, options, signal) => logs.execute(id, options, signal),
        listKernels: () => kernels.execute(),
        getKernel: (id) => kernels.one(id),
        usage: (id) => usage.of(id),
        status: () => status.execute(),
        health: () => health.report(),
        subscribe: (listener, since) => events.subscribe(listener, since),
      };
    })
    .inSingletonScope();
});
