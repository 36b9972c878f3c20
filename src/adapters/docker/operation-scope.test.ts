import { describe, expect, it, vi } from 'vitest';
import { engineConflict } from '../../domain/error/errors.js';
import { inScope, OperationScope } from './operation-scope.js';

const never = () => new Promise<never>(() => undefined);

describe('inScope', () => {
  it('ends at the default deadline, or at that of the call, even if the work does not listen', async () => {
    const { signal } = new AbortController();
    await expect(inScope({ signal }, 10, 'do it', never)).rejects.toMatchObject({
      name: 'TimeoutError',
      message: expect.stringContaining('do it within 0.01 s'),
    });
    await expect(inScope({ signal, timeoutMs: 20 }, 60_000, 'do it', never)).rejects.toMatchObject({
      message: expect.stringContaining('within 0.02 s'),
    });
  });

  it('ends as cancelled whatever the reason was', async () => {
    for (const reason of [undefined, new Error('shutting down'), 'text']) {
      const abort = new AbortController();
      const work = inScope({ signal: abort.signal }, 1000, 'do it', never);
      abort.abort(reason);
      await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    }
  });

  it('passes on a cause that is already understood', async () => {
    const abort = new AbortController();
    const cause = engineConflict('because');
    const work = inScope({ signal: abort.signal }, 1000, 'do it', never);
    abort.abort(cause);
    await expect(work).rejects.toBe(cause);
    await expect(
      inScope({ signal: new AbortController().signal }, 1000, 'x', () => Promise.reject(cause)),
    ).rejects.toBe(cause);
  });

  it('does not start when cancelled before', async () => {
    const work = vi.fn(never);
    await expect(inScope({ signal: AbortSignal.abort() }, 1000, 'do it', work)).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(work).not.toHaveBeenCalled();
  });

  it('leaves no timer and no listener behind', async () => {
    vi.useFakeTimers();
    try {
      const { signal } = new AbortController();
      const removed = vi.spyOn(signal, 'removeEventListener');
      await inScope({ signal }, 1000, 'do it', () => Promise.resolve(1));
      expect(vi.getTimerCount()).toBe(0);
      expect(removed).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });
});

it('a lifted scope has no deadline any more', async () => {
  const scope = new OperationScope({ signal: new AbortController().signal }, 10, 'do it');
  scope.lift();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(scope.signal.aborted).toBe(false);
  scope[Symbol.dispose]();
});
