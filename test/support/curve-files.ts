import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { curveKeyPair } from 'zeromq';

export type CurvePair = ReturnType<typeof curveKeyPair>;

/** Lines of `[agent]` for keys that `writeKeys` puts into the folder. */
export const keyFiles = (folder: string): string => `rpc-auth-manager-public-key = "${join(folder, 'manager.key')}"
rpc-auth-agent-keypair = "${join(folder, 'agent.key_secret')}"`;

/** New keys: the Manager's public one and the agent's pair in files, as an operator has them. */
export async function writeKeys(folder: string): Promise<{ readonly agent: CurvePair; readonly manager: CurvePair }> {
  const agent = curveKeyPair();
  const manager = curveKeyPair();
  await writeFile(join(folder, 'manager.key'), certificate(manager.publicKey));
  await writeFile(join(folder, 'agent.key_secret'), certificate(agent.publicKey, agent.secretKey));
  return { agent, manager };
}

/** A certificate file; without the secret key what others may know. */
export function certificate(publicKey: string, secretKey?: string): string {
  const secret = secretKey === undefined ? '' : `    secret-key = "${secretKey}"\n`;
  return `metadata\ncurve\n    public-key = "${publicKey}"\n${secret}`;
}
