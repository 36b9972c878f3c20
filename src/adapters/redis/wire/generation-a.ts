import { encode } from '@msgpack/msgpack';
import type { AgentEvent, AgentEventBodies, CreationInfo } from '../../../domain/event/agent-event.js';
import { COMMON_REASONS, type TerminationReason } from '../../../domain/kernel/termination-reason.js';
import type { Sender } from './sender.js';
import { pickledImageRef, pickledReason, pickledResourceSlot } from './pickles.js';

/** zlib of an empty msgpack array: Managers require the list of images and do not look at it (state.md §3.1). */
const NO_IMAGES = Uint8Array.of(0x78, 0x9c, 0x9b, 0, 0, 0, 0x91, 0, 0x91);
/** Managers up to 26.7 take no null for it (state.md §0). */
const DEFAULT_GROUP = 'default';

const COMMON: ReadonlySet<string> = new Set(COMMON_REASONS);

/** The body of an event in generation A: msgpack of its positional values (state.md §2.4, §2.6). */
export function argsOf(event: AgentEvent, sender: Sender): Uint8Array {
  return encode(positional(event, sender));
}

function positional({ name, body }: AgentEvent, sender: Sender): unknown[] {
  switch (name) {
    case 'agent_started':
    case 'agent_terminated':
      return [body.reason];
    case 'agent_heartbeat':
      return [agentInfo(body.agent_info)];
    case 'agent_error':
      return [body.message, body.traceback, body.user, body.context_env, body.severity];
    case 'do_agent_resource_check':
      return [body.agent_id];
    case 'agent_installed_images_remove':
      return [body.scanned_images];
    case 'kernel_preparing':
    case 'kernel_pulling':
    case 'kernel_creating':
      return [body.kernel_id, body.session_id, body.reason, {}];
    case 'kernel_started':
      return [body.kernel_id, body.session_id, body.reason, creationInfo(body, sender)];
    case 'kernel_terminated':
      return [body.kernel_id, body.session_id, storedReason(body.reason), body.exit_code];
    case 'do_sync_kernel_logs':
      return [body.kernel_id, body.container_id];
    case 'session_success':
    case 'session_failure':
      return [body.session_id, handledReason(body.reason), body.exit_code];
    case 'image_pull_started':
      return [body.image, body.agent_id, body.timestamp, ...imageRef(body)];
    case 'image_pull_finished':
      return [body.image, body.agent_id, body.timestamp, body.msg, ...(body.image_ref ? imageRef(body) : [null])];
    case 'image_pull_failed':
      return [body.image, body.agent_id, body.msg, ...imageRef(body)];
    case 'volume_mounted':
    case 'volume_unmounted':
      return [body.node_id, body.node_type, body.mount_path, body.quota_scope_id, body.err_msg];
    case 'bgtask_updated':
      return [body.task_id, body.current_progress, body.total_progress, body.message];
    case 'bgtask_done':
    case 'bgtask_cancelled':
    case 'bgtask_failed':
      return [body.task_id, body.message];
    case 'bgtask_partial_success':
      return [body.task_id, body.message, body.errors];
    case 'service_registered': {
      const { startup_time: startedAt, ...service } = body;
      return [Buffer.from(JSON.stringify(service)), Buffer.from(startedAt.replace(/Z$/, '+00:00'))];
    }
    case 'service_deregistered':
      return [Buffer.from(body.instance_id), Buffer.from(body.service_group)];
    case 'execution_started':
    case 'execution_finished':
    case 'execution_timeout':
      return [body.session_id];
    case 'kernel_stage':
    case 'kernel_usage':
      throw new Error(`${name} is for this node's watchers alone`);
  }
}

/** A Manager stores it as text, so a word that its enumeration lacks can go as text; as a member it would be unreadable. */
function storedReason(reason: TerminationReason): unknown {
  return COMMON.has(reason) ? pickledReason(reason) : reason;
}

/** A Manager looks into it: it must be a member, so a word that its enumeration may lack becomes `unknown`. */
function handledReason(reason: TerminationReason): unknown {
  return pickledReason(COMMON.has(reason) ? reason : 'unknown');
}

/** Left out if there is none: the Manager then goes by the canonical name. */
function imageRef({ image_ref: image }: AgentEventBodies['image_pull_started' | 'image_pull_failed']): unknown[] {
  return image === null ? [] : [pickledImageRef(image)];
}

/** In the order of the reference (state.md §3.1). */
function agentInfo(info: AgentEventBodies['agent_heartbeat']['agent_info']): Record<string, unknown> {
  return {
    ip: info.ip,
    region: info.region,
    scaling_group: info.scaling_group ?? DEFAULT_GROUP,
    addr: info.addr,
    public_key: info.public_key === null ? null : Buffer.from(info.public_key, 'ascii'),
    public_host: info.public_host,
    available_resource_slots: pickledResourceSlot(
      info.available_resource_slots.map(({ resource_type, quantity }) => [resource_type, quantity]),
    ),
    slot_key_and_units: info.slot_key_and_units,
    version: info.version,
    compute_plugins: info.compute_plugins,
    images: NO_IMAGES,
    architecture: info.architecture,
    auto_terminate_abusing_kernel: info.auto_terminate_abusing_kernel,
    images_opts: { compression: 'zlib' },
  };
}

/** What generation B tells by unit, here by slot; the console ports were given up long ago and must be there. */
function creationInfo(body: AgentEventBodies['kernel_started'], sender: Sender): Record<string, unknown> {
  const info = body.creation_info;
  return {
    id: body.kernel_id,
    kernel_host: info.kernel_host,
    repl_in_port: info.repl_in_port,
    repl_out_port: info.repl_out_port,
    stdin_port: 0,
    stdout_port: 0,
    service_ports: info.service_ports,
    container_id: info.container_id,
    resource_spec: { allocations: allocations(info) },
    scaling_group: sender.resourceGroup ?? DEFAULT_GROUP,
    agent_addr: sender.rpcAddress,
    attached_devices: attachedDevices(info),
  };
}

type Amounts = Record<string, string>;

/** Device → slot → unit → amount. */
function allocations({ used_devices: { units } }: CreationInfo): Record<string, Record<string, Amounts>> {
  const byDevice: Record<string, Record<string, Amounts>> = {};
  for (const [device, used] of Object.entries(units)) {
    const bySlot: Record<string, Amounts> = (byDevice[device] = {});
    for (const [unit, { used: amounts }] of Object.entries(used)) {
      for (const [slot, amount] of Object.entries(amounts)) (bySlot[slot] ??= {})[unit] = amount;
    }
  }
  return byDevice;
}

/** Units that have a model. */
function attachedDevices({ used_devices: { units } }: CreationInfo): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(units).map(([device, used]) => [
      device,
      Object.entries(used).flatMap(([unit, { model_name: model, memory_size: mem, processing_units: proc }]) =>
        model === null
          ? []
          : [
              {
                device_id: unit,
                model_name: model,
                data: { ...(mem === null ? {} : { mem }), ...(proc === null ? {} : { proc }) },
              },
            ],
      ),
    ]),
  );
}
