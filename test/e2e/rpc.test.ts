import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { curveKeyPair } from 'zeromq';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { callosum, callosumMissing } from '../support/callosum-python.js';
import { certificate, keyFiles, writeKeys } from '../support/curve-files.js';
import { testImage } from '../support/images.js';
import { tarOf } from '../support/tar.js';

const KERNEL = '11111111-2222-3333-4444-555555555555';
const SESSION = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
const NUMBER: unknown = expect.any(Number);

const missing = await callosumMissing();
if (missing !== undefined) process.stderr.write(`\nSKIPPED the agent under the real Callosum: ${missing}\n\n`);

/** A Python image with a service of its own, for the time of `use`. */
async function withServiceImage(home: AgentHome, use: (image: string) => Promise<void>): Promise<void> {
  const { docker } = home;
  const name = `bai-test/web-service:${home.agentId.toLowerCase()}`;
  const draft = await docker.createContainer({ Image: await testImage('python') });
  const definition = { command: ['/usr/bin/python3', '-c', WEB_SERVER, '{ports[0]}'] };
  const files = tarOf({ 'etc/backend.ai/service-defs/web.json': JSON.stringify(definition) });
  await draft.putArchive(Readable.from(files, { objectMode: false }), { path: '/' });
  const [repo, tag] = name.split(':');
  const labels = {
    'ai.backend.kernelspec': '1',
    'ai.backend.runtime-type': 'python',
    'ai.backend.runtime-path': '/usr/bin/python3',
    'ai.backend.service-ports': 'web:http:8080',
  };
  await draft.commit({ repo, tag, changes: Object.entries(labels).map(([key, value]) => `LABEL ${key}=${value}`) });
  await draft.remove();
  try {
    await use(name);
  } finally {
    await docker.getImage(name).remove();
  }
}

const WEB_SERVER = `
import http.server, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"served")
socketserver.TCPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
`;

describe.skipIf(missing !== undefined)('the agent under the real Callosum', () => {
  beforeAll(async () => {
    await testImage('python');
  });

  it('a kernel from its creation to its end', async () => {
    await using home = await AgentHome.make();
    await using daemon = await home.startDaemon();
    await withServiceImage(home, async (image) => {
      const seen = (await callosum('kernel', `tcp://127.0.0.1:${home.rpcPort}`, {
        agent: home.agentId,
        image,
      })) as Seen;
      const [created] = seen.created;
      expect(created).toMatchObject({
        id: KERNEL,
        container_id: expect.stringMatching(/^[0-9a-f]{64}$/),
        kernel_host: '127.0.0.1',
        repl_in_port: NUMBER,
        repl_out_port: NUMBER,
        service_ports: [
          { name: 'sshd', protocol: 'tcp', container_ports: [2200], host_ports: [NUMBER], is_inference: false },
          { name: 'ttyd', protocol: 'http', container_ports: [7681], host_ports: [NUMBER], is_inference: false },
          { name: 'web', protocol: 'http', container_ports: [8080], host_ports: [NUMBER], is_inference: false },
        ],
        resource_spec: { slots: { cpu: '1', mem: '134217728' } },
      });
      expect(seen).toMatchObject({
        ping: 'hello',
        created_again: [{ id: KERNEL, container_id: created!.container_id }],
        health: { status: 'ok', component: 'agent', connectivity: { overall_healthy: true } },
        run: { statuses: ['continued', 'finished'], exit_code: 0, stdout: 'one\n42', stderr: '' },
        kept: { exit_code: 0, stdout: '41\n' },
        input: { exit_code: 0, stdout: 'who? hello you\n' },
        failing: { stdout: '', stderr: expect.stringContaining('ZeroDivisionError') },
        interrupted: {
          answer: { status: 'finished' },
          stdout: 'begun\n',
          stderr: expect.stringContaining('KeyboardInterrupt'),
        },
        completions: { result: { status: 'finished', error: null } },
        logs: { logs: expect.stringContaining('serving python') },
        service: { status: 'started' },
        no_service: { status: 'failed', error: 'invalid service name' },
        status: { kernel_id: KERNEL, session_id: SESSION, state: 'RUNNING', container_id: created!.container_id },
        agent_status: { agent_id: home.agentId, ready: true, kernels: { RUNNING: 1 }, ports: { used: 5 } },
        after_restart: { exit_code: 0, stdout: 'False\n' },
        destroyed: null,
        gone: { failure: ['KernelNotFoundError', expect.any(String), expect.any(String)] },
        other_agent: { failure: expect.any(Array) },
      });
      expect(seen.input.statuses).toContain('waiting-input');
      expect(seen.failing.exit_code).not.toBe(0);
      expect(seen.completions.result.suggestions).toEqual(expect.arrayContaining([expect.stringMatching(/^print/)]));
      expect(seen.restarted.container_id).not.toBe(created!.container_id);
    });
    expect(await daemon.story(KERNEL)).toEqual([
      'kernel_preparing',
      'kernel_creating',
      'kernel_started',
      'kernel_started',
      'kernel_terminated',
    ]);
    expect(await home.containers()).toEqual([]);
    expect(await home.scratches()).toEqual([]);
    expect(await daemon.metrics(/^backendai_rpc_requests_total\{method="create_kernels"\} 2$/)).toHaveLength(1);
    expect(await daemon.metrics(/^backendai_rpc_failure_requests_total\{method="get_status"/)).toHaveLength(2);
    expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('with keys only the Manager is let in', async () => {
    const stranger = curveKeyPair();
    await using home = await AgentHome.make({ agent: keyFiles });
    const { agent, manager } = await writeKeys(home.folder);
    await using daemon = await home.startDaemon();
    const endpoint = `tcp://127.0.0.1:${home.rpcPort}`;
    const connect = (options: object): Promise<unknown> =>
      callosum('connect', endpoint, { handshake_timeout: 3, ...options });
    const keys = (pair: typeof manager) => ({
      keys: { public: pair.publicKey, secret: pair.secretKey, server: agent.publicKey },
    });
    expect(await connect(keys(manager))).toMatchObject({ connected: true });
    expect(await connect(keys(stranger))).toMatchObject({ connected: false });
    expect(await connect(keys(manager))).toMatchObject({ connected: true });
    expect(daemon.log).toContainEqual(expect.objectContaining({ level: 'warn', message: 'refused an RPC connection' }));
    expect(await daemon.metrics(/^backendai_rpc_refused_connections_total 1$/)).toHaveLength(1);
    const image = await testImage('python');
    const seen = (await callosum('encrypted', endpoint, { ...keys(manager), agent: home.agentId, image })) as object;
    expect(seen).toMatchObject({ run: { exit_code: 0, stdout: 'by CURVE\n' }, destroyed: null });
    expect(JSON.stringify(daemon.log)).not.toContain(agent.secretKey);
  });

  it('with the key of the Manager alone the agent makes its own pair, once', async () => {
    const manager = curveKeyPair();
    await using home = await AgentHome.make({ agent: (folder) => keyFiles(folder).split('\n')[0] ?? '' });
    await writeFile(join(home.folder, 'manager.key'), certificate(manager.publicKey));
    const own = async () => {
      const text = await readFile(join(home.stateFolder, 'rpc-keypair.key_secret'), 'utf8');
      return /public-key = "(.{40})"/.exec(text)?.[1];
    };
    const made: (string | undefined)[] = [];
    for (let life = 0; life < 2; life += 1) {
      await using daemon = await home.startDaemon();
      made.push(await own());
      const keys = { public: manager.publicKey, secret: manager.secretKey, server: made[0] };
      const options = { handshake_timeout: 3, keys };
      expect(await callosum('connect', `tcp://127.0.0.1:${home.rpcPort}`, options)).toMatchObject({ connected: true });
      await daemon.stop();
    }
    expect(new Set(made).size).toBe(1);
  });
});

interface Run {
  readonly statuses: readonly string[];
  readonly exit_code: number;
}

interface Seen {
  readonly created: readonly { readonly container_id: string }[];
  readonly restarted: { readonly container_id: string };
  readonly input: Run;
  readonly failing: Run;
  readonly completions: { readonly result: { readonly suggestions: readonly string[] } };
}
