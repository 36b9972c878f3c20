import type { StartServiceRequest } from '../../src/domain/krunner-wire/krunner-wire.js';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isPort = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;

/** Reads the payload of `start-service`; a missing or null `options` counts as empty. Throws with what is wrong. */
export function parseStartRequest(payload: string): StartServiceRequest {
  const value: unknown = JSON.parse(payload);
  if (!isRecord(value) || typeof value['name'] !== 'string') throw new Error('"name" must be a text');
  const { name, protocol } = value;
  const listed: unknown = value['ports'] ?? [value['port']];
  if (!Array.isArray(listed) || listed.length === 0 || !listed.every(isPort)) throw new Error('"ports" must be ports');
  const options = isRecord(value['options']) ? value['options'] : {};
  const envs = isRecord(options['envs']) ? options['envs'] : {};
  return {
    name,
    ports: listed,
    port: listed[0] ?? 0,
    protocol: typeof protocol === 'string' ? protocol : 'tcp',
    options: {
      arguments: isRecord(options['arguments']) ? options['arguments'] : {},
      envs: Object.fromEntries(Object.entries(envs).map(([key, entry]) => [key, String(entry)])),
    },
  };
}
