import type { AffinityPolicy } from '../device.js';
import { byRemaining, type Candidate, sign } from './candidate.js';

export interface CandidateOrder {
  /** Devices that belong together (one NUMA node each, as far as known), the preferred cluster first. */
  readonly clusters: readonly (readonly Candidate[])[];
  /** All devices in the order in which they should be taken. */
  readonly devices: readonly Candidate[];
}

/**
 * Orders the devices of one slot by affinity (lifecycle.md §6.4). `chosenNodes` are the NUMA nodes of the devices that the
 * same request got of the device name before; empty = this is the first one. All devices of unknown node are one node.
 *
 * The reference fails when no device shares a node with those chosen; here they are then all equally far.
 */
export function orderCandidates(
  devices: readonly Candidate[],
  chosenNodes: readonly (number | null)[],
  policy: AffinityPolicy,
): CandidateOrder {
  const isFirst = chosenNodes.length === 0;
  const near = isFirst ? closest(devices) : onNodes(devices, chosenNodes);
  const clusters = near
    .filter((cluster) => cluster.length > 0)
    .sort((a, b) => sign(allocated(a) - allocated(b)))
    .map(byRemaining);
  const concatenate = isFirst && policy === 'PREFER_SINGLE_NODE';
  const primary = concatenate ? clusters.flat() : roundRobin(clusters);
  const secondary = isFirst ? [] : byRemaining(devices.filter((device) => !chosenNodes.includes(device.numaNode)));
  return { clusters, devices: [...primary, ...secondary] };
}

/**
 * Connected components under the shortest distance that occurs, larger ones first. Distance is 0 within a node and 1
 * between nodes, so without two devices on one node they are all equally far: one component.
 */
function closest(devices: readonly Candidate[]): (readonly Candidate[])[] {
  const nodes = new Map<number | null, Candidate[]>();
  for (const device of devices) {
    const members = nodes.get(device.numaNode);
    if (members) members.push(device);
    else nodes.set(device.numaNode, [device]);
  }
  if (nodes.size === devices.length) return [devices];
  return [...nodes.values()].sort((a, b) => b.length - a.length);
}

function onNodes(devices: readonly Candidate[], nodes: readonly (number | null)[]): (readonly Candidate[])[] {
  return [...new Set(nodes)].map((node) => devices.filter((device) => device.numaNode === node));
}

function allocated(devices: readonly Candidate[]): bigint {
  return devices.reduce((total, device) => total + device.used, 0n);
}

function roundRobin(clusters: readonly (readonly Candidate[])[]): Candidate[] {
  const longest = Math.max(0, ...clusters.map((cluster) => cluster.length));
  const order: Candidate[] = [];
  for (let index = 0; index < longest; index += 1) {
    for (const cluster of clusters) {
      const device = cluster[index];
      if (device) order.push(device);
    }
  }
  return order;
}
