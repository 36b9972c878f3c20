import { existsSync } from 'node:fs';
import { writeFileAtomically } from '../adapters/host/atomic-file.js';
import { type Certificate, loadCertificate } from '../adapters/rpc/callosum/certificate.js';
import type { CurveKeys } from '../adapters/rpc/callosum/router.js';
import { messageOf } from '../domain/error/agent-error.js';
import { configurationInvalid, storageFailure } from '../domain/error/errors.js';
import type { DaemonSettings } from './config/to-daemon-settings.js';

const MANAGER_KEY = 'agent.rpc-auth-manager-public-key';
const KEYPAIR = 'agent.rpc-auth-agent-keypair';

/**
 * The agent is the CURVE server; only the Manager's key is let in (rpc.md §2). A pair of its own need not be configured:
 * Managers learn its public half by the heartbeat, so it may be one that was made here at the first start.
 */
export async function curveKeys({ curve }: DaemonSettings['rpc']): Promise<CurveKeys | undefined> {
  if (curve === null) return undefined;
  const manager = await loadCertificate(curve.managerPublicKeyFile, MANAGER_KEY);
  if (curve.isGenerated && !existsSync(curve.agentKeypairFile)) await generate(curve.agentKeypairFile);
  const own = await loadCertificate(curve.agentKeypairFile, KEYPAIR);
  return { ...pairOf(own, curve.agentKeypairFile), managerPublicKey: manager.publicKey };
}

function pairOf({ publicKey, secretKey }: Certificate, file: string): Omit<CurveKeys, 'managerPublicKey'> {
  if (secretKey !== undefined) return { publicKey, secretKey };
  throw configurationInvalid(`${file} holds no secret key`, { field: KEYPAIR, allowed: 'a *.key_secret file' });
}

async function generate(file: string): Promise<void> {
  const { curveKeyPair } = await import('zeromq');
  const { publicKey, secretKey } = curveKeyPair();
  const lines = ['# Key pair of this agent for RPC, made at its first start. Whoever has it can pose as this agent.'];
  lines.push('metadata', 'curve', `    public-key = "${publicKey}"`, `    secret-key = "${secretKey}"`);
  try {
    await writeFileAtomically(file, `${lines.join('\n')}\n`);
  } catch (error) {
    throw storageFailure(`can't write the RPC key pair ${file}: ${messageOf(error)}`, {
      field: 'agent.var-base-path',
      allowed: 'a directory that this user may write',
      cause: error,
    });
  }
}
