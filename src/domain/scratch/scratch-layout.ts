/** A file to be written into a kernel's scratch. */
export interface ScratchFile {
  /** Relative to the scratch root: `config/environ.txt`, `work/.bashrc`. Never with `..`. */
  readonly path: string;
  readonly data: string;
  /** File mode, e.g. 0o644. */
  readonly mode: number;
  /** Owned by the kernel's user (else by the agent). */
  readonly owned: boolean;
  /** Left alone if it exists already. */
  readonly onlyIfAbsent?: boolean;
}
