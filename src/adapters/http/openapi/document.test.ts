import { afterEach, describe, expect, it } from 'vitest';
import { CREATED, KERNEL, scriptedUseCases } from '../../../../test/support/scripted-use-cases.js';
import { type StartedServer, startServer } from '../../../../test/support/http-server.js';
import { ROUTES } from './routes.js';

interface Document {
  readonly paths: Record<string, Record<string, { responses: Record<string, unknown>; requestBody?: unknown }>>;
  readonly components: { readonly schemas: Record<string, { required?: string[]; properties?: object }> };
}

let server: StartedServer | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
});

async function serve(): Promise<{ document: Document; call: StartedServer['call'] }> {
  const usage = {
    cpuMs: 1,
    memBytes: 1,
    memPeakBytes: 1,
    netRxBytes: 1,
    netTxBytes: 1,
    ioReadBytes: 1,
    ioWriteBytes: 1,
  };
  server = await startServer(
    scriptedUseCases({
      usage: () => usage,
      createKernel: () => Promise.resolve(CREATED),
      restartKernel: () => Promise.resolve(CREATED),
      destroyKernel: () => Promise.resolve(),
      interrupt: () => Promise.resolve(),
      complete: () => Promise.resolve([]),
      startService: () => Promise.resolve({ status: 'started' }),
      execute: () => Promise.resolve({ runId: 'r', status: 'finished', exitCode: 0, options: null, console: [] }),
      host: {
        serviceState: () => Promise.resolve(null),
        control: () => Promise.resolve(true),
        fstab: () => Promise.reject(new Error('text')),
        listMounts: () => Promise.resolve(['/mnt/a']),
        mount: () => Promise.reject(new Error('text')),
        unmount: () => Promise.reject(new Error('text')),
      },
      // eslint-disable-next-line @typescript-eslint/require-await -- a generator must be async here
      logs: async function* () {
        yield Buffer.from('{}');
      },
    }),
  );
  return { document: (await server.call('GET', '/openapi.json')).body as Document, call: server.call };
}

/** Answered with text; `http-server.test.ts` and `watcher.test.ts` look at them. */
const NO_JSON: ReadonlySet<string> = new Set(['metrics', 'events', 'fstab', 'mount', 'unmount']);

const BODIES: Readonly<Record<string, unknown>> = {
  createKernel: { image: 'x', resource_slots: { cpu: '1' } },
  execute: { code: '1' },
  complete: { code: '1' },
  startService: {},
};

describe('the OpenAPI document', () => {
  it('names each route once, and each is served as it says', async () => {
    const { document, call } = await serve();
    expect(new Set(ROUTES.map(({ id }) => id)).size).toBe(ROUTES.length);
    for (const route of ROUTES) {
      if (NO_JSON.has(route.id)) continue;
      const path = route.path.replace('{id}', KERNEL).replace('{name}', 'ttyd').replace('{action}', 'start');
      const { status, body } = await call(route.method.toUpperCase(), path, BODIES[route.id]);
      const answer = route.answers[status];
      expect(answer, `${route.id} answered ${status}`).toBeDefined();
      if (answer === undefined || 'media' in answer) continue;
      const shown = (answer.list === true ? (body as object[])[0] : body) as object;
      const schema = document.components.schemas[answer.schema];
      expect(Object.keys(shown), route.id).toEqual(expect.arrayContaining(schema?.required ?? []));
      if (schema?.properties !== undefined) {
        expect(Object.keys(schema.properties), route.id).toEqual(expect.arrayContaining(Object.keys(shown)));
      }
    }
  });

  it('refers only to schemas that it has', async () => {
    const { document } = await serve();
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    );
    expect(references.length).toBeGreaterThan(10);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name ?? '');
  });

  it('describes bodies by the rules that check them', async () => {
    const { document } = await serve();
    expect(document.paths['/kernels']?.['post']?.requestBody).toMatchObject({
      content: {
        'application/json': {
          schema: {
            required: ['image', 'resource_slots'],
            additionalProperties: false,
            properties: {
              kernel_id: { type: 'string', format: 'uuid' },
              image: { type: 'string', minLength: 1, maxLength: 512 },
              auto_pull: { enum: ['digest', 'tag', 'none'] },
              mounts: { type: 'array', maxItems: 256, items: { required: ['source', 'target'] } },
              preopen_ports: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 65535 } },
            },
          },
        },
      },
    });
  });

  it('is the table of routes and nothing else: every served route is in it', async () => {
    const { document } = await serve();
    const { createHttpApplication } = await import('../http-application.js');
    const served: string[] = [];
    const context = { logger: { debug: () => undefined, child: () => ({ debug: () => undefined }) } };
    const { fastify, nest } = await createHttpApplication(context as never, 'x');
    for (const line of fastify.printRoutes({ commonPrefix: false }).split('\n')) served.push(line);
    await nest.close();
    const methods = served.join('\n').match(/\b(GET|POST|DELETE|PUT|PATCH)\b/g) ?? [];
    const described = Object.values(document.paths).flatMap((path) => Object.keys(path));
    expect([...methods].sort()).toEqual(described.map((method) => method.toUpperCase()).sort());
  });
});
