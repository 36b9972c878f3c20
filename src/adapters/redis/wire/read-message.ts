import { decode } from '@msgpack/msgpack';
import { z } from 'zod';
import type { ClusterMessage } from '../../../application/ports/cluster-messages.port.js';

/** The real ones are below one KiB. */
const MAX_LENGTH = 64 * 1024;
/** Members of a body or of the envelope, and how deep they nest: those of the two messages are plain. */
const LIMITS = { maxStrLength: 8_192, maxBinLength: 0, maxExtLength: 0, maxArrayLength: 32, maxMapLength: 0 };

const line = z.string().max(4_096);
const flag = z.boolean();

const mount = z.object({
  dir_name: line,
  volume_backend_name: line,
  quota_scope_id: line,
  fs_location: line,
  fs_type: line.default('nfs'),
  cmd_options: line.nullable().default(null),
  scaling_group: line.nullable().default(null),
  edit_fstab: flag.default(false),
  fstab_path: line.default('/etc/fstab'),
});

const unmount = z.object({
  dir_name: line,
  volume_backend_name: line,
  quota_scope_id: line,
  scaling_group: line.nullable().default(null),
  edit_fstab: flag.default(false),
  fstab_path: line.nullable().default(null),
});

const envelope = z.object({ name: z.string(), payload: z.string().optional(), args: z.string().optional() });

/**
 * A message of the broadcast channel, in either generation, if it is for agents (state.md §2.7).
 *
 * @throws whatever is wrong with a message for agents. One that is for others is `undefined`, whatever it looks like.
 */
export function readMessage(text: string): ClusterMessage | undefined {
  // Nearly all that is said on the channel is for others; the names of ours are in no need of escapes.
  if (text.length > MAX_LENGTH || !text.includes('"do_volume_')) return undefined;
  const { name, payload, args } = envelope.parse(JSON.parse(text));
  if (name === 'do_volume_mount') {
    const body = mount.parse(bodyOf(mount, payload, args));
    return {
      name,
      body: {
        ...{ dirName: body.dir_name, volumeBackendName: body.volume_backend_name, quotaScopeId: body.quota_scope_id },
        ...{ fsLocation: body.fs_location, fsType: body.fs_type, cmdOptions: body.cmd_options },
        ...{ scalingGroup: body.scaling_group, editFstab: body.edit_fstab, fstabPath: body.fstab_path },
      },
    };
  }
  if (name !== 'do_volume_unmount') return undefined;
  const body = unmount.parse(bodyOf(unmount, payload, args));
  return {
    name,
    body: {
      ...{ dirName: body.dir_name, volumeBackendName: body.volume_backend_name, quotaScopeId: body.quota_scope_id },
      ...{ scalingGroup: body.scaling_group, editFstab: body.edit_fstab, fstabPath: body.fstab_path },
    },
  };
}

/** Generation B names the members; in generation A their order does. */
function bodyOf(schema: z.ZodObject, payload: string | undefined, args: string | undefined): unknown {
  if (payload !== undefined) return JSON.parse(payload);
  const values = z.array(z.unknown()).parse(decode(Buffer.from(args ?? '', 'base64'), LIMITS));
  return Object.fromEntries(Object.keys(schema.shape).map((name, at) => [name, values[at]]));
}
