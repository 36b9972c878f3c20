import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const KIB = 1024;

/** Proportional set size: private memory, and of what is shared the process's part. In bytes. */
export function pssOf(pid: number): number {
  return field(`/proc/${pid}/smaps_rollup`, 'Pss');
}

/** Resident memory in bytes. */
export function rssOf(pid: number): number {
  return field(`/proc/${pid}/status`, 'VmRSS');
}

/** Milliseconds of CPU that a process has used, its threads included. Its children are not. */
export function cpuMsOf(pid: number): number {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '');
  const [userTicks = 0, systemTicks = 0] = afterName.split(' ').slice(11, 13).map(Number);
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ((userTicks + systemTicks) * 1000) / ticksPerSecond;
}

/** The first child of a process: in a container, what its init has started. */
export function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

let ticksPerSecond: number | undefined;

function field(file: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(file, 'utf8'))?.[1];
  return Number(value) * KIB;
}
