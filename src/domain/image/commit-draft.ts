/** Repository of images that a commit has not finished: they have no name that anybody asked for. */
const REPOSITORY = 'backend.ai-agent/commit';
const MAX_OWNER_LENGTH = 80;

/** Name of an unfinished image; tells whose it is, so that what a crash left can be removed by its owner only. */
export function draftName(agentId: string, id: string): string {
  return `${REPOSITORY}:${ownerPart(agentId)}.${id}`;
}

/** The `id` that draftName was given, if the image is an unfinished one of this agent. */
export function draftIdOf(name: string, agentId: string): string | undefined {
  const prefix = draftName(agentId, '');
  const id = name.slice(prefix.length);
  return name.startsWith(prefix) && /^[0-9a-f-]{36}$/.test(id) ? id : undefined;
}

export function isDraft(name: string): boolean {
  return name.startsWith(`${REPOSITORY}:`);
}

function ownerPart(agentId: string): string {
  return agentId.replaceAll(/[^\w-]/g, '_').slice(0, MAX_OWNER_LENGTH);
}
