import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/**
 * An image registry on the loopback, which every engine accepts without TLS. Serves images of one layer, asks for a
 * password where it is told to, and can leave a download hanging.
 */
export class StubRegistry implements AsyncDisposable {
  /** `user:password` that requests must carry; none = open to everybody. */
  password: string | undefined;
  /** Takes requests for layers and never answers. */
  stallsLayers = false;
  readonly #documents = new Map<string, { type: string; body: Buffer }>();
  readonly #layers = new Set<string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<StubRegistry> {
    const registry = new StubRegistry();
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Publishes an image of one tar layer; gives its full reference. */
  add(name: string, tag: string, layer: Buffer, options: { architecture?: string; asList?: boolean } = {}): string {
    const { architecture = 'amd64', asList = false } = options;
    const digestOf = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
    const packed = gzipSync(layer);
    const config = Buffer.from(
      JSON.stringify({
        architecture,
        os: 'linux',
        config: { Labels: { from: 'stub' } },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
        history: [{ created_by: 'test' }],
      }),
    );
    const schema = 'application/vnd.docker.distribution.manifest.v2+json';
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: schema,
        config: {
          mediaType: 'application/vnd.docker.container.image.v1+json',
          size: config.length,
          digest: digestOf(config),
        },
        layers: [
          {
            mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
            size: packed.length,
            digest: digestOf(packed),
          },
        ],
      }),
    );
    const path = `/v2/${name}`;
    this.#documents.set(`${path}/blobs/${digestOf(config)}`, { type: 'application/octet-stream', body: config });
    this.#documents.set(`${path}/blobs/${digestOf(packed)}`, { type: 'application/octet-stream', body: packed });
    this.#layers.add(`${path}/blobs/${digestOf(packed)}`);
    const listSchema = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const entry = { mediaType: schema, size: manifest.length, digest: digestOf(manifest) };
    const manifests = [{ ...entry, platform: { architecture, os: 'linux' } }];
    const list = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: listSchema, manifests }));
    const documents = [{ type: schema, body: manifest }, ...(asList ? [{ type: listSchema, body: list }] : [])];
    for (const document of documents) {
      this.#documents.set(`${path}/manifests/${digestOf(document.body)}`, document);
      this.#documents.set(`${path}/manifests/${tag}`, document);
    }
    return `${this.host}/${name}:${tag}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const expected = this.password && `Basic ${Buffer.from(this.password).toString('base64')}`;
    const path = request.url ?? '';
    const document = this.#documents.get(path);
    const fail = (status: number, code: string): void => {
      response.writeHead(status, { 'WWW-Authenticate': 'Basic realm="stub"', 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replace('_', ' ') }] }));
    };
    if (expected && request.headers.authorization !== expected) fail(401, 'UNAUTHORIZED');
    else if (path === '/v2/') response.end('{}');
    else if (!document) fail(404, path.includes('/manifests/') ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN');
    else if (this.stallsLayers && this.#layers.has(path)) return;
    else {
      const digest = `sha256:${createHash('sha256').update(document.body).digest('hex')}`;
      response.writeHead(200, {
        'Content-Type': document.type,
        'Content-Length': document.body.length,
        'Docker-Content-Digest': digest,
      });
      response.end(request.method === 'HEAD' ? undefined : document.body);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
