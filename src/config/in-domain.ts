// Words and texts of values where addresses that name no route domain are in a certain one.

import type { ScalarKind } from './property.ts';

/** A word as it is read where addresses without a domain are in this one. */
export function wordInDomain(word: string, { inDomain }: ScalarKind, domain: number | undefined): string {
  return domain === undefined || domain === 0 || inDomain === undefined ? word : inDomain(word, domain);
}

/** Text of a value as it is read again where addresses without a domain are in this one. */
export function textInDomain(text: string, { inDomain }: ScalarKind, domain: number | undefined): string {
  return domain === undefined || domain === 0 || inDomain === undefined ? text : inDomain(text, 0);
}
