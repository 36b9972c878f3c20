import { describe, expect, it } from 'vitest';
import { LastWords } from './last-words.js';

describe('LastWords', () => {
  it('finds the report of a crash in what was said last', () => {
    const words = new LastWords({ congested: false, room: () => Promise.resolve() });
    words.push({ kind: 'stderr', payload: Buffer.from(`noise${'x'.repeat(20_000)}\n`) });
    expect(words.fatalError()).toBeUndefined();
    words.push({ kind: 'stdout', payload: 'Fatal Python error: not this\n' });
    expect(words.fatalError()).toBeUndefined();
    words.push({ kind: 'stderr', payload: Buffer.from('Fatal Python error: Segmentation fault\n') });
    words.push({ kind: 'stderr', payload: 'Thread 1\n' });
    expect(words.fatalError()).toBe('Fatal Python error: Segmentation fault\nThread 1\n');
  });
});
