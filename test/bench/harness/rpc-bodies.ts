import { readFileSync } from 'node:fs';

/** Bodies of calls as a Manager 26.9.6 sends them. */

const FRAMES = new URL('../../fixtures/rpc/manager-frames.ndjson', import.meta.url);

export function recordedBody(method: string): Buffer {
  for (const line of readFileSync(FRAMES, 'utf8').split('\n')) {
    if (line === '') continue;
    const call = JSON.parse(line) as { readonly method: string; readonly what: string; readonly body_b64: string };
    if (call.method === method && call.what === 'request') return Buffer.from(call.body_b64, 'base64');
  }
  throw new Error(`no call of ${method} was recorded`);
}

/**
 * A whole `create_kernels` call that every agent refuses when it has read it: for no agent in particular, and with a
 * port number that is none.
 */
export function refusedCreation(): Buffer {
  const body = recordedBody('create_kernels');
  const at = body.indexOf(Buffer.from('\xa4body\xc5', 'latin1')) + 6;
  const document = replaced(
    replaced(body.subarray(at + 2), '\xa8agent_id\xa5i-lab', '\xa8agent_id\xc0'),
    '\xadpreopen_ports\x91\xcd\x22\xc3',
    '\xadpreopen_ports\x91\xcd\x00\x00',
  );
  const length = Buffer.alloc(2);
  length.writeUInt16BE(document.length);
  return Buffer.concat([body.subarray(0, at), length, document]);
}

function replaced(bytes: Buffer, from: string, to: string): Buffer {
  const [old, fresh] = [Buffer.from(from, 'latin1'), Buffer.from(to, 'latin1')];
  const at = bytes.indexOf(old);
  if (at < 0) throw new Error('the recorded call is not what it was');
  return Buffer.concat([bytes.subarray(0, at), fresh, bytes.subarray(at + old.length)]);
}
