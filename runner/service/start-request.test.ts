import { describe, expect, it } from 'vitest';
import { parseStartRequest } from './start-request.js';

describe('parseStartRequest', () => {
  it('reads a request and forgives missing options', () => {
    const request = { name: 'x', port: 80, ports: [80, 81], protocol: 'http', options: { envs: { A: 1 } } };
    expect(parseStartRequest(JSON.stringify(request))).toEqual({
      ...request,
      options: { arguments: {}, envs: { A: '1' } },
    });
    expect(parseStartRequest('{"name":"x","port":80,"options":null}')).toMatchObject({ ports: [80], protocol: 'tcp' });
  });

  it.each(['{', '[]', '{"port":1}', '{"name":"x"}', '{"name":"x","ports":["80"]}', '{"name":"x","port":70000}'])(
    'refuses %s',
    (payload) => {
      expect(() => parseStartRequest(payload)).toThrow();
    },
  );
});
