import { z } from 'zod';
import type { FileEntry } from '../../../application/use-cases.js';
import { kernelId } from './fields.js';
import { defineMethod, type RpcMethod } from './method.js';

/** As the kernel's system has it: PATH_MAX. */
const path = z
  .string()
  .max(4_096)
  .refine((text) => !text.includes('\0'), 'a path without NUL characters');

/** Each holds up to a megabyte. */
const LARGE_AT_ONCE = 32;

const download = z.object({ kernel_id: kernelId, filepath: path });

/** Times in seconds since 1970. */
function listed(entry: FileEntry): Record<string, unknown> {
  return {
    mode: entry.mode,
    size: entry.sizeBytes,
    ctime: entry.changedAtMs / 1_000,
    mtime: entry.modifiedAtMs / 1_000,
    atime: entry.accessedAtMs / 1_000,
    filename: entry.name,
  };
}

/** Files of kernels (rpc.md §6.13). */
export const fileMethods: readonly RpcMethod[] = [
  defineMethod({
    name: 'upload_file',
    required: ['kernel_id', 'filename', 'filedata'],
    schema: z.object({
      kernel_id: kernelId,
      filename: path.min(1),
      filedata: z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes'),
    }),
    handle: async ({ kernel_id, filename, filedata }, { useCases, signal }) => {
      await useCases.files.upload(kernel_id, filename, filedata, signal);
      return null;
    },
  }),

  defineMethod({
    name: 'download_file',
    atOnce: LARGE_AT_ONCE,
    required: ['kernel_id', 'filepath'],
    schema: download,
    handle: ({ kernel_id, filepath }, { useCases, signal }) =>
      useCases.files.downloadArchive(kernel_id, filepath, signal),
  }),

  defineMethod({
    name: 'download_single',
    atOnce: LARGE_AT_ONCE,
    required: ['kernel_id', 'filepath'],
    schema: download,
    handle: ({ kernel_id, filepath }, { useCases, signal }) => useCases.files.downloadFile(kernel_id, filepath, signal),
  }),

  /** `files` is a JSON text; the Manager hands it on as it is. */
  defineMethod({
    name: 'list_files',
    atOnce: LARGE_AT_ONCE,
    required: ['kernel_id', 'path'],
    schema: z.object({ kernel_id: kernelId, path }),
    handle: async ({ kernel_id, path: folder }, { useCases, signal }) => {
      const listing = await useCases.files.list(kernel_id, folder, signal);
      return { files: JSON.stringify(listing.files.map(listed)), errors: listing.errors, abspath: listing.path };
    },
  }),
];
