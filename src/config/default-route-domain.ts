// The route domain of addresses that are written without one: that of the partition of their object.
//
// What is stored always says its route domain, and where it says none it is 0. So a partition that gets another default
// domain changes no address that is there, and in a partition whose default is not 0, `%0` is written out.

import type { StoredObject } from './configuration.ts';
import { partitionOf } from './name.ts';
import type { AnyObjectType } from './object-type.ts';
import type { Kind, PropertyMap } from './property.ts';
import type { MutableProperties, Properties } from './value.ts';

const PARTITION = 'auth partition';
const PROPERTY = 'default-route-domain';

/** The domain for the object of this name: 0 where it lies in no partition. */
export function defaultRouteDomainOf(objects: ReadonlyMap<string, StoredObject>, name: string): number {
  if (!name.startsWith('/')) return 0;
  const value = objects.get(`${PARTITION} ${partitionOf(name)}`)?.own[PROPERTY];
  return typeof value === 'number' ? value : 0;
}

/** Default domains by partition, those that are not 0: what a text says of them, before what there is already. */
export function defaultRouteDomains(
  written: Iterable<{
    readonly key: string;
    readonly name: string;
    readonly edits: readonly Edited[];
  }>,
  objects: ReadonlyMap<string, StoredObject> | undefined,
): ReadonlyMap<string, number> {
  const domains = new Map<string, number>();
  const note = (partition: string, value: unknown): void => {
    if (typeof value === 'number' && value !== 0) domains.set(partition, value);
    else domains.delete(partition);
  };
  for (const { type, name, own } of objects?.values() ?? []) if (type === PARTITION) note(name, own[PROPERTY]);
  for (const { key, name, edits } of written) {
    if (!key.startsWith(`${PARTITION} `)) continue;
    for (const { property, edit } of edits) if (property === PROPERTY) note(name, edit.value);
  }
  return domains;
}

type Edited = {
  readonly property: string;
  readonly edit: { readonly verb: string; readonly value?: unknown };
};

/** Name → default of the properties whose default is an address: it is another one where the default domain is another. */
const shifting = new WeakMap<PropertyMap, readonly (readonly [string, string])[]>();

function shiftingDefaults(map: PropertyMap): readonly (readonly [string, string])[] {
  let found = shifting.get(map);
  if (found === undefined) {
    found = Object.entries(map).flatMap(([name, { kind, default: value }]) =>
      kind.shape === 'scalar' && typeof value === 'string' && (kind.inDomain?.(value, 1) ?? value) !== value
        ? [[name, value] as const]
        : [],
    );
    shifting.set(map, found);
  }
  return found;
}

/** What was set without what is default anyway, but with such defaults, which may not be the default in another partition. */
export function withShiftingDefaults(map: PropertyMap, kept: Properties, set: Properties): Properties {
  const more = shiftingDefaults(map).filter(([name, value]) => set[name] === value);
  return more.length === 0 ? kept : { ...kept, ...Object.fromEntries(more) };
}

/**
 * What of an object is printed, where addresses without a domain are in this one. Such a default is written out where it would
 * not be read as itself: the bare word takes a value away, and an object without one may get it from its name.
 */
export function printedValues(type: AnyObjectType, { name, own }: StoredObject, domain: number): Properties {
  const defaults = shiftingDefaults(type.properties);
  if (defaults.length === 0) return own;
  const printed: MutableProperties = { ...own };
  const assigned: MutableProperties = {};
  type.assign?.(name, assigned, () => []);
  for (const [property, value] of defaults) {
    const given = own[property] ?? (domain === 0 ? undefined : value);
    const isRead = domain === 0 && assigned[property] === value;
    if (given === value && !isRead) printed[property] = inDomainOf(type.properties[property]!.kind, value, 0);
  }
  return printed;
}

/** Puts into the domain what a new object was given without saying one: from its name, or as the default. */
export function putInDomain(
  map: PropertyMap,
  own: MutableProperties,
  set: Properties,
  name: string,
  domain: number,
): void {
  for (const [key, value] of shiftingDefaults(map)) own[key] ??= set[key] ?? inDomainOf(map[key]!.kind, value, domain);
  for (const [key, { kind }] of Object.entries(map)) {
    const value = own[key];
    if (typeof value === 'string' && set[key] === undefined && !name.includes('%')) {
      own[key] = inDomainOf(kind, value, domain);
    }
  }
}

function inDomainOf(kind: Kind, text: string, domain: number): string {
  return kind.shape === 'scalar' && kind.inDomain !== undefined ? kind.inDomain(text, domain) : text;
}
