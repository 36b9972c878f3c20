import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../domain/error/agent-error.js';

/** Who a machine is that a cloud lent. */
export interface CloudIdentity {
  /** `undefined` = the cloud did not say. */
  readonly instanceId: string | undefined;
  /** `amazon/us-east-1` and the like. */
  readonly region: string;
  /** Why something is missing. */
  readonly problem?: string;
}

type Ask = (path: string, headers?: Readonly<Record<string, string>>) => Promise<string>;

interface Provider {
  /** In what the firmware says of the machine. */
  readonly mark: RegExp;
  readonly name: string;
  identify(ask: Ask): Promise<{ readonly instanceId: string; readonly region: string }>;
}

const METADATA = 'http://169.254.169.254';
const DMI = '/sys/class/dmi/id';
const DMI_FILES = ['sys_vendor', 'bios_version', 'product_name', 'chassis_asset_tag'];
const ANSWER_MS = 2_000;
const MAX_ANSWER = 65_536;

const PROVIDERS: readonly Provider[] = [
  {
    ...{ mark: /amazon/i, name: 'amazon' },
    async identify(ask) {
      const document = parse(await ask('/latest/dynamic/instance-identity/document'));
      return { instanceId: await ask('/latest/meta-data/instance-id'), region: word(document, 'region') };
    },
  },
  {
    // Every Hyper-V has its maker's name; this is how one tells Azure.
    ...{ mark: /7783-7084-3265-9085-8269-3286-77/, name: 'azure' },
    async identify(ask) {
      const compute = parse(await ask('/metadata/instance/compute?api-version=2021-02-01', { Metadata: 'true' }));
      const vmId = Buffer.from(word(compute, 'vmId').replaceAll('-', ''), 'hex');
      if (vmId.length !== 16) throw new Error('vmId is no UUID');
      return { instanceId: `i-${word(compute, 'name')}-${suffix(vmId)}`, region: word(compute, 'location') };
    },
  },
  {
    ...{ mark: /Google Compute Engine/, name: 'google' },
    async identify(ask) {
      const of = (name: string) => ask(`/computeMetadata/v1/instance/${name}`, { 'Metadata-Flavor': 'Google' });
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(BigInt((await of('id')).trim()));
      const zone = (await of('zone')).split('/').at(-1) ?? '';
      return { instanceId: `i-${await of('name')}-${suffix(number)}`, region: zone };
    },
  },
];

/**
 * Asks the cloud that lent this machine, by the names that the reference uses for agents there; `undefined` on a machine
 * of one's own, which is asked nothing. Takes some seconds at most, and never rejects.
 */
export async function findCloudIdentity(
  places: { readonly metadata?: string; readonly dmi?: string } = {},
): Promise<CloudIdentity | undefined> {
  const firmware = DMI_FILES.map((file) => read(join(places.dmi ?? DMI, file))).join('\n');
  const provider = PROVIDERS.find(({ mark }) => mark.test(firmware));
  if (provider === undefined) return undefined;
  const ask: Ask = async (path, headers = {}) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(`${places.metadata ?? METADATA}${path}`, { headers, signal });
    const text = await answer.text();
    if (!answer.ok || text === '' || text.length > MAX_ANSWER) throw new Error(`${path}: status ${answer.status}`);
    return text;
  };
  try {
    const { instanceId, region } = await provider.identify(ask);
    return { instanceId, region: `${provider.name}/${region}` };
  } catch (error) {
    return { instanceId: undefined, region: `${provider.name}/unknown`, problem: messageOf(error) };
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Not a PC, or a container that hides it.
    return '';
  }
}

function parse(text: string): unknown {
  return JSON.parse(text);
}

function word(document: unknown, name: string): string {
  const value: unknown = typeof document === 'object' && document !== null ? Reflect.get(document, name) : undefined;
  if (typeof value !== 'string' || !/^[\w.-]{1,128}$/.test(value)) throw new Error(`no ${name} in the answer`);
  return value;
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The last five bytes as eight letters: what tells machines of one name apart. */
function suffix(id: Buffer): string {
  let bits = 0n;
  for (const byte of id.subarray(-5)) bits = (bits << 8n) | BigInt(byte);
  return Array.from({ length: 8 }, (_, index) => BASE32[Number((bits >> BigInt(35 - 5 * index)) & 31n)]).join('');
}
