import { describe, expect, it } from 'vitest';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import type { AgentSettings } from '../agent-settings.js';
import type { ClusterMessage } from '../ports/cluster-messages.port.js';
import { AnswerVolumeMessages } from './answer-volume-messages.js';

const unmount: ClusterMessage = {
  name: 'do_volume_unmount',
  body: {
    ...{ dirName: 'vol1', volumeBackendName: 'v', quotaScopeId: 'user:x', scalingGroup: null },
    ...{ editFstab: false, fstabPath: null },
  },
};

function answersTo(message: ClusterMessage, cohabitingStorageProxy: boolean): readonly AgentEvent[] {
  const told: AgentEvent[] = [];
  let say: (message: ClusterMessage) => void = () => undefined;
  const messages = {
    subscribe: (listener: (message: ClusterMessage) => void) => {
      say = listener;
      return { [Symbol.dispose]: () => undefined };
    },
  };
  const events = {
    announce: (event: AgentEvent) => Promise.resolve(void told.push(event)),
    subscribe: () => ({ [Symbol.dispose]: () => undefined }),
  };
  const settings = { agentId: 'i-1', cohabitingStorageProxy } as AgentSettings;
  new AnswerVolumeMessages(settings, messages, events).listen();
  say(message);
  return told;
}

describe('AnswerVolumeMessages', () => {
  it('says at once that it is done where a Storage Proxy does it', () => {
    const body = { node_id: 'i-1', node_type: 'agent', mount_path: '', quota_scope_id: 'user:x', err_msg: null };
    expect(answersTo(unmount, true)).toEqual([{ name: 'volume_unmounted', body }]);
  });

  it('refuses where nobody does it', () => {
    const mount = { ...unmount, name: 'do_volume_mount' } as unknown as ClusterMessage;
    const [answer] = answersTo(mount, false);
    expect(answer).toMatchObject({
      name: 'volume_mounted',
      body: { err_msg: expect.stringContaining('mount') as string },
    });
  });
});
