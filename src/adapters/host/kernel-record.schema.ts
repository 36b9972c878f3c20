import { z } from 'zod';
import { parseKernelId, parseSessionId } from '../../domain/kernel/kernel-id.js';
import type { KernelRecord } from '../../domain/kernel/kernel-record.js';
import { ADDED_REASONS, COMMON_REASONS } from '../../domain/kernel/termination-reason.js';

/** What a kernel record must look like to be believed. Types and schema can't drift apart: the last line wouldn't compile. */

const text = z.string();
const texts = z.record(text, text);
const count = z.number().int().nonnegative();
const port = z.number().int().min(0).max(65_535);
const kernelId = text.transform((value) => parseKernelId(value));
const sessionId = text.transform((value) => parseSessionId(value));

const image = z.object({
  canonical: text,
  digest: text.exactOptional(),
  architecture: text.exactOptional(),
  credentials: z.object({ username: text, password: text }).exactOptional(),
  labels: texts.exactOptional(),
  isLocal: z.boolean(),
  autoPull: z.enum(['digest', 'tag', 'none']),
});

const mount = z.object({
  name: text,
  hostPath: text,
  kernelPath: text,
  permission: z.enum(['ro', 'rw', 'wd']),
  usageMode: z.enum(['general', 'model', 'data']),
});

const sshKeypair = z.object({ publicKey: text, privateKey: text });

const cluster = z.object({
  mode: text,
  size: count,
  replicas: z.record(text, z.number()),
  networkConfig: z.record(text, z.unknown()),
  sshKeypair: sshKeypair.exactOptional(),
  sshPortMapping: z.record(text, z.tuple([text, port])).exactOptional(),
});

const spec = z.object({
  kernelId,
  sessionId,
  ownerUserId: text.exactOptional(),
  ownerProjectId: text.exactOptional(),
  image,
  sessionType: z.enum(['interactive', 'batch', 'inference', 'system']),
  clusterRole: text,
  clusterIdx: z.number(),
  clusterHostname: text,
  cluster,
  identity: z.object({
    uid: count.exactOptional(),
    mainGid: count.exactOptional(),
    supplementaryGids: z.array(count),
  }),
  resourceSlots: texts,
  shmemBytes: count.exactOptional(),
  allowFractionalFragmentation: z.boolean(),
  environ: texts,
  mounts: z.array(mount),
  bootstrapScript: text.exactOptional(),
  dotfiles: z.array(z.object({ path: text, mode: count, data: text })),
  sshKeypair: sshKeypair.exactOptional(),
  dockerCredentials: z.unknown().exactOptional(),
  preventVfolderMounts: z.boolean(),
  blockServicePorts: z.boolean(),
  sudoSessionEnabled: z.boolean(),
  preopenPorts: z.array(port),
  agentAddr: text,
  scalingGroup: text,
});

const servicePort = z.object({
  name: text,
  protocol: z.enum(['http', 'tcp', 'preopen', 'internal', 'vnc', 'rdp']),
  containerPorts: z.array(port),
  hostPorts: z.array(port),
  isInference: z.boolean(),
});

const batchOutcome = z.object({
  reason: z.enum(['task-finished', 'task-failed', 'task-timeout']),
  exitCode: z.number(),
});

const record = z.object({
  version: z.literal(1),
  agentId: text,
  spec,
  state: z.enum(['PREPARING', 'RUNNING', 'RESTARTING', 'TERMINATING', 'TERMINATED']),
  allocation: z.record(text, z.record(text, texts)),
  slots: texts,
  servicePorts: z.array(servicePort),
  replInPort: port,
  replOutPort: port,
  containerId: text.nullable(),
  createdAtMs: z.number(),
  startedAtMs: z.number().nullable(),
  terminationReason: z.enum([...COMMON_REASONS, ...ADDED_REASONS]).nullable(),
  endsSilently: z.literal(true).exactOptional(),
  batch: z
    .object({
      ...{ code: text, startedAtMs: z.number(), timeoutMs: z.number().nullable(), isOver: z.boolean() },
      end: z.object({ outcome: batchOutcome, atMs: z.number() }).exactOptional(),
    })
    .exactOptional(),
});

export const kernelRecordSchema: z.ZodType<KernelRecord> = record;
