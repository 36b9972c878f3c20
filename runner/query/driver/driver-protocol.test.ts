import { describe, expect, it } from 'vitest';
import { LineSplitter, parseDriverEvent } from './driver-protocol.js';

describe('parseDriverEvent', () => {
  it.each([
    ['{"event":"ready"}', { event: 'ready' }],
    ['{"event":"done","code":-2}', { event: 'done', code: -2 }],
    ['{"event":"input","password":true}', { event: 'input', password: true }],
    ['{"event":"display","mime":"text/html","data":"<b>"}', { event: 'display', mime: 'text/html', data: '<b>' }],
    ['{"event":"completion","matches":["a",1]}', { event: 'completion', matches: ['a'] }],
    ['{"event":"done","code":"x"}', undefined],
    ['{"event":"format-disk"}', undefined],
    ['null', undefined],
    ['garbage', undefined],
  ])('%s', (line, event) => {
    expect(parseDriverEvent(line)).toEqual(event);
  });
});

describe('LineSplitter', () => {
  it('joins pieces and splits lines', () => {
    const splitter = new LineSplitter();
    const lines = ['ab', 'c\nd\n\ne', 'é\n'].flatMap((piece) => [...splitter.push(Buffer.from(piece))]);
    expect(lines).toEqual(['abc', 'd', '', 'eé']);
  });
});
