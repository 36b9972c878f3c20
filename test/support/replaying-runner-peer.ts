import { readFileSync } from 'node:fs';
import { ScriptedRunnerPeer } from './scripted-runner-peer.js';

type RecordedFrame = string | { readonly b64: string };

interface RecordedStep {
  readonly step: string;
  readonly sent: readonly { readonly ms: number; readonly frames: readonly [string, string] }[];
  readonly received: readonly { readonly ms: number; readonly frames: readonly RecordedFrame[] }[];
}

const FIXTURE = new URL('../fixtures/krunner-frames.json', import.meta.url);

export function recordedSteps(): readonly RecordedStep[] {
  return (JSON.parse(readFileSync(FIXTURE, 'utf8')) as { steps: RecordedStep[] }).steps;
}

/**
 * A peer that answers as the official runner did when it was recorded: operations are matched with the recorded steps,
 * and what the runner said after each of them is said again, without the pauses.
 */
export async function listenReplaying(): Promise<ScriptedRunnerPeer> {
  const peer = await ScriptedRunnerPeer.listen();
  const steps = recordedSteps();
  let candidates: readonly RecordedStep[] = [];
  let matched = 0;
  let said = 0;
  peer.onOp = (op, payload) => {
    const matches = (step: RecordedStep, index: number) => {
      const sent = step.sent[index]?.frames;
      return sent !== undefined && sent[0] === op && sameText(sent[1], payload);
    };
    let next = candidates.filter((step) => matches(step, matched));
    if (next.length === 0) {
      next = steps.filter((step) => matches(step, 0));
      matched = 0;
      said = 0;
    }
    candidates = next;
    matched += 1;
    const [step] = candidates;
    // Several steps begin with an empty `clean`: what follows is known only when one is left.
    if (!step || candidates.length > 1) return;
    const until = step.sent[matched]?.ms ?? Infinity;
    for (const reply of step.received.slice(said).filter((frame) => frame.ms <= until)) {
      said += 1;
      void peer.say(...reply.frames.map(bytesOf));
    }
  };
  return peer;
}

export function bytesOf(frame: RecordedFrame): Uint8Array {
  return typeof frame === 'string' ? Buffer.from(frame) : Buffer.from(frame.b64, 'base64');
}

/** JSON payloads are compared by what they mean. */
function sameText(recorded: string, payload: string): boolean {
  if (recorded === payload) return true;
  try {
    return JSON.stringify(JSON.parse(recorded)) === JSON.stringify(JSON.parse(payload));
  } catch {
    return false;
  }
}
