import { writeSync } from 'node:fs';
import { lifeOf, openSender, terminated } from './event-sender.js';

/**
 * A process that announces lives of kernels until it is killed, and writes the name of each event on stdout as soon as
 * `announce` has returned. Like an agent that died between the end of a kernel and forgetting it, it first tells the ends
 * of the last kernels of the life before once more. Without a first kernel it only waits until all is delivered.
 *
 * Arguments: port of Redis, file of the outbox, number of the first kernel.
 */
const [port = '', path = '', first] = process.argv.slice(2);
const REPEATED = 5;
const settings = { address: { host: '127.0.0.1', port: Number(port) } };
const sender = await openSender(settings, { path });

if (first === undefined) {
  while (sender.outbox.waiting().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await sender[Symbol.asyncDispose]();
} else {
  for (let n = Math.max(1, Number(first) - REPEATED); n < Number(first); n++) await sender.bus.announce(terminated(n));
  for (let n = Number(first); ; n++) {
    for (const event of lifeOf(n)) {
      writeSync(1, `begin ${n}\n`);
      await sender.bus.announce(event);
      writeSync(1, `${n} ${event.name}\n`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
