// MACs of our own where no device lends one.

import { hashPair } from '../../core/pair-map.ts';
import type { Mac } from './spec.ts';

/** A locally administered MAC that depends on the name alone, so that it is the same after a restart. */
export function madeMac(name: string): Mac {
  let hash = 0;
  for (let index = 0; index < name.length; index++) hash = hashPair(hash, name.charCodeAt(index));
  return { high: 0x0200 | (hash >>> 24), low: hashPair(hash, name.length) };
}
