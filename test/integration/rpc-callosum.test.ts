import { setTimeout as sleep } from 'node:timers/promises';
import { curveKeyPair } from 'zeromq';
import { beforeAll, describe, expect, it } from 'vitest';
import type { DestroyRequest, ExecuteRequest } from '../../src/application/use-cases.js';
import { containerStartupFailed } from '../../src/domain/error/errors.js';
import type { ExecutionResult } from '../../src/domain/execution/execution.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';
import { callosum, callosumMissing } from '../support/callosum-python.js';
import { startScripted } from '../support/rpc-peer.js';
import { CREATED } from '../support/scripted-use-cases.js';

const FINISHED: ExecutionResult = { runId: 'r', status: 'finished', exitCode: 0, options: null, console: [] };

const missing = await callosumMissing();
if (missing !== undefined) process.stderr.write(`\nSKIPPED the RPC tests with the real Callosum: ${missing}\n\n`);

describe.skipIf(missing !== undefined)('the real Callosum as client', () => {
  it('pings, with both kinds of ordering key', async () => {
    await using scripted = await startScripted({});
    expect(await callosum('ping', scripted.endpoint)).toEqual({
      pong: 'ping',
      text_okey: 'pong',
      odd: [null, true, 1.5, Buffer.from('bytes').toString('hex'), { k: '✓' }],
    });
    expect(scripted.logger.lines.map(({ fields }) => fields['request_id'])).toContain('req-1');
  });

  it('creates, executes and destroys with typed arguments', async () => {
    const specs: KernelSpec[] = [];
    const runs: ExecuteRequest[] = [];
    const ends: DestroyRequest[] = [];
    await using scripted = await startScripted({
      createKernel: (spec) => {
        specs.push(spec);
        return Promise.resolve({ ...CREATED, kernelId: spec.kernelId, sessionId: spec.sessionId });
      },
      execute: (request) => {
        runs.push(request);
        return Promise.resolve({ ...FINISHED, runId: request.runId ?? '', console: [['stdout', '2 ✓']] });
      },
      destroyKernel: (request) => {
        ends.push(request);
        return Promise.resolve();
      },
    });
    expect(await callosum('lifecycle', scripted.endpoint)).toMatchObject({
      created: [{ id: '11111111-2222-3333-4444-555555555555', container_id: 'c0ffee', repl_in_port: 30_001 }],
      executed: { runId: 'run-1', status: 'finished', exitCode: 0, console: [['stdout', '2 ✓']], files: [] },
      destroyed: null,
    });
    expect(specs).toMatchObject([
      {
        kernelId: '11111111-2222-3333-4444-555555555555',
        sessionId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
        image: { canonical: 'cr.example.com/stable/python:3.12', autoPull: 'none' },
        sessionType: 'batch',
        cluster: { mode: 'single-node', sshKeypair: { publicKey: 'PUB', privateKey: 'PRV' } },
        resourceSlots: { cpu: '1.5', mem: '1073741824' },
        shmemBytes: 67_108_864,
        environ: { CHECK: '✓' },
        mounts: [{ hostPath: '/m/v', kernelPath: '/home/work/v', permission: 'rw', usageMode: 'general' }],
      },
    ]);
    expect(runs).toMatchObject([{ runId: 'run-1', code: '1+1', flushTimeoutMs: 2_000 }]);
    expect(ends).toMatchObject([{ reason: 'stale-kernel', suppressEvents: false }]);
  });

  it('gets every failure as an error, and goes on', async () => {
    await using scripted = await startScripted({
      interrupt: () => Promise.reject(containerStartupFailed('no way ✗')),
      startService: () => Promise.reject(new Error('password=hunter2')),
      complete: () => Promise.resolve(['caf\ud83d', '\udc00']),
      execute: () => Promise.resolve({ ...FINISHED, options: { odd: new Map() } }),
    });
    const text = expect.any(String);
    const seen = await callosum('failures', scripted.endpoint);
    expect(seen).toMatchObject({
      unknown_method: {
        failure: ['NotImplementedError', 'NotImplementedError("unknown RPC method \'list_images\'")', text],
      },
      missing: {
        failure: [
          'TypeError',
          `TypeError("destroy_kernel() missing 2 required positional arguments: 'kernel_id' and 'session_id'")`,
          text,
        ],
      },
      unknown_keyword: { result: 'x' },
      bad_id: { failure: ['InvalidArgumentError', text, text] },
      unknown_agent: {
        failure: ['AgentIdNotFoundError', expect.stringMatching(/^<AgentIdNotFoundError\(404\): /), text],
      },
      not_found: { failure: ['KernelNotFoundError', text, text] },
      domain: {
        failure: ['ContainerStartupFailedError', '<ContainerStartupFailedError(500): no way ✗>', 'no way ✗'],
      },
      unexpected: { failure: ['InternalError', text, text] },
      half_a_character: { result: { result: { suggestions: ['caf\ufffd', '\ufffd'] } } },
      unencodable: { failure: ['EncodeError', text, text] },
      ping: 'still here',
    });
    expect(JSON.stringify(seen)).not.toContain('hunter2');
  });

  it('cancels what it waits for no longer', async () => {
    const stopped: string[] = [];
    await using scripted = await startScripted({
      execute: async ({ code }, signal) => {
        try {
          await sleep(30_000, undefined, { signal });
        } finally {
          stopped.push(code);
        }
        return FINISHED;
      },
    });
    expect(await callosum('cancel', scripted.endpoint)).toMatchObject({ ended: 'timeout', ping: 'after' });
    expect(stopped).toEqual(['forever', 'forever']);
    expect(scripted.server.counters).toMatchObject({ cancelled: 2, inFlight: 0, answered: 1 });
  });

  it('gets 200 concurrent calls answered as they finish', async () => {
    await using scripted = await startScripted({
      execute: async ({ code, runId }, signal) => {
        await sleep(Number(code), undefined, { signal });
        return { ...FINISHED, runId: runId ?? '' };
      },
    });
    const { runs, finished } = (await callosum('concurrent', scripted.endpoint)) as {
      runs: string[];
      finished: number[];
    };
    expect(runs).toEqual(Array.from({ length: 200 }, (_, index) => `run-${index}`));
    expect(finished.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect(finished.indexOf(199)).toBeLessThan(finished.indexOf(0));
    expect(scripted.server.counters).toMatchObject({ answered: 200, inFlight: 0 });
  });

  describe('with keys', () => {
    const agent = curveKeyPair();
    const manager = curveKeyPair();
    const stranger = curveKeyPair();
    const keys = (pair = manager, server = agent.publicKey): object => ({
      keys: { public: pair.publicKey, secret: pair.secretKey, server },
      handshake_timeout: 1.5,
    });
    let endpoint: string;
    let refused: () => number;
    beforeAll(async () => {
      const scripted = await startScripted({}, { curve: { ...agent, managerPublicKey: manager.publicKey } });
      ({ endpoint } = scripted);
      refused = () => scripted.server.counters.refusedPeers;
      return () => scripted[Symbol.asyncDispose]();
    });

    it.each([
      ['the right ones', keys(), true],
      ["a stranger's", keys(stranger), false],
      ['a wrong key of the server', keys(manager, stranger.publicKey), false],
      ['none', { handshake_timeout: 1.5 }, false],
      ['the right ones again', keys(), true],
    ])('connects or not: %s', async (_, options, connected) => {
      expect(await callosum('connect', endpoint, options)).toMatchObject({ connected });
    });

    it("counted the stranger's attempt and no other", () => {
      expect(refused()).toBe(1);
    });
  });
});
