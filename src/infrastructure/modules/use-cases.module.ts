import { ContainerModule } from 'inversify';
import { AnnounceService } from '../../application/agent/announce-service.use-case.js';
import { AnswerVolumeMessages } from '../../application/agent/answer-volume-messages.js';
import { HealthMonitor } from '../../application/agent/health-monitor.js';
import { NodeRequests } from '../../application/agent/node-requests.use-case.js';
import { NodeResourceGroup } from '../../application/agent/node-resource-group.js';
import { KernelPresence } from '../../application/agent/kernel-presence.use-case.js';
import { PublishAbuseReports } from '../../application/agent/publish-abuse-reports.use-case.js';
import { PublishAgentFacts } from '../../application/agent/publish-agent-facts.use-case.js';
import { PublishInstalledImages } from '../../application/agent/publish-installed-images.use-case.js';
import { Readiness } from '../../application/agent/readiness.js';
import { ReportFault } from '../../application/agent/report-fault.use-case.js';
import { RegisterAgent } from '../../application/agent/register-agent.use-case.js';
import { ReportStatus } from '../../application/agent/report-status.use-case.js';
import { SendHeartbeat } from '../../application/agent/send-heartbeat.use-case.js';
import { ExecuteCode } from '../../application/execution/execute-code.use-case.js';
import { RunBatch } from '../../application/execution/run-batch.use-case.js';
import { BackgroundTasks } from '../../application/background-task/background-tasks.js';
import { CheckAndPull } from '../../application/image/check-and-pull.use-case.js';
import { CommitKernel } from '../../application/image/commit-kernel.use-case.js';
import { CommitStatus } from '../../application/image/commit-status.js';
import { EnsureImage } from '../../application/image/ensure-image.js';
import { ListInstalledImages } from '../../application/image/list-installed-images.use-case.js';
import { PurgeImages } from '../../application/image/purge-images.use-case.js';
import { PushImage } from '../../application/image/push-image.use-case.js';
import { SharedPulls } from '../../application/image/shared-pulls.js';
import { ControlHost } from '../../application/host/control-host.use-case.js';
import { AccessFiles } from '../../application/file/access-files.use-case.js';
import { ContainerLogKeeper } from '../../application/kernel/container-log-keeper.js';
import { CreateKernel } from '../../application/kernel/create-kernel.use-case.js';
import { CreationReport } from '../../application/kernel/creation-report.js';
import { DestroyKernel } from '../../application/kernel/destroy-kernel.use-case.js';
import { HandleEngineEvent } from '../../application/kernel/handle-engine-event.use-case.js';
import { KernelAdopter } from '../../application/kernel/kernel-adopter.js';
import { KernelCare } from '../../application/kernel/kernel-care.use-case.js';
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
import { AssignedPorts } from '../../application/network/assigned-ports.js';
import { ClusterNetworks } from '../../application/network/cluster-networks.js';
import { EventBus } from '../../application/ports/event-bus.port.js';
import { StartService } from '../../application/service/start-service.use-case.js';
import { Collection } from '../../application/statistics/collection.js';
import { KernelSeries } from '../../application/statistics/kernel-series.js';
import { KernelStatistics } from '../../application/statistics/kernel-statistics.use-case.js';
import { NodeStatistics } from '../../application/statistics/node-statistics.use-case.js';
import { ProcessStatistics } from '../../application/statistics/process-statistics.use-case.js';
import { SampleUsage } from '../../application/statistics/sample-usage.use-case.js';
import {
  FileUseCases,
  HostUseCases,
  ImageUseCases,
  KernelCareUseCases,
  NetworkUseCases,
  NodeUseCases,
  UseCases,
} from '../../application/use-cases.js';

const SINGLETONS = [
  AnswerVolumeMessages,
  AnnounceService,
  KernelPresence,
  PublishAbuseReports,
  PublishAgentFacts,
  PublishInstalledImages,
  ContainerLogKeeper,
  AssignedPorts,
  ClusterNetworks,
  HealthMonitor,
  NodeResourceGroup,
  Readiness,
  ReportFault,
  RegisterAgent,
  ReportStatus,
  SendHeartbeat,
  ExecuteCode,
  RunBatch,
  BackgroundTasks,
  CheckAndPull,
  CommitKernel,
  CommitStatus,
  EnsureImage,
  ListInstalledImages,
  PurgeImages,
  PushImage,
  SharedPulls,
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
  Collection,
  KernelSeries,
  KernelStatistics,
  NodeStatistics,
  ProcessStatistics,
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
  bind<HostUseCases>(HostUseCases).to(ControlHost).inSingletonScope();
  bind(Provisioners)
    .toDynamicValue((context) => STAGES.map((stage) => context.get<Provisioner>(stage)))
    .inSingletonScope();
  bind<KernelCareUseCases>(KernelCareUseCases).to(KernelCare).inSingletonScope();
  bind<FileUseCases>(FileUseCases).to(AccessFiles).inSingletonScope();
  bind<NodeUseCases>(NodeUseCases).to(NodeRequests).inSingletonScope();
  bind(ImageUseCases)
    .toDynamicValue((context): ImageUseCases => {
      const checks = context.get(CheckAndPull);
      const pushes = context.get(PushImage);
      const purges = context.get(PurgeImages);
      const commits = context.get(CommitKernel);
      const status = context.get(CommitStatus);
      return {
        isPulling: (canonical) => checks.isPulling(canonical),
        checkAndPull: (images) => checks.execute(images),
        push: (request) => pushes.execute(request),
        purge: (canonicals, options, signal) => purges.execute(canonicals, options, signal),
        commit: (request) => commits.execute(request),
        commitStatus: (kernelId, subfolder) => status.of(kernelId, subfolder),
      };
    })
    .inSingletonScope();
  bind(NetworkUseCases)
    .toDynamicValue((context): NetworkUseCases => {
      const networks = context.get(ClusterNetworks);
      const ports = context.get(AssignedPorts);
      return {
        create: (name, signal) => networks.create(name, signal),
        destroy: (name, signal) => networks.destroy(name, signal),
        assignPort: () => ports.assign(),
        releasePort: (port) => ports.release(port),
      };
    })
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
      const faults = context.get(ReportFault);
      const health = context.get(HealthMonitor);
      const events = context.get<EventBus>(EventBus);
      return {
        createKernel: (spec, signal) => create.execute(spec, signal),
        destroyKernel: (request, signal) => destroy.execute(request, signal),
        restartKernel: (id, signal) => restart.execute(id, signal),
        execute: (request, signal) => code.execute(request, signal),
        interrupt: (id, signal) => code.interrupt(id, signal),
        complete: (id, text, options, signal) => code.complete(id, text, options, signal),
        startService: (id, name, options, signal) => service.execute(id, name, options, signal),
        logs: (id, options, signal) => logs.execute(id, options, signal),
        listKernels: () => kernels.execute(),
        getKernel: (id) => kernels.one(id),
        usage: (id) => usage.of(id),
        status: () => status.execute(),
        health: () => health.current(),
        get kernelCare() {
          return context.get<KernelCareUseCases>(KernelCareUseCases);
        },
        get images() {
          return context.get<ImageUseCases>(ImageUseCases);
        },
        get files() {
          return context.get<FileUseCases>(FileUseCases);
        },
        get networks() {
          return context.get<NetworkUseCases>(NetworkUseCases);
        },
        get node() {
          return context.get<NodeUseCases>(NodeUseCases);
        },
        host: context.get<HostUseCases>(HostUseCases),
        reportFault: (error, place) => faults.execute(error, place),
        subscribe: (listener, since) => events.subscribe(listener, since),
      };
    })
    .inSingletonScope();
});
