import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignHostPorts,
  countNeededPorts,
  planBindings,
  planServicePorts,
  publicServices,
  type ServicePortRequest,
} from './plan-service-ports.js';
import { parseServicePorts, RESERVED_PORTS } from './service-port-grammar.js';

describe('service-port label', () => {
  it('reads the example of lifecycle.md §1.16', () => {
    expect(parseServicePorts('jupyter:http:8081,tensorboard:http:6006,app:tcp:[9000,9001]')).toEqual([
      { name: 'jupyter', protocol: 'http', containerPorts: [8081] },
      { name: 'tensorboard', protocol: 'http', containerPorts: [6006] },
      { name: 'app', protocol: 'tcp', containerPorts: [9000, 9001] },
    ]);
  });

  it('drops pty, keeps the last of a name at the place of the first, and minds blanks', () => {
    expect(parseServicePorts(' a:tcp:3000 , b:PTY:3001, c:vnc:3002, a:rdp:[3003, 3004],')).toEqual([
      { name: 'a', protocol: 'rdp', containerPorts: [3003, 3004] },
      { name: 'c', protocol: 'vnc', containerPorts: [3002] },
    ]);
    expect(parseServicePorts('')).toEqual([]);
  });

  it.each([
    'jupyter',
    'jupyter:http',
    'jupyter:gopher:8080',
    'jupyter:http:eighty',
    'jupyter:http:80',
    'jupyter:http:65535',
    'jupyter:http:99999',
    'jupyter:http:2000',
    'ssh:tcp:2200',
    'a:tcp:3000,b:tcp:3000',
    'a:tcp:[3000,3000]',
    'a:tcp:[]',
    'a:tcp:[3000',
    'a b:tcp:3000',
    'a:tcp:3000;b:tcp:3001',
    'a:tcp:internal',
    'a:internal:3000',
    `a:tcp:[${Array.from({ length: 300 }, (_, i) => 3000 + i).join(',')}]`,
    'x'.repeat(10_000),
  ])('refuses %.40s', (label) => {
    expect(() => parseServicePorts(label)).toThrow(
      expect.objectContaining({ name: 'InvalidArgumentError', field: 'image.labels.ai.backend.service-ports' }),
    );
  });

  it('reads back whatever is written by its grammar', () => {
    const port = fc.integer({ min: 1025, max: 65_534 }).filter((n) => !RESERVED_PORTS.has(n));
    const ports = fc.uniqueArray(port, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(ports, fc.constantFrom('tcp', 'http', 'preopen', 'vnc', 'rdp'), (all, protocol) => {
        const [first = 0, ...rest] = all;
        const expected = [
          ...rest.map((number, i) => ({ name: `s-${i}`, protocol, containerPorts: [number] })),
          { name: 'many', protocol, containerPorts: [first] },
        ];
        const label = expected.map((s) => `${s.name}:${s.protocol}:[${s.containerPorts.join(',')}]`).join(',');
        expect(parseServicePorts(label)).toEqual(expected);
      }),
    );
  });
});

const request: ServicePortRequest = {
  clusterRole: 'main',
  preopenPorts: [],
  servicePortsLabel: 'jupyter:http:8081,app:tcp:[9000,9001]',
  endpointNames: ['app'],
  allocatedHostPorts: [],
  intrinsic: [],
};

describe('planServicePorts', () => {
  it('lists intrinsic services, preopen ports, the image’s, and host ports, in this order', () => {
    const plan = planServicePorts({
      ...request,
      intrinsic: ['sshd', 'ttyd'],
      preopenPorts: [7000],
      allocatedHostPorts: [40_000],
    });
    expect(
      plan.map(({ name, protocol, containerPorts, hostPorts, isInference }) => [
        name,
        protocol,
        containerPorts,
        hostPorts,
        isInference,
      ]),
    ).toEqual([
      ['sshd', 'tcp', [2200], [], false],
      ['ttyd', 'http', [7681], [], false],
      ['7000', 'preopen', [7000], [], false],
      ['jupyter', 'http', [8081], [], false],
      ['app', 'tcp', [9000, 9001], [], true],
      ['hostport1', 'internal', [40_000], [40_000], false],
    ]);
    expect(publicServices(plan).map(({ name }) => name)).not.toContain('hostport1');
  });

  it('gives other kernels of a cluster the intrinsic ones only', () => {
    expect(planServicePorts({ ...request, clusterRole: 'sub', preopenPorts: [7000] })).toEqual([]);
    expect(planServicePorts({ ...request, clusterRole: 'sub', intrinsic: ['sshd'] })).toHaveLength(1);
    expect(planServicePorts({ ...request, clusterRole: 'master' })).toHaveLength(2);
  });

  it.each<[string, Partial<ServicePortRequest>, string]>([
    ['the runner’s ports', { preopenPorts: [2001] }, 'ReservedPortError'],
    ['legacy ports', { preopenPorts: [2002] }, 'ReservedPortError'],
    ['the port of sshd, provided or not', { preopenPorts: [2200] }, 'PortConflictError'],
    ['a preopen port twice', { preopenPorts: [7000, 7000] }, 'PortConflictError'],
    ['a preopen port of a service', { preopenPorts: [9001] }, 'PortConflictError'],
    ['a host port of a service', { allocatedHostPorts: [8081] }, 'PortConflictError'],
    ['a host port of the runner', { allocatedHostPorts: [2000] }, 'ReservedPortError'],
    ['what is no port', { preopenPorts: [70_000] }, 'InvalidArgumentError'],
    ['a part of a port', { preopenPorts: [80.5] }, 'InvalidArgumentError'],
  ])('refuses %s', (_, change, name) => {
    expect(() => planServicePorts({ ...request, ...change })).toThrow(expect.objectContaining({ name }));
  });

  it('gives every container port a host port of its own', () => {
    const plan = planServicePorts({ ...request, allocatedHostPorts: [40_000] });
    expect(countNeededPorts(plan)).toBe(3);
    const assigned = assignHostPorts(plan, [30_002, 30_003, 30_004]);
    expect(assigned.map(({ hostPorts }) => hostPorts)).toEqual([[30_002], [30_003, 30_004], [40_000]]);
    expect(() => assignHostPorts(plan, [30_002])).toThrow(/3 host ports needed/);
    expect(planBindings(assigned, { inPort: 30_000, outPort: 30_001 }, '0.0.0.0')).toEqual([
      { containerPort: 2000, hostPort: 30_000, hostIp: '127.0.0.1' },
      { containerPort: 2001, hostPort: 30_001, hostIp: '127.0.0.1' },
      { containerPort: 8081, hostPort: 30_002, hostIp: '0.0.0.0' },
      { containerPort: 9000, hostPort: 30_003, hostIp: '0.0.0.0' },
      { containerPort: 9001, hostPort: 30_004, hostIp: '0.0.0.0' },
      { containerPort: 40_000, hostPort: 40_000, hostIp: '0.0.0.0' },
    ]);
    const closed = planBindings(assigned, { inPort: 30_000, outPort: 30_001 }, '0.0.0.0', [assigned[0]!.name]);
    expect(closed.map(({ hostIp }) => hostIp)).toEqual([
      ...Array<string>(3).fill('127.0.0.1'),
      ...Array<string>(3).fill('0.0.0.0'),
    ]);
  });
});
