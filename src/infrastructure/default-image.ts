import { DebianImageBuilder, PYTHON_PACKAGES } from '../adapters/image-builder/debian-image-builder.js';
import type { ContainerEngine } from '../application/ports/container-engine.port.js';
import { messageOf } from '../domain/error/agent-error.js';
import { connectEngine } from './connect-engine.js';

/** What is used when nobody names an image: a small official one, or one made here. */
const OFFICIAL_IMAGE = 'python:3.13-slim';
const LOCAL_IMAGE = 'backend.ai-agent/python:1';
/** A registry that has not sent anything by then is taken for unreachable. */
const FIRST_PROGRESS_MS = 15_000;
const PULL_MS = 600_000;

/** Makes sure of the default image, and resolves with its name. */
export async function ensureDefaultImage(onProgress: (message: string) => void, signal: AbortSignal): Promise<string> {
  const engine = await connectEngine();
  for (const image of [LOCAL_IMAGE, OFFICIAL_IMAGE]) {
    if (await engine.inspectImage(image, { signal })) return image;
  }
  onProgress(`pulling ${OFFICIAL_IMAGE}`);
  try {
    await pull(engine, onProgress, signal);
    return OFFICIAL_IMAGE;
  } catch (error) {
    signal.throwIfAborted();
    onProgress(`no registry is reachable (${messageOf(error)}); building an image from Debian packages`);
  }
  await new DebianImageBuilder(engine).build(
    {
      reference: LOCAL_IMAGE,
      packages: PYTHON_PACKAGES,
      changes: ['CMD ["python3"]', 'ENV LANG=C.UTF-8'],
      onProgress: ({ message, percent }) => onProgress(`${message} (${Math.round(percent)} %)`),
    },
    { signal },
  );
  return LOCAL_IMAGE;
}

async function pull(
  engine: ContainerEngine,
  onProgress: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new Error('no answer')), FIRST_PROGRESS_MS);
  try {
    await engine.pullImage(
      OFFICIAL_IMAGE,
      {
        onProgress: ({ status, layer, currentBytes, totalBytes }) => {
          clearTimeout(timer);
          const percent = totalBytes > 0 ? ` ${Math.floor((100 * currentBytes) / totalBytes)} %` : '';
          onProgress(`pulling ${OFFICIAL_IMAGE}: ${status} ${layer}${percent}`);
        },
      },
      { signal: AbortSignal.any([signal, patience.signal]), timeoutMs: PULL_MS },
    );
  } finally {
    clearTimeout(timer);
  }
}
