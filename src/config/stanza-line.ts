// What the first line of a stanza looks like: how a reader finds the next one after an error.

/** The modules of tmsh, which every stanza of a BIG-IP starts with, whether its objects are known here or not. */
export const MODULES: readonly string[] = [
  'analytics',
  'api-protection',
  'apm',
  'asm',
  'auth',
  'cli',
  'cm',
  'gtm',
  'ilx',
  'ltm',
  'mgmt',
  'net',
  'pem',
  'saas',
  'security',
  'sslo',
  'sys',
  'util',
  'vcmp',
  'wam',
  'wom',
];

/** Module, component, what else belongs to the name, and the brace, all on one line. */
export const STANZA_LINE = `(?:${MODULES.join('|')})[ \\t]+[a-z][a-z0-9-]*(?:[ \\t]+[^\\s{}]+)*[ \\t]*\\{`;

const stanzaLine = new RegExp(STANZA_LINE, 'y');

/** Whether a line that begins at this offset starts a stanza. */
export function startsStanza(text: string, at: number): boolean {
  stanzaLine.lastIndex = at;
  return stanzaLine.test(text);
}
