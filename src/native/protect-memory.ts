// Keeps the memory of this process from core files and from other processes of the same account: there are keys in it.

import { errorText } from '../core/errors.ts';
import { loadAddon } from './addon.ts';

/** Why it could not be done; undefined when it was. */
export function protectMemory(): string | undefined {
  const loaded = loadAddon();
  if (loaded.addon === undefined) return loaded.reason;
  try {
    loaded.addon.protectMemory();
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}
