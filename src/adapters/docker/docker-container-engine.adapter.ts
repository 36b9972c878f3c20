import type { IncomingMessage } from 'node:http';
import type { Call } from '../../application/ports/call.js';
import type {
  ContainerDetails,
  ContainerEngine,
  ContainerSpec,
  ContainerSummary,
  EngineEvent,
  EngineInfo,
  ExecResult,
  ExecSpec,
  LogOptions,
} from '../../application/ports/container-engine.port.js';
import { engineError, engineUnavailable } from '../../domain/error/errors.js';
import { containerCreateRequest } from './container-create-request.js';
import type { DockerEndpoint } from './docker-endpoint.js';
import { EngineRefusal, orMissing } from './docker-errors.js';
import { DockerEventWatch, eventWatchTiming, type EventWatchTiming } from './docker-event-watch.js';
import { DockerImages } from './docker-images.js';
import { EngineConnection, type EngineRequest } from './engine-connection.js';
import {
  containerListSchema,
  containerSchema,
  execSchema,
  idSchema,
  infoSchema,
  networkListSchema,
} from './engine-schemas.js';
import { demultiplex, OutputCapture } from './engine-streams.js';
import { IdleWatchdog } from './idle-watchdog.js';
import { inScope, OperationScope } from './operation-scope.js';
import { DockerLogins } from './registry-credentials.js';
import { containerPath, limits, namedPath } from './requests.js';

/** What stopping may take beyond the grace of the container. */
const STOP_MARGIN_MS = 30_000;
const POLL_MS = 50;

export interface DockerEngineOptions {
  readonly endpoint: DockerEndpoint;
  /** Where to find registry credentials for pulls that bring none. */
  readonly logins?: DockerLogins;
  readonly eventTiming?: Partial<EventWatchTiming>;
}

/**
 * The ContainerEngine port on the Docker API ≥ 1.41. Default deadlines: looking 10 s, listing 30 s, changing 60 s,
 * stopping the grace + 30 s, archives, commit, export, import and logs 10 min, pulling and pushing 2 h; followed logs and events have none. A
 * command started by `exec` is not ended with its call: the engine offers no way to.
 */
export class DockerContainerEngine extends DockerImages implements ContainerEngine {
  readonly #eventTiming: EventWatchTiming;

  constructor(options: DockerEngineOptions) {
    super(new EngineConnection(options.endpoint), options.logins ?? new DockerLogins());
    this.#eventTiming = { ...eventWatchTiming, ...options.eventTiming };
  }

  info(call: Call): Promise<EngineInfo> {
    return inScope(call, limits.look, 'describe itself', async (signal) => {
      const info = await this.connection.json({ method: 'GET', path: '/info' }, infoSchema, signal);
      return { ...info, apiVersion: await this.connection.apiVersion(signal) };
    });
  }

  createContainer(spec: ContainerSpec, call: Call): Promise<string> {
    return inScope(call, limits.change, `create container ${spec.name}`, async (signal) => {
      const body = containerCreateRequest(spec);
      const request: EngineRequest = { method: 'POST', path: '/containers/create', query: { name: spec.name }, body };
      return (await this.connection.json(request, idSchema, signal)).Id;
    });
  }

  startContainer(id: string, call: Call): Promise<void> {
    return inScope(call, limits.change, `start container ${id}`, (signal) =>
      this.connection.send({ method: 'POST', path: `${containerPath(id)}/start` }, signal),
    );
  }

  stopContainer(id: string, graceMs: number, call: Call): Promise<void> {
    return inScope(call, graceMs + STOP_MARGIN_MS, `stop container ${id}`, async (signal) => {
      const query = { t: String(Math.ceil(graceMs / 1000)) };
      await orMissing(this.connection.send({ method: 'POST', path: `${containerPath(id)}/stop`, query }, signal));
    });
  }

  killContainer(id: string, signalName: string, call: Call): Promise<void> {
    return inScope(call, limits.change, `send ${signalName} to container ${id}`, (signal) =>
      this.connection.send(
        { method: 'POST', path: `${containerPath(id)}/kill`, query: { signal: signalName } },
        signal,
      ),
    );
  }

  removeContainer(id: string, call: Call): Promise<void> {
    return inScope(call, limits.change, `remove container ${id}`, async (signal) => {
      const request: EngineRequest = { method: 'DELETE', path: containerPath(id), query: { force: '1', v: '1' } };
      try {
        await orMissing(this.connection.send(request, signal));
      } catch (error) {
        if (!(error instanceof EngineRefusal && error.status === 409 && /already in progress/.test(error.reason)))
          throw error;
        // Somebody else removes it right now: gone is what was asked for.
        while (await this.#inspect(id, signal)) await pause(signal);
      }
    });
  }

  inspectContainer(idOrName: string, call: Call): Promise<ContainerDetails | undefined> {
    return inScope(call, limits.look, `inspect container ${idOrName}`, async (signal) => {
      return (await this.#inspect(idOrName, signal))?.details;
    });
  }

  listContainers(labels: Readonly<Record<string, string>>, call: Call): Promise<readonly ContainerSummary[]> {
    return inScope(call, limits.list, 'list containers', (signal) =>
      this.connection.json(
        { method: 'GET', path: '/containers/json', query: { all: '1', filters: labelFilter(labels) } },
        containerListSchema,
        signal,
      ),
    );
  }

  async *containerLogs(id: string, options: LogOptions, call: Call): AsyncGenerator<Uint8Array> {
    const follow = options.follow ?? false;
    const scope = new OperationScope(call, limits.stream, `send the log of container ${id}`);
    let watchdog: IdleWatchdog | undefined;
    try {
      const { body, tty } = await scope.race(this.#openLogs(id, options, scope.signal));
      if (follow) {
        if (call.timeoutMs === undefined) scope.lift();
        const { idleProbeMs } = this.#eventTiming;
        watchdog = new IdleWatchdog(body, idleProbeMs, () => this.#signOfLife(scope.signal));
      }
      if (tty) yield* body as AsyncIterable<Uint8Array>;
      else for await (const chunk of demultiplex(body)) yield chunk.data;
    } catch (error) {
      throw scope.explain(error);
    } finally {
      watchdog?.[Symbol.dispose]();
      scope[Symbol.dispose]();
    }
  }

  exec(id: string, command: ExecSpec, call: Call): Promise<ExecResult> {
    return inScope(call, limits.change, `run a command in container ${id}`, async (signal) => {
      const body = {
        AttachStdout: true,
        AttachStderr: true,
        Tty: false,
        Cmd: command.command,
        ...(command.user && { User: command.user }),
        ...(command.env && { Env: Object.entries(command.env).map(([key, value]) => `${key}=${value}`) }),
        ...(command.workingDir && { WorkingDir: command.workingDir }),
      };
      const created = await this.connection.json(
        { method: 'POST', path: `${containerPath(id)}/exec`, body },
        idSchema,
        signal,
      );
      const path = `/exec/${encodeURIComponent(created.Id)}`;
      const start: EngineRequest = { method: 'POST', path: `${path}/start`, body: { Detach: false, Tty: false } };
      const output = new OutputCapture();
      for await (const chunk of demultiplex(await this.connection.open(start, signal))) output.add(chunk);
      // The end of the output and the end of the command are two things; a cut connection looks like the first.
      for (;;) {
        const state = await this.connection.json({ method: 'GET', path: `${path}/json` }, execSchema, signal);
        if (!state.Running) {
          return { exitCode: state.ExitCode ?? -1, stdout: output.text('stdout'), stderr: output.text('stderr') };
        }
        await pause(signal);
      }
    });
  }

  async *getArchive(id: string, path: string, call: Call): AsyncGenerator<Uint8Array> {
    const scope = new OperationScope(call, limits.stream, `read ${path} of container ${id}`);
    try {
      const request: EngineRequest = { method: 'GET', path: `${containerPath(id)}/archive`, query: { path } };
      yield* (await scope.race(this.connection.open(request, scope.signal))) as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope[Symbol.dispose]();
    }
  }

  putArchive(id: string, path: string, tar: AsyncIterable<Uint8Array>, call: Call): Promise<void> {
    return inScope(call, limits.stream, `write to ${path} of container ${id}`, (signal) =>
      this.connection.send(
        { method: 'PUT', path: `${containerPath(id)}/archive`, query: { path }, upload: tar },
        signal,
      ),
    );
  }

  createNetwork(name: string, labels: Readonly<Record<string, string>>, call: Call): Promise<string> {
    return inScope(call, limits.change, `create network ${name}`, async (signal) => {
      const body = { Name: name, CheckDuplicate: true, Driver: 'bridge', Labels: labels };
      return (await this.connection.json({ method: 'POST', path: '/networks/create', body }, idSchema, signal)).Id;
    });
  }

  removeNetwork(idOrName: string, call: Call): Promise<void> {
    return inScope(call, limits.change, `remove network ${idOrName}`, async (signal) => {
      await orMissing(this.connection.send({ method: 'DELETE', path: namedPath('networks', idOrName) }, signal));
    });
  }

  listNetworks(labels: Readonly<Record<string, string>>, call: Call): Promise<readonly { id: string; name: string }[]> {
    return inScope(call, limits.list, 'list networks', (signal) =>
      this.connection.json(
        { method: 'GET', path: '/networks', query: { filters: labelFilter(labels) } },
        networkListSchema,
        signal,
      ),
    );
  }

  watchEvents(
    sinceMs: number,
    call: Call,
    onConnection?: (connected: boolean, error?: Error) => void,
  ): AsyncIterable<EngineEvent> {
    return new DockerEventWatch(this.connection, this.#eventTiming, sinceMs, call.signal, onConnection).events();
  }

  #inspect(idOrName: string, signal: AbortSignal): Promise<{ details: ContainerDetails; tty: boolean } | undefined> {
    return orMissing(
      this.connection.json({ method: 'GET', path: `${containerPath(idOrName)}/json` }, containerSchema, signal),
    );
  }

  async #openLogs(
    id: string,
    { follow, tail }: LogOptions,
    signal: AbortSignal,
  ): Promise<{ body: IncomingMessage; tty: boolean }> {
    const container = await this.#inspect(id, signal);
    if (!container) throw engineError(`There is no container ${id}`);
    const query = {
      stdout: '1',
      stderr: '1',
      follow: follow ? '1' : '0',
      tail: tail === undefined ? 'all' : String(tail),
    };
    const request: EngineRequest = { method: 'GET', path: `${containerPath(id)}/logs`, query };
    return { body: await this.connection.open(request, signal), tty: container.tty };
  }

  #signOfLife(signal: AbortSignal): Promise<number> {
    return inScope({ signal }, this.#eventTiming.probeTimeoutMs, 'show a sign of life', (inner) =>
      this.connection.ping(inner),
    ).catch((error: unknown) => {
      throw engineUnavailable('The container engine stopped answering', { cause: error });
    });
  }
}

function labelFilter(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify({ label: Object.entries(labels).map(([key, value]) => `${key}=${value}`) });
}

async function pause(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  signal.throwIfAborted();
}
