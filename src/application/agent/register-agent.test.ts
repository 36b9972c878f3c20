import { expect, test } from 'vitest';
import { EmbeddedConfigSource } from '../../adapters/embedded/embedded-config-source.adapter.js';
import { SETTINGS } from '../../../test/support/fake-agent.js';
import { RegisterAgent } from './register-agent.use-case.js';

const { signal } = new AbortController();

test('tells the status and where the Watcher API is reached; leaving takes back the status only', async () => {
  const source = new EmbeddedConfigSource();
  const settings = {
    ...SETTINGS,
    advertisedRpcAddress: 'tcp://10.0.0.5:6011',
    watcher: { ...SETTINGS.watcher, port: 6109 },
  };
  const registration = new RegisterAgent(source, settings);
  await registration.execute('starting', signal);
  expect(await source.getPrefix('', signal)).toEqual({ '': 'starting', ip: '10.0.0.5', watcher_port: '6109' });
  await registration.execute('running', signal);
  expect(await source.get('', signal)).toBe('running');
  await registration.leave(signal);
  expect(await source.getPrefix('', signal)).toEqual({ ip: '10.0.0.5', watcher_port: '6109' });
});
