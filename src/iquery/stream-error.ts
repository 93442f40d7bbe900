// Why a stream of the mesh cannot be read on: the connection ends with it.

/** `message` is for a person: what was seen, and of which message and field. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
}

const SHOWN_CHARACTERS = 60;

/** What a peer said, in quotes: shortened, and without what a terminal or a log would act on. */
export function quoteSeen(seen: string): string {
  const short = seen.length > SHOWN_CHARACTERS ? `${seen.slice(0, SHOWN_CHARACTERS)}…` : seen;
  return `"${short.replace(/[^\P{C}…]/gu, '?')}"`;
}
