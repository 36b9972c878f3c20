import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { AbuseReport, AbuseReports } from '../../application/ports/abuse-reports.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';

const NAME = /^report\..*\.json$/;
const MAX_REPORTS = 1_000;
const MAX_REPORT_BYTES = 64 * 1024;

const content = z.object({ ID: z.uuid(), reason: z.string().catch('') });

/** Files `report.*.json` of a folder. One that is being written is read the next time. */
export class FileAbuseReports implements AbuseReports {
  /** @param folder `null` = nobody reports */
  constructor(private readonly folder: string | null) {}

  async list(): Promise<readonly AbuseReport[]> {
    if (this.folder === null) return [];
    const { folder } = this;
    const names = await readdir(folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw storageFailure(`abuse reports: ${messageOf(error)}`, { field: folder, cause: error });
    });
    const reports = names.filter((name) => NAME.test(name)).slice(0, MAX_REPORTS);
    const read = await Promise.all(reports.map((name) => readReport(folder, name)));
    return read.filter((report) => report !== undefined);
  }

  async remove({ name }: AbuseReport): Promise<void> {
    try {
      await rm(join(this.folder ?? '', name), { force: true });
    } catch (error) {
      throw storageFailure(`abuse reports: ${messageOf(error)}`, { field: name, cause: error });
    }
  }
}

async function readReport(folder: string, name: string): Promise<AbuseReport | undefined> {
  try {
    await using file = await open(join(folder, name));
    const buffer = Buffer.alloc(MAX_REPORT_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const { ID, reason } = content.parse(JSON.parse(buffer.toString('utf8', 0, bytesRead)));
    return { name, kernelId: ID.toLowerCase(), reason };
  } catch {
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
