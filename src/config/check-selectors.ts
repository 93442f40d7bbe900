// Checks of traffic selectors: each by itself, and against the others of its order.

import { familyBits, formatAddress, formatPrefix, networkOf, parsePrefix, prefixContains } from '../core/address.ts';
import type { IpPrefix } from '../core/address.ts';
import type { AnyConfigObject, CheckContext } from './object-type.ts';
import { remembered } from './remembered.ts';
import { netIpsecIpsecPolicy } from './types/net-ipsec-ipsec-policy.ts';

/** What the checks need to know of a `net ipsec traffic-selector`. */
export type SelectorObject = AnyConfigObject & {
  readonly properties: {
    readonly 'source-address': string;
    readonly 'destination-address': string;
    readonly 'source-port': number;
    readonly 'destination-port': number;
    readonly 'ip-protocol': number;
    readonly 'ipsec-policy': string;
    readonly direction: 'both' | 'in' | 'out';
    readonly order: number;
  };
};

type Parsed = { readonly object: SelectorObject; readonly source: IpPrefix; readonly destination: IpPrefix };

/** A selector as it looks at the packets of one direction; one of both directions is two of these. */
type OneWay = Parsed & { readonly index: number; readonly sourcePort: number; readonly destinationPort: number };

/** What `ip-protocol` says where any protocol is meant. */
export const ANY_PROTOCOL = 255;

export function checkSelectors(objects: readonly SelectorObject[], context: CheckContext): void {
  const groups = new Map<string, OneWay[]>();
  const add = (direction: 'in' | 'out', selector: OneWay): void => {
    const key = `${direction} ${selector.object.properties.order}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [selector]);
    else group.push(selector);
  };
  for (const [index, object] of objects.entries()) {
    const parsed = checkSelector(object, context);
    if (parsed === undefined) continue;
    const { direction, 'source-port': sourcePort, 'destination-port': destinationPort } = object.properties;
    const { source, destination } = parsed;
    const asWritten = { object, index, source, destination, sourcePort, destinationPort };
    const exchanged = { ...asWritten, source: destination, destination: source };
    if (direction !== 'in') add('out', asWritten);
    if (direction === 'in') add('in', asWritten);
    if (direction === 'both') add('in', { ...exchanged, sourcePort: destinationPort, destinationPort: sourcePort });
  }
  const found = new Map<SelectorObject, SelectorObject>();
  for (const group of groups.values()) if (group.length > 1) findOverlaps(group, found);
  warnOfOverlaps(found, context);
}

/** Undefined: it competes with no other, as those of tunnels. */
const checkSelector = remembered((object: SelectorObject, context): Parsed | undefined => {
  const { 'source-address': sourceText, 'destination-address': destinationText } = object.properties;
  const source = parsePrefix(sourceText)!;
  const destination = parsePrefix(destinationText)!;
  for (const [property, text, prefix] of [
    ['source-address', sourceText, source],
    ['destination-address', destinationText, destination],
  ] as const) {
    const base = networkOf(prefix);
    if (formatAddress(base) === formatAddress(prefix.address)) continue;
    context.error(object, `Traffic selector (${object.name}): ${property} ${text} has bits behind its length.`, {
      property,
      value: text,
      hint: `Write ${formatAddress(base)}/${prefix.length}, or ${formatAddress(prefix.address)}/${familyBits(base.family)}.`,
    });
    return undefined;
  }
  if (source.address.family !== destination.address.family) {
    const text = `destination-address ${destinationText} has another IP version than source-address ${sourceText}.`;
    context.error(object, `Traffic selector (${object.name}): ${text}`, {
      property: 'destination-address',
      value: destinationText,
      hint: 'Both are of one IP version: write both, or give each version a selector of its own.',
    });
    return undefined;
  }
  if (source.address.routeDomain !== destination.address.routeDomain) {
    const text = `destination-address ${destinationText} has another route domain than source-address ${sourceText}.`;
    context.error(object, `Traffic selector (${object.name}): ${text}`, {
      property: 'destination-address',
      value: destinationText,
      hint: 'Both share the route domain.',
    });
    return undefined;
  }
  const mode = context.find(netIpsecIpsecPolicy, object.properties['ipsec-policy'])?.properties.mode;
  return mode === 'interface' ? undefined : { object, source, destination };
});

/**
 * Finds, for selectors that take packets which another of the same order takes as well, the other one.
 *
 * Prefixes overlap where one contains the other. In the order of their addresses, short ones first, all that contain a
 * prefix are on a stack when it comes; the side that tells more of them apart makes the stacks low.
 */
function findOverlaps(group: readonly OneWay[], found: Map<SelectorObject, SelectorObject>): void {
  const side = distinct(group, 'source') >= distinct(group, 'destination') ? 'source' : 'destination';
  const stack: OneWay[] = [];
  for (const entry of [...group].sort((a, b) => compare(a[side], b[side]))) {
    while (stack.length > 0 && !contains(stack.at(-1)![side], entry[side])) stack.pop();
    const other = stack.find((each) => overlap(entry, each));
    stack.push(entry);
    if (other === undefined) continue;
    const [earlier, later] = entry.index < other.index ? [entry, other] : [other, entry];
    if (!found.has(later.object)) found.set(later.object, earlier.object);
  }
}

function warnOfOverlaps(found: ReadonlyMap<SelectorObject, SelectorObject>, context: CheckContext): void {
  for (const [later, earlier] of found) {
    const { order } = later.properties;
    const text = `order ${order} is also that of Traffic selector (${earlier.name}), and some packets fit both.`;
    context.warn(later, `Traffic selector (${later.name}): ${text}`, {
      property: 'order',
      value: String(order),
      hint: 'Give the one that shall count the lower order.',
    });
  }
}

function distinct(group: readonly OneWay[], side: 'source' | 'destination'): number {
  return new Set(group.map((selector) => formatPrefix(selector[side]))).size;
}

function compare(a: IpPrefix, b: IpPrefix): number {
  const [left, right] = [a.address, b.address];
  if (left.family !== right.family) return left.family - right.family;
  if (left.routeDomain !== right.routeDomain) return left.routeDomain - right.routeDomain;
  for (const [index, word] of left.words.entries()) {
    const difference = (word >>> 0) - (right.words[index]! >>> 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function contains(outer: IpPrefix, inner: IpPrefix): boolean {
  return outer.length <= inner.length && prefixContains(outer, inner.address);
}

function overlap(a: OneWay, b: OneWay): boolean {
  const prefixesMeet = (one: IpPrefix, other: IpPrefix): boolean => contains(one, other) || contains(other, one);
  const meet = (one: number, other: number, any: number): boolean => one === other || one === any || other === any;
  return (
    prefixesMeet(a.source, b.source) &&
    prefixesMeet(a.destination, b.destination) &&
    meet(a.object.properties['ip-protocol'], b.object.properties['ip-protocol'], ANY_PROTOCOL) &&
    meet(a.sourcePort, b.sourcePort, 0) &&
    meet(a.destinationPort, b.destinationPort, 0)
  );
}
