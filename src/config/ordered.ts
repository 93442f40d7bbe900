// The order in which properties are printed that come from several maps.

import type { PropertyMap } from './property.ts';

/** The properties by their names. */
export function ordered<const M extends PropertyMap>(map: M): M {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))) as unknown as M;
}
