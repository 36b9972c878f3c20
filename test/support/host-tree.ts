import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HostRoots } from '../../src/adapters/accelerator/host-files.js';

/** Pseudo files for the test that calls it; keys are paths below `proc/`, `sys/` and `cgroup/`. */
export async function hostTree(files: Readonly<Record<string, string>>, cgroupDriver?: string): Promise<HostRoots> {
  const root = await mkdtemp(join(tmpdir(), 'bai-host-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), `${text}\n`);
  }
  return {
    procRoot: join(root, 'proc'),
    sysRoot: join(root, 'sys'),
    cgroupRoot: join(root, 'cgroup'),
    ...(cgroupDriver === undefined ? {} : { cgroupDriver }),
  };
}
