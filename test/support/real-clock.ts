import { SystemClock } from '../../src/adapters/host/system-clock.adapter.js';

/** Real time, for tests with real sockets. */
export const realClock = new SystemClock();
