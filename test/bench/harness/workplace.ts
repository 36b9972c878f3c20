import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { curveKeyPair } from 'zeromq';
import { freePort } from './free-port.js';

/** Both ends' keys, as Z85 text. */
export interface WorkplaceKeys {
  readonly agentPublic: string;
  readonly agentSecret: string;
  readonly managerPublic: string;
  readonly managerSecret: string;
}

/** A directory with a configuration for an agent of its own; nothing of it is shared with another one. */
export class Workplace implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    readonly configFile: string,
    readonly rpcEndpoint: string,
    readonly httpAddress: string,
    readonly keys: WorkplaceKeys | undefined,
  ) {}

  static async make(options: { readonly curve: boolean } = { curve: false }): Promise<Workplace> {
    const directory = await mkdtemp(join(tmpdir(), 'backend-ai-bench-'));
    const [rpcPort, httpPort] = [await freePort(), await freePort()];
    const keys = options.curve ? await writeKeys(directory) : undefined;
    const configFile = join(directory, 'agent.toml');
    const lines = [
      '[agent]',
      `id = "i-bench-${process.pid}-${rpcPort}"`,
      `rpc-listen-addr = "127.0.0.1:${rpcPort}"`,
      `var-base-path = "${directory}/var"`,
      `ipc-base-path = "${directory}/ipc"`,
      ...(keys
        ? [
            `rpc-auth-agent-keypair = "${directory}/agent.key_secret"`,
            `rpc-auth-manager-public-key = "${directory}/manager.key"`,
          ]
        : []),
      '[container]',
      `scratch-root = "${directory}/scratches"`,
      'port-range = [21000, 22999]',
      '[watcher]',
      `service-addr = "127.0.0.1:${httpPort}"`,
    ];
    await writeFile(configFile, `${lines.join('\n')}\n`);
    return new Workplace(directory, configFile, `tcp://127.0.0.1:${rpcPort}`, `http://127.0.0.1:${httpPort}`, keys);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function writeKeys(directory: string): Promise<WorkplaceKeys> {
  const agent = curveKeyPair();
  const manager = curveKeyPair();
  const file = (publicKey: string, secretKey?: string): string =>
    [
      'curve',
      `    public-key = "${publicKey}"`,
      ...(secretKey === undefined ? [] : [`    secret-key = "${secretKey}"`]),
      '',
    ].join('\n');
  await writeFile(join(directory, 'agent.key_secret'), file(agent.publicKey, agent.secretKey), { mode: 0o600 });
  await writeFile(join(directory, 'manager.key'), file(manager.publicKey));
  return {
    agentPublic: agent.publicKey,
    agentSecret: agent.secretKey,
    managerPublic: manager.publicKey,
    managerSecret: manager.secretKey,
  };
}
