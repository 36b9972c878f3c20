import { describe, expect, it } from 'vitest';
import { containerLabels, LABELS, parseContainerLabels } from './container-labels.js';
import { containerName, parseContainerName } from './container-name.js';
import { parseKernelId, parseSessionId } from './kernel-id.js';

const kernelId = parseKernelId('11111111-2222-3333-4444-555555555555');
const sessionId = parseSessionId('aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee');
const identity = { agentId: 'i-x', kernelId, sessionId, blockServicePorts: true };

describe('container labels', () => {
  it('are those of lifecycle.md §1.21', () => {
    expect(
      containerLabels({ ...identity, ownerUserId: 'u', servicePorts: 'jupyter:http:8081', preopenPorts: [7000, 7001] }),
    ).toEqual({
      'ai.backend.agent-id': 'i-x',
      'ai.backend.kernel-id': kernelId,
      'ai.backend.session-id': sessionId,
      'ai.backend.owner-user-id': 'u',
      'ai.backend.owner-project-id': '',
      'ai.backend.owner': 'i-x',
      'ai.backend.internal.block-service-ports': '1',
      'ai.backend.service-ports': 'jupyter:http:8081,7000:preopen:7000,7001:preopen:7001',
    });
  });

  it('read back what was written', () => {
    for (const more of [{}, { ownerUserId: 'u', ownerProjectId: 'p', blockServicePorts: false }]) {
      const written = { ...identity, ...more };
      expect(parseContainerLabels(containerLabels({ ...written, servicePorts: '', preopenPorts: [] }))).toEqual(
        written,
      );
    }
  });

  it.each([LABELS.owner, LABELS.kernelId, LABELS.sessionId])('are not a kernel’s without %s', (label) => {
    const labels = containerLabels({ ...identity, servicePorts: '', preopenPorts: [] });
    expect(parseContainerLabels({ ...labels, [label]: '' })).toBeUndefined();
    expect(parseContainerLabels({})).toBeUndefined();
  });
});

describe('container name', () => {
  it('ends in the kernel id, and is read back with the engine’s slash', () => {
    expect(containerName('python', kernelId)).toBe(`kernel.python.${kernelId}`);
    expect(parseContainerName(`/kernel.py.thon-3.${kernelId}`)).toEqual({ image: 'py.thon-3', kernelId });
  });

  it('has only characters that a container name may have', () => {
    expect(containerName('a b/c@d', kernelId)).toBe(`kernel.a-b-c-d.${kernelId}`);
    expect(containerName('', kernelId)).toBe(`kernel.image.${kernelId}`);
  });

  it.each(['', 'redis', 'kernel.python', 'kernel.python.not-a-uuid', `kernel.${'1'.repeat(8)}`])(
    'is not %j',
    (name) => {
      expect(parseContainerName(name)).toBeUndefined();
    },
  );
});
