/** First bytes of ttyd's messages, for the process and the page alike (krunner.md §5.7). */
export const SUBPROTOCOL = 'tty';

export const FROM_CLIENT = { input: '0', resize: '1', pause: '2', resume: '3', hello: '{' } as const;

export const FROM_SERVER = { output: '0', title: '1', preferences: '2' } as const;

/** The first message of a client. Those of others do not know `session`. */
export interface Hello {
  readonly AuthToken: string;
  readonly columns: number;
  readonly rows: number;
  /** Of this tab, made up by it: it gets the same shell again when it comes back. */
  readonly session?: string;
}

/** Ends of a connection that a client should not answer by connecting again. */
export const CLOSED = { ended: 1000, takenOver: 4001 } as const;
