import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../src/adapters/docker/docker-endpoint.js';
import {
  DebianImageBuilder,
  PYTHON_PACKAGES,
  type BuildProgress,
} from '../../src/adapters/image-builder/debian-image-builder.js';
import { DebianPackages } from '../../src/adapters/image-builder/debian-packages.js';

const REFERENCE = `bai-test/built-${process.pid}:1`;

describe('DebianImageBuilder with real packages and a real engine', () => {
  const docker = new Docker();
  let engine: DockerContainerEngine;
  let directory: string;

  beforeAll(async () => {
    engine = new DockerContainerEngine({ endpoint: await findDockerEndpoint() });
    directory = await mkdtemp(join(tmpdir(), 'image-builder-'));
  });
  afterAll(async () => {
    await docker
      .getImage(REFERENCE)
      .remove()
      .catch(() => undefined);
    await rm(directory, { recursive: true });
  });
  const build = (signal: AbortSignal, onProgress?: (progress: BuildProgress) => void) =>
    new DebianImageBuilder(engine, new DebianPackages(), directory).build(
      {
        reference: REFERENCE,
        packages: PYTHON_PACKAGES,
        changes: ['CMD ["python3"]', 'ENV LANG=C.UTF-8', 'LABEL x=y'],
        ...(onProgress ? { onProgress } : {}),
      },
      { signal },
    );

  it('leaves nothing when it is cancelled in the middle', async () => {
    const controller = new AbortController();
    const building = build(controller.signal, ({ step }) => {
      if (step === 'import') controller.abort();
    });
    await expect(building).rejects.toHaveProperty('name', 'AbortError');
    expect(await readdir(directory)).toEqual([]);
    expect(await engine.inspectImage(REFERENCE, { signal: new AbortController().signal })).toBeUndefined();
  });

  it('makes an image in which Python and a shell work for any user', async () => {
    const steps: string[] = [];
    const started = performance.now();
    await build(new AbortController().signal, ({ step }) => {
      if (steps.at(-1) !== step) steps.push(step);
    });
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(steps.filter((step) => step !== 'update')).toEqual(['resolve', 'download', 'compile', 'import']);
    expect(await readdir(directory)).toEqual([]);

    const image = await engine.inspectImage(REFERENCE, { signal: new AbortController().signal });
    expect(image).toMatchObject({ cmd: ['python3'], labels: { x: 'y' }, os: 'linux' });
    expect(image?.sizeBytes).toBeLessThan(150_000_000);

    const program = [
      'import ssl, sqlite3, ctypes, json, zoneinfo, os, subprocess, lzma, bz2, uuid, readline, hashlib',
      'assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 50',
      'assert sqlite3.connect(":memory:").execute("select 6*7").fetchone() == (42,)',
      'assert ctypes.CDLL(None).getpid() == os.getpid()',
      'assert json.__cached__ and os.path.exists(json.__cached__), "not compiled"',
      'zoneinfo.ZoneInfo("Asia/Seoul")',
      'print(subprocess.check_output("id -un; ls -d /tmp; echo hi | sed s/hi/there/; ps -o comm= -p 1", shell=True, text=True))',
    ].join('\n');
    const container = await docker.createContainer({
      Image: REFERENCE,
      Cmd: ['python3', '-c', program],
      User: 'games',
      Tty: true,
    });
    try {
      await container.start();
      const { StatusCode } = (await container.wait()) as { StatusCode: number };
      const output = (await container.logs({ stdout: true, stderr: true })).toString();
      expect(output.trim().split(/\s+/)).toEqual(['games', '/tmp', 'there', 'python3']);
      expect(StatusCode).toBe(0);
    } finally {
      await container.remove({ force: true });
    }
  });
});
