import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from './jupyter-message.js';

const frames = (key = 'k') =>
  encodeMessage(key, 's', { id: 'm1', type: 'execute_request', content: { code: 'é' }, parent: { msg_id: 'p' } }).map(
    (part) => Buffer.from(part),
  );

describe('Jupyter messages', () => {
  it('sign the four dictionaries in order', () => {
    const [delimiter, signature, ...parts] = frames();
    expect(delimiter?.toString()).toBe('<IDS|MSG>');
    const hmac = createHmac('sha256', 'k');
    for (const part of parts) hmac.update(part);
    expect(signature?.toString()).toBe(hmac.digest('hex'));
    expect(parts).toHaveLength(4);
  });

  it('read back with identities before and buffers behind', () => {
    expect(decodeMessage('k', [Buffer.from('id'), ...frames(), Buffer.from('blob')])).toMatchObject({
      type: 'execute_request',
      id: 'm1',
      parentId: 'p',
      content: { code: 'é' },
    });
  });

  it('are refused when signed otherwise, cut or not JSON', () => {
    expect(decodeMessage('other', frames())).toBeUndefined();
    expect(decodeMessage('k', frames().slice(0, 4))).toBeUndefined();
    expect(decodeMessage('k', [Buffer.from('x')])).toBeUndefined();
    const broken = frames();
    broken[5] = Buffer.from('{');
    const hmac = createHmac('sha256', 'k');
    for (const part of broken.slice(2)) hmac.update(part);
    broken[1] = Buffer.from(hmac.digest('hex'));
    expect(decodeMessage('k', broken)).toBeUndefined();
  });
});
