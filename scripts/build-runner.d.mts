/** Builds the in-container runner into `outDir`, replacing what is there. */
export declare function buildRunner(outDir: string): Promise<void>;
