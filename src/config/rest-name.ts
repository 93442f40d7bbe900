// What iControl REST calls types and properties: the camelCase of the tmsh name, where the definition names no other.

import type { AnyObjectType } from './object-type.ts';
import type { Property } from './property.ts';

/** `localAddress` for `local-address`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export function restPropertyName(name: string, property: Pick<Property, 'restName'>): string {
  return property.restName ?? camelCase(name);
}

/** `/mgmt/tm/net/tunnels/tunnel`. */
export function restPath(type: Pick<AnyObjectType, 'path' | 'restName'>): string {
  const words = type.path.split(' ');
  const last = type.restName ?? words.at(-1)!;
  return ['/mgmt/tm', ...words.slice(0, -1), last].join('/');
}
