import type { Kernelspec } from './kernelspec.js';

/** Seconds for which ipykernel collects what was written before it sends it; its own default is 0.2. */
const FLUSH_INTERVAL_S = 0.02;
/** Output of programs may come so long after the kernel has become idle. */
const LATE_MS = { ipykernel: 60, other: 250 };

const isIpykernel = ({ argv }: Kernelspec): boolean => argv.some((part) => /^ipykernel(?:_launcher)?$/.test(part));

/**
 * Makes ipykernel send what programs write soon after they wrote it, so that the end of a run need not wait long for it.
 * Said on its command line, as a user's own configuration would say it; the names of the user's code are left alone.
 */
export function promptArgv(spec: Kernelspec): readonly string[] {
  if (!isIpykernel(spec)) return spec.argv;
  const sets = ['stdout', 'stderr'].map(
    (name) => `setattr(__import__("sys").${name}, "flush_interval", ${FLUSH_INTERVAL_S})`,
  );
  return [...spec.argv, ...sets.map((line) => `--IPKernelApp.exec_lines=${line}`)];
}

export function lateOutputMs(spec: Kernelspec): number {
  return isIpykernel(spec) ? LATE_MS.ipykernel : LATE_MS.other;
}
