import type { Call } from '../../application/ports/call.js';
import type {
  CommitSpec,
  ContainerEngine,
  ImageDetails,
  ImageSummary,
  RemoveImageOptions,
  TransferOptions,
  TransferProgress,
} from '../../application/ports/container-engine.port.js';
import { engineError, invalidArgument } from '../../domain/error/errors.js';
import { EngineRefusal, errorOfProgress, orMissing } from './docker-errors.js';
import { type EngineConnection, type EngineRequest, parseJson } from './engine-connection.js';
import { idSchema, imageListSchema, imageSchema, progressSchema } from './engine-schemas.js';
import { linesOf } from './engine-streams.js';
import { checkReference, parseImageName } from './image-name.js';
import { inScope, OperationScope } from './operation-scope.js';
import { containerPath, limits } from './requests.js';
import type { DockerLogins } from './registry-credentials.js';

/** What an anonymous push has to send: the engine insists on the header. */
const NO_LOGIN = Buffer.from('{}').toString('base64');

type ImageMethods =
  | 'inspectImage'
  | 'listImages'
  | 'pullImage'
  | 'pushImage'
  | 'importImage'
  | 'tagImage'
  | 'exportImage'
  | 'removeImage'
  | 'commitContainer';

/** The part of the ContainerEngine port that is about images. */
export class DockerImages implements Pick<ContainerEngine, ImageMethods> {
  constructor(
    protected readonly connection: EngineConnection,
    private readonly logins: DockerLogins,
  ) {}

  inspectImage(reference: string, call: Call): Promise<ImageDetails | undefined> {
    return inScope(call, limits.look, `inspect image ${reference}`, (signal) =>
      orMissing(this.connection.json({ method: 'GET', path: `${imagePath(reference)}/json` }, imageSchema, signal)),
    );
  }

  listImages(call: Call): Promise<readonly ImageSummary[]> {
    return inScope(call, limits.list, 'list images', (signal) =>
      this.connection.json({ method: 'GET', path: '/images/json' }, imageListSchema, signal),
    );
  }

  pullImage(reference: string, options: TransferOptions, call: Call): Promise<void> {
    const operation = `pull image ${reference}`;
    return inScope(call, limits.transfer, operation, async (signal) => {
      const { repository, version } = parseImageName(reference);
      const auth = await this.logins.headerFor(reference, options.credentials, signal);
      await this.#progress(
        {
          method: 'POST',
          path: '/images/create',
          query: { fromImage: repository, tag: version },
          ...(auth && { headers: { 'X-Registry-Auth': auth } }),
        },
        operation,
        signal,
        options.onProgress,
      );
    });
  }

  pushImage(reference: string, options: TransferOptions, call: Call): Promise<void> {
    const operation = `push image ${reference}`;
    return inScope(call, limits.transfer, operation, async (signal) => {
      const { repository, version } = parseTaggedName(reference);
      const auth = await this.logins.headerFor(reference, options.credentials, signal);
      await this.#progress(
        {
          method: 'POST',
          path: `${imagePath(repository)}/push`,
          query: { tag: version },
          headers: { 'X-Registry-Auth': auth ?? NO_LOGIN },
        },
        operation,
        signal,
        options.onProgress,
      );
    });
  }

  importImage(
    tar: AsyncIterable<Uint8Array>,
    reference: string,
    changes: readonly string[],
    call: Call,
  ): Promise<void> {
    const operation = `import image ${reference}`;
    return inScope(call, limits.stream, operation, async (signal) => {
      const { repository, version } = parseTaggedName(reference);
      const query = { fromSrc: '-', repo: repository, tag: version, changes };
      await this.#progress({ method: 'POST', path: '/images/create', query, upload: tar }, operation, signal);
    });
  }

  tagImage(reference: string, target: string, call: Call): Promise<void> {
    return inScope(call, limits.change, `tag image ${reference} as ${target}`, (signal) => {
      const { repository, version } = parseTaggedName(target);
      const query = { repo: repository, tag: version };
      return this.connection.send({ method: 'POST', path: `${imagePath(reference)}/tag`, query }, signal);
    });
  }

  async *exportImage(reference: string, call: Call): AsyncGenerator<Uint8Array> {
    const scope = new OperationScope(call, limits.stream, `export image ${reference}`);
    try {
      const request: EngineRequest = { method: 'GET', path: `${imagePath(reference)}/get` };
      yield* (await scope.race(this.connection.open(request, scope.signal))) as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope[Symbol.dispose]();
    }
  }

  removeImage(reference: string, { force, noPrune }: RemoveImageOptions, call: Call): Promise<void> {
    return inScope(call, limits.change, `remove image ${reference}`, async (signal) => {
      const query = { force: force ? '1' : '0', noprune: noPrune ? '1' : '0' };
      await orMissing(this.connection.send({ method: 'DELETE', path: imagePath(reference), query }, signal));
    });
  }

  commitContainer(id: string, { reference, labels, entrypoint, cmd }: CommitSpec, call: Call): Promise<string> {
    return inScope(call, limits.stream, `commit container ${id}`, async (signal) => {
      // Checked like the id of a container in a path: here it is in the query.
      const query = { container: containerPath(id).slice('/containers/'.length), pause: '1', ...named(reference) };
      // The engine fills what is missing here from the container's own configuration. Labels given so may hold any
      // character; the words of `changes` would have to be quoted.
      const body = { Labels: labels, Entrypoint: entrypoint, Cmd: cmd };
      try {
        return (await this.connection.json({ method: 'POST', path: '/commit', query, body }, idSchema, signal)).Id;
      } catch (error) {
        if (error instanceof EngineRefusal && error.status === 404) throw engineError(`There is no container ${id}`);
        throw error;
      }
    });
  }

  /** Reads a progress stream to its end: success is that it had items, none of them an error. */
  async #progress(
    request: EngineRequest,
    operation: string,
    signal: AbortSignal,
    onProgress?: (progress: TransferProgress) => void,
  ): Promise<void> {
    let items = 0;
    for await (const line of linesOf(await this.connection.open(request, signal))) {
      const { failure, progress } = parseJson(line, progressSchema);
      if (failure) throw errorOfProgress(operation, failure);
      items += 1;
      onProgress?.(progress);
    }
    if (items === 0) throw engineError(`The container engine did not say whether it could ${operation}`);
  }
}

function named(reference: string | undefined): Record<string, string> {
  if (reference === undefined) return {};
  const { repository, version } = parseTaggedName(reference);
  return { repo: repository, tag: version };
}

/** A name that something can be given: a digest is not for us to choose. */
function parseTaggedName(reference: string): { readonly repository: string; readonly version: string } {
  const name = parseImageName(reference);
  if (name.isDigest) throw invalidArgument(`${reference}: a tag is needed, not a digest`, { field: 'image' });
  return name;
}

function imagePath(reference: string): string {
  checkReference(reference);
  return `/images/${reference.split('/').map(encodeURIComponent).join('/')}`;
}
