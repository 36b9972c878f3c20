import { parseKernelId, parseSessionId, type KernelId, type SessionId } from './kernel-id.js';

/** Labels of a kernel's container (lifecycle.md §1.21). */
export const LABELS = {
  agentId: 'ai.backend.agent-id',
  kernelId: 'ai.backend.kernel-id',
  sessionId: 'ai.backend.session-id',
  ownerUserId: 'ai.backend.owner-user-id',
  ownerProjectId: 'ai.backend.owner-project-id',
  /** The agent id once more: the filter that decides whose container it is. */
  owner: 'ai.backend.owner',
  blockServicePorts: 'ai.backend.internal.block-service-ports',
  servicePorts: 'ai.backend.service-ports',
} as const;

export interface ContainerIdentity {
  readonly agentId: string;
  readonly kernelId: KernelId;
  readonly sessionId: SessionId;
  readonly ownerUserId?: string;
  readonly ownerProjectId?: string;
  readonly blockServicePorts: boolean;
}

export interface ContainerLabelInput extends ContainerIdentity {
  /** Value of the image's label of the same name. */
  readonly servicePorts: string;
  readonly preopenPorts: readonly number[];
}

/** The labels to create a container with; the service list overrides the image's own label. */
export function containerLabels(input: ContainerLabelInput): Record<string, string> {
  const preopen = input.preopenPorts.map((port) => `${port}:preopen:${port}`);
  return {
    [LABELS.agentId]: input.agentId,
    [LABELS.kernelId]: input.kernelId,
    [LABELS.sessionId]: input.sessionId,
    // Absent owners are the empty text: a container engine knows no null labels.
    [LABELS.ownerUserId]: input.ownerUserId ?? '',
    [LABELS.ownerProjectId]: input.ownerProjectId ?? '',
    [LABELS.owner]: input.agentId,
    [LABELS.blockServicePorts]: input.blockServicePorts ? '1' : '0',
    [LABELS.servicePorts]: [input.servicePorts.trim(), ...preopen].filter((item) => item !== '').join(','),
  };
}

/** Reads them back; `undefined` if they are not those of a kernel. Whose kernel it is, the caller decides by `agentId`. */
export function parseContainerLabels(labels: Readonly<Record<string, string>>): ContainerIdentity | undefined {
  const agentId = labels[LABELS.owner];
  const kernelId = attempt(() => parseKernelId(labels[LABELS.kernelId] ?? ''));
  const sessionId = attempt(() => parseSessionId(labels[LABELS.sessionId] ?? ''));
  if (agentId === undefined || agentId === '' || kernelId === undefined || sessionId === undefined) return undefined;
  const ownerUserId = labels[LABELS.ownerUserId];
  const ownerProjectId = labels[LABELS.ownerProjectId];
  return {
    agentId,
    kernelId,
    sessionId,
    ...(isGiven(ownerUserId) ? { ownerUserId } : {}),
    ...(isGiven(ownerProjectId) ? { ownerProjectId } : {}),
    blockServicePorts: labels[LABELS.blockServicePorts] === '1',
  };
}

/** The reference writes a missing project as null, which some engines keep as the word. */
function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== '' && value !== 'null';
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
