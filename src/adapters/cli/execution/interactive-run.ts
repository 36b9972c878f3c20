import type { ConsoleItem } from '../../../domain/execution/execution.js';
import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { CliDependencies } from '../cli-dependencies.js';
import type { AgentClient } from '../client/agent-client.js';
import { LineReader } from '../terminal/line-reader.js';
import { printable } from '../terminal/printable.js';
import type { Terminal } from '../terminal/terminal.js';
import { ProgramRun } from './program-run.js';
import type { RunOutcome } from './run-outcome.js';

export interface InteractiveRunOptions {
  readonly kernelId: KernelId;
  readonly code: string;
  readonly timeoutMs: number | null;
  /** Collects the output for a JSON document instead of showing it. */
  readonly isJson: boolean;
  /** What happens to the program after a second Ctrl-C, in words. */
  readonly secondInterrupt: string;
}

/** A program in a kernel with this terminal as its console: output as it comes, input when asked for, Ctrl-C. */
export async function runInteractively(
  deps: CliDependencies,
  terminal: Terminal,
  client: AgentClient,
  options: InteractiveRunOptions,
  signal: AbortSignal,
): Promise<RunOutcome> {
  let presses = 0;
  const onInterrupt = (): void => {
    presses += 1;
    if (presses === 1) {
      terminal.say(
        terminal.colour('yellow', `interrupting the program; press Ctrl-C again to ${options.secondInterrupt}`),
      );
      program.interrupt();
    } else if (presses === 2) program.abandon();
  };
  using lines = new LineReader(deps.io.stdin, onInterrupt);
  const program = new ProgramRun(client, {
    kernelId: options.kernelId,
    code: options.code,
    runId: deps.uuid().replaceAll('-', ''),
    timeoutMs: options.timeoutMs,
    isRecorded: options.isJson,
    onOutput: (item) => (options.isJson ? Promise.resolve() : show(terminal, item)),
    readLine: async (isSecret, until) => {
      const line = await lines.readLine(isSecret, until);
      if (isSecret && deps.io.stdin.isTTY === true) terminal.say('');
      return line;
    },
    onNotice: (text) => terminal.say(terminal.colour('yellow', printable(text))),
  });
  const interrupts = deps.signals.on('SIGINT', onInterrupt);
  try {
    return await program.run(signal);
  } finally {
    interrupts[Symbol.dispose]();
  }
}

function show(terminal: Terminal, item: ConsoleItem): Promise<void> {
  switch (item[0]) {
    case 'stdout':
      return terminal.out(item[1]);
    case 'stderr':
    case 'log':
      return terminal.err(item[1]);
    case 'html':
      return terminal.out(`<text/html, ${item[1].length} characters>\n`);
    case 'media':
      return terminal.out(`<${printable(item[1][0])}, ${item[1][1].length} characters>\n`);
    case 'completion':
      return Promise.resolve();
  }
}
