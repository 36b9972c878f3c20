import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { AbuseReports } from '../../application/ports/abuse-reports.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';

const NAME = /^report\..*\.json$/;
const MAX_REPORTS = 1_000;
const MAX_REPORT_BYTES = 64 * 1024;

const report = z.object({ ID: z.uuid() });

/** Files `report.*.json` of a folder. One that is being written is read the next time. */
export class FileAbuseReports implements AbuseReports {
  /** @param folder `null` = nobody reports */
  constructor(private readonly folder: string | null) {}

  async list(): Promise<readonly string[]> {
    if (this.folder === null) return [];
    const { folder } = this;
    const names = await readdir(folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw storageFailure(`abuse reports: ${messageOf(error)}`, { field: folder, cause: error });
    });
    const reports = names.filter((name) => NAME.test(name)).slice(0, MAX_REPORTS);
    const ids = await Promise.all(reports.map((name) => kernelOf(join(folder, name))));
    return [...new Set(ids.filter((id) => id !== undefined))];
  }
}

async function kernelOf(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path);
    const buffer = Buffer.alloc(MAX_REPORT_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return report.parse(JSON.parse(buffer.toString('utf8', 0, bytesRead))).ID.toLowerCase();
  } catch {
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
